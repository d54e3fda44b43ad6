//! Sending a job's log to LAVA's server, line by line with their index (lava-compat 3.6).

use std::{
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::PathBuf,
};

use fs_err as fs;
use pumice_client::{ClientError, LavaJob, LavaWorkerClient};
use serde::{Deserialize, Serialize};

use crate::job::{Directory, read_json, write_json};

/// How many lines LAVA's client sends at once, and by how many fewer after a refusal for size.
const BATCH: usize = 1_000;
const FEWER: usize = 100;
/// A request larger than this is split whatever its lines; Django's own limit is 2.5 MiB.
const LARGEST: usize = 1 << 20;

/// How far the log was sent. On disk, so that a restarted agent goes on there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// How many lines the server acknowledged.
    pub(crate) index: u64,
    /// Where the next line begins in our file.
    pub(crate) offset: u64,
}

/// What became of an attempt to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shipped {
    /// All complete lines are at the server.
    All,
    /// A single line was too large for the server and was replaced: the job is to be ended.
    Oversized,
}

/// Sends the log of one job.
pub(crate) struct Lines {
    client: LavaWorkerClient,
    job: LavaJob,
    log: PathBuf,
    record: PathBuf,
    sent: Sent,
    batch: usize,
}

impl Lines {
    pub(crate) fn new(client: LavaWorkerClient, job: LavaJob, directory: &Directory) -> Self {
        Self::of_files(client, job, directory.log(), directory.file("lines.json"))
    }

    /// Of a log in any place; how far it was sent is kept in `record`.
    pub(crate) fn of_files(client: LavaWorkerClient, job: LavaJob, log: PathBuf, record: PathBuf) -> Self {
        let sent = read_json(&record).unwrap_or_default();
        Self { client, job, log, record, sent, batch: BATCH }
    }

    /// Sends all complete lines, and at the job's end (`all`) also one that is not.
    pub(crate) fn ship(&mut self, all: bool) -> Result<Shipped, ClientError> {
        let mut shipped = Shipped::All;
        loop {
            let lines = self.read(all);
            if lines.is_empty() {
                return Ok(shipped);
            }
            let bodies: Vec<&str> = lines.iter().map(|line| line.trim_end_matches('\n')).collect();
            match self.client.logs(&self.job, &bodies.join("\n"), self.sent.index) {
                Ok(count) => self.acknowledge(&lines, count),
                Err(error) if is_too_large(&error) && self.batch > 1 => {
                    // A batch that was cut by size already has fewer lines than allowed.
                    self.batch = self.batch.min(lines.len()).saturating_sub(FEWER).max(1);
                }
                Err(error) if is_too_large(&error) => {
                    let instead = replacement(bodies.first().copied().unwrap_or_default());
                    self.client.logs(&self.job, &instead, self.sent.index)?;
                    self.acknowledge(&lines, 1);
                    shipped = Shipped::Oversized;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn acknowledge(&mut self, lines: &[String], count: u64) {
        let taken = usize::try_from(count).unwrap_or(usize::MAX).min(lines.len());
        self.sent.index += taken as u64;
        self.sent.offset += lines[..taken].iter().map(|line| line.len() as u64).sum::<u64>();
        if let Err(error) = write_json(&self.record, &self.sent) {
            // A restarted agent then sends lines twice; the server counts them and keeps one.
            tracing::warn!("how far the log was sent cannot be written down: {error}");
        }
    }

    /// The next lines, each with its end. A line that is not UTF-8 is mended: the request is text.
    fn read(&self, all: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        let Ok(mut log) = fs::File::open(&self.log) else { return lines };
        if log.seek(SeekFrom::Start(self.sent.offset)).is_err() {
            return lines;
        }
        let mut reader = BufReader::new(log);
        while lines.len() < self.batch && bytes < LARGEST {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).is_err() || line.is_empty() {
                break;
            }
            if !line.ends_with(b"\n") && !all {
                break;
            }
            bytes += line.len();
            lines.push(String::from_utf8(line).unwrap_or_else(|error| ascii(error.as_bytes())));
        }
        lines
    }
}

/// The same number of bytes, those that are not ASCII replaced: offsets stay those of the file.
fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
}

/// Whether the request was too large.
fn is_too_large(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status: 413, .. })
}

/// The result that stands for a line which the server does not take, with the time of that line.
fn replacement(line: &str) -> String {
    let time = line.split_once("\"dt\": \"").and_then(|(_, rest)| rest.split_once('"')).map(|(time, _)| time);
    format!(
        "- {{\"dt\": \"{}\", \"lvl\": \"results\", \"msg\": {{\"definition\": \"lava\", \"case\": \"log-upload\", \
         \"result\": \"fail\"}}}}",
        time.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replacement_of_a_line_keeps_its_time() {
        let line = "- {\"dt\": \"2026-01-01T00:00:00+00:00\", \"lvl\": \"info\", \"msg\": \"…\"}";
        assert_eq!(
            replacement(line),
            "- {\"dt\": \"2026-01-01T00:00:00+00:00\", \"lvl\": \"results\", \"msg\": {\"definition\": \"lava\", \
             \"case\": \"log-upload\", \"result\": \"fail\"}}"
        );
    }

    #[test]
    fn a_line_that_is_not_text_keeps_its_length() {
        assert_eq!(ascii(b"a\xff\xfeb\n"), "a??b\n");
    }
}
