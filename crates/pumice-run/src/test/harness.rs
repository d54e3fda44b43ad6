//! A console in memory with a test on one end and a guest on the other.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pumice_console::{Connection, Console, ConsoleOptions, Unrecorded};
use pumice_job::Variable;
use pumice_types::{Deadline, Failure, Mask, Span, Spanned};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::{
    cx::{Canceller, StepCx},
    report::Reporter,
};

pub(super) fn spanned(text: &str) -> Spanned<String> {
    Spanned { value: text.to_owned(), span: Span::default() }
}

pub(super) fn variable(name: &str, value: &str) -> Variable {
    Variable { name: spanned(name), value: spanned(value) }
}

pub(super) struct Conversation {
    console: Console,
    guest: Option<DuplexStream>,
    reporter: Reporter,
    typed: Arc<Mutex<String>>,
}

impl Conversation {
    pub(super) fn start() -> Self {
        let (connection, guest) = Connection::duplex(64 << 10);
        let console = Console::start("uart", connection, Unrecorded, ConsoleOptions::default()).unwrap();
        let reporter = Reporter::new(Mask::default(), Vec::new());
        Self { console, guest: Some(guest), reporter, typed: Arc::default() }
    }

    /// The guest says this by itself.
    pub(super) async fn say(&mut self, text: &str) {
        self.guest.as_mut().unwrap().write_all(text.as_bytes()).await.unwrap();
    }

    /// The guest closes the console.
    pub(super) fn hang_up(&mut self) {
        self.guest = None;
    }

    /// The guest answers each line that is typed with the next of these texts.
    pub(super) fn answer_lines(&mut self, answers: &[&str]) {
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let (reader, mut writer) = tokio::io::split(self.guest.take().unwrap());
        let typed = Arc::clone(&self.typed);
        tokio::spawn(async move {
            let mut reader = tokio::io::BufReader::new(reader);
            let mut answers = answers.into_iter();
            loop {
                let mut line = Vec::new();
                loop {
                    let Ok(byte) = reader.read_u8().await else { return };
                    line.push(byte);
                    if byte == b'\n' {
                        break;
                    }
                }
                typed.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                if let Some(answer) = answers.next() {
                    writer.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
    }

    pub(super) async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Console, &StepCx) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.run_within(Duration::from_secs(60), work).await
    }

    pub(super) async fn run_within<T>(
        &mut self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut Console, &StepCx) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (_keep, cancel) = Canceller::new();
        let deadline = Deadline::after(Instant::now(), limit, "the test");
        let cx = StepCx::new(self.reporter.clone(), deadline, cancel);
        work(&mut self.console, &cx).await
    }

    /// What was typed.
    pub(super) fn typed(&self) -> String {
        self.typed.lock().unwrap().clone()
    }

    /// `SUITE/CASE RESULT [MEASUREMENT UNITS]` of each.
    pub(super) fn results(&self) -> Vec<String> {
        let text = |logged: pumice_record::export::LoggedResult| {
            let record = logged.record;
            let head = format!("{}/{} {}", record.suite, record.case, record.result);
            let measurement = record.measurement.map(|number| number.to_string());
            [Some(head), measurement, record.units].into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        self.reporter.results().into_iter().map(text).collect()
    }
}
