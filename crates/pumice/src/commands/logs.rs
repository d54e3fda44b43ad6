//! `pumice logs`: what a job says.

use std::time::Duration;

use pumice_client::LabClient;
use pumice_record::{LogRecord, Message, read_line};
use pumice_types::{Failure, JobId};
use serde_json::json;

use crate::{
    cli::{Format, lab::LogsArgs},
    exit::Exit,
    lab::{self, asked_of, connect, number_of, wait_for_end},
    terminal::{print, print_error},
};

pub(crate) fn main(args: &LogsArgs) -> Exit {
    lab::exit(logs(args))
}

fn logs(args: &LogsArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let id = number_of(&client, &args.id)?;
    let mut lines = Lines { rest: Vec::new(), any: false, format: args.lab.format };
    if args.follow {
        wait_for_end(&client, id, |piece| lines.take(piece))?;
    } else {
        so_far(&client, id, &mut lines)?;
    }
    if !lines.any {
        let job = asked_of(id, client.job(id))?;
        let more = if job.is_finished() { "left no log" } else { "has no log yet" };
        print_error(&format!("job {0} {more}: it is {1}; `pumice why {0}` says why", job.id, job.state));
    }
    Ok(Exit::Success)
}

fn so_far(client: &LabClient, id: JobId, lines: &mut Lines) -> Result<(), Failure> {
    let mut offset = 0;
    loop {
        let piece = asked_of(id, client.log(id, offset, Duration::ZERO))?;
        lines.take(&piece.bytes);
        offset += piece.bytes.len() as u64;
        if piece.ended || piece.bytes.is_empty() {
            return Ok(());
        }
    }
}

/// Prints a log that comes in pieces, line by line.
struct Lines {
    rest: Vec<u8>,
    /// Whether anything came.
    any: bool,
    format: Format,
}

impl Lines {
    fn take(&mut self, piece: &[u8]) {
        self.any |= !piece.is_empty();
        self.rest.extend_from_slice(piece);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return };
        let after = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, after);
        for line in String::from_utf8_lossy(&whole).lines() {
            match read_line(line) {
                Ok(record) => print(&shown(&record, self.format)),
                Err(_) => print(line),
            }
        }
    }
}

fn shown(record: &LogRecord, format: Format) -> String {
    let message = match &record.message {
        Message::Text(text) => json!(text),
        Message::Structured(value) => value.clone(),
    };
    match (format, &record.message) {
        (Format::Json, _) => {
            json!({ "dt": record.at.to_string(), "lvl": record.level.as_str(), "msg": message }).to_string()
        }
        (Format::Text, Message::Text(text)) => format!("{:8} {text}", record.level.as_str()),
        (Format::Text, Message::Structured(value)) => format!("{:8} {value}", record.level.as_str()),
    }
}
