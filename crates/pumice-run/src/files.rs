//! The files a run leaves in its output directory: the log while it goes on, the rest in the end.

use std::{
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use pumice_plan::{Plan, TreeStep};
use pumice_record::{
    DescribedStep, JobResult, LogLevel, LogRecord, Message,
    export::{JobReport, JunitStyle, write_json, write_junit, write_tap},
    write_description, write_line, write_result,
};
use pumice_types::{CaseResult, Mask};

use crate::{Outcome, report::Sink};

/// The most bytes of what consoles say in the log. A guest that floods its console must not fill the disk; the
/// transcript has a limit of its own.
const CONSOLE_LIMIT_BYTES: u64 = 512 << 20;

/// The most bytes of lines that wait in memory for a disk that takes nothing.
const WAITING_BYTES: usize = 4 << 20;

/// Is told why a line could not be written.
type Tell = Box<dyn FnOnce(&io::Error) + Send>;

/// Writes `logs.yaml`, LAVA's log: one record a line, each begun by `- ` (lava-compat 3.2).
pub struct LogFile {
    file: File,
    room_bytes: u64,
    dropped: u64,
    /// The line that is being written, kept for its room.
    text: String,
    /// The length of the file's whole lines.
    whole_bytes: u64,
    /// Lines that the disk did not take yet.
    waiting: Vec<u8>,
    /// Told once, of the first line that could not be written.
    on_failure: Option<Tell>,
}

impl LogFile {
    /// Begins `logs.yaml` in `directory`.
    pub fn create(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let file = File::create(directory.join("logs.yaml"))?;
        Ok(Self {
            file,
            room_bytes: CONSOLE_LIMIT_BYTES,
            dropped: 0,
            text: String::new(),
            whole_bytes: 0,
            waiting: Vec::new(),
            on_failure: None,
        })
    }

    /// Calls `tell` once when a line cannot be written: a run whose results are not kept must not go on as if they were.
    #[must_use]
    pub fn on_failure(mut self, tell: impl FnOnce(&io::Error) + Send + 'static) -> Self {
        self.on_failure = Some(Box::new(tell));
        self
    }

    /// Writes what waits and then the present line. What the disk does not take waits on; the file has whole lines only.
    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            let written = self.file.write_all(self.text.as_bytes());
            if written.is_ok() {
                self.whole_bytes += self.text.len() as u64;
                return Ok(());
            }
            self.waiting.extend_from_slice(self.text.as_bytes());
            self.cut()?;
            return written;
        }
        self.waiting.extend_from_slice(self.text.as_bytes());
        self.write_waiting()
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.write_all(&self.waiting) {
            self.cut()?;
            return Err(error);
        }
        self.whole_bytes += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Takes away what was written of a line that is not whole.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.whole_bytes)?;
        self.file.seek(SeekFrom::Start(self.whole_bytes)).map(drop)
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        // There may be room by now: the machines are gone, and their files.
        if !self.waiting.is_empty() {
            drop(self.write_waiting());
        }
    }
}

impl Sink for LogFile {
    fn record(&mut self, _index: u64, record: &LogRecord) {
        let is_console = matches!(record.level, LogLevel::Target | LogLevel::Feedback);
        self.text.clear();
        self.text.push_str("- ");
        write_line(record, &Mask::default(), &mut self.text);
        if is_console {
            let bytes = self.text.len() as u64;
            if self.room_bytes < bytes || self.waiting.len() > WAITING_BYTES {
                // The line stays, so that results still point to the right places, but it is empty.
                self.dropped += 1;
                let mut empty = record.clone();
                empty.message = Message::Text(String::new());
                self.text.truncate(2);
                write_line(&empty, &Mask::default(), &mut self.text);
            } else {
                self.room_bytes -= bytes;
            }
        }
        self.text.push('\n');
        if let Err(error) = self.write()
            && let Some(tell) = self.on_failure.take()
        {
            tell(&error);
        }
    }
}

/// Writes `description.yaml` as soon as the plan is known: the tree of steps (lava-compat 3.2).
pub fn write_plan(directory: &Path, plan: &Plan, mask: &Mask) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let steps: Vec<_> = plan.tree().iter().map(described).collect();
    fs::write(directory.join("description.yaml"), write_description(&steps, mask))
}

fn described(step: &TreeStep<'_>) -> DescribedStep {
    DescribedStep {
        class: class_name(&step.scope.name),
        name: step.scope.name.clone(),
        level: step.scope.level.to_string(),
        max_retries: step.scope.tries.map_or(1, |tries| tries.count),
        description: step.summary.clone(),
        summary: step.summary.clone(),
        timeout: step.scope.timeout,
        url: None,
        children: step.steps.iter().map(described).collect(),
    }
}

/// LAVA's class names are made of the step's name; tools show them, none depends on them.
fn class_name(step: &str) -> String {
    let words = step.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    words.chain(["Action".to_owned()]).collect()
}

/// Writes the results as JSON, JUnit and TAP: `results.json`, `results.xml`, `results.tap`.
pub fn write_results(directory: &Path, report: &JobReport) -> io::Result<()> {
    let mask = Mask::default();
    fs::write(directory.join("results.json"), write_json(report, &mask))?;
    let style = JunitStyle { class_prefix: None, unknown_passes: false };
    fs::write(directory.join("results.xml"), write_junit(report, style, &mask))?;
    fs::write(directory.join("results.tap"), write_tap(report, &mask))
}

/// Writes `result.yaml`, LAVA's last word on a job; the last file it writes (lava-compat 3.2).
pub fn write_outcome(directory: &Path, outcome: &Outcome) -> io::Result<PathBuf> {
    let result = if outcome.failure.is_none() { CaseResult::Pass } else { CaseResult::Fail };
    let failure = outcome.failure.as_ref();
    let text = write_result(
        &JobResult {
            result,
            error_msg: failure.map(|failure| failure.message.clone()),
            error_type: failure.map(|failure| failure.fault.lava_name().to_owned()),
        },
        &Mask::default(),
    );
    let path = directory.join("result.yaml");
    fs::write(&path, text)?;
    Ok(path)
}
