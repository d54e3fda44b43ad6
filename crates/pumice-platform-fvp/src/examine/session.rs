//! Running the program that is looked at: to its end, or for as long as it is wanted.

use std::time::{Duration, Instant};

use pumice_process::{Child, Command, OutputError, Signal, SpawnError, Status};
use pumice_types::Deadline;
use regex_automata::meta::Regex;
use tokio::io::AsyncReadExt as _;

use super::Subject;
use crate::{consoles::ANNOUNCEMENT, probe::INHERITED};

/// The most that is kept of what it says.
const LIMIT_BYTES: usize = 16 << 20;

/// How long a program that should end by itself may take: models start slowly.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How long the first announcement may take (fastmodels 10, rule 3), and how long the silence is after which no
/// further one is expected.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(300);
const QUIET: Duration = Duration::from_secs(2);

/// A run that ended, or that had to be ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// How; `None` when it did not end by itself.
    pub(super) status: Option<Status>,
    /// All it said.
    pub(super) text: String,
}

impl Ended {
    /// The end in words.
    pub(super) fn shown(&self) -> String {
        self.status.map_or_else(|| "did not end".to_owned(), |status| status.to_string())
    }
}

impl Subject {
    fn command(&self, words: &[&str]) -> Command {
        let library = self.library.as_ref().map(|library| library.as_os_str().to_owned());
        let words = library.into_iter().chain(words.iter().map(Into::into));
        // As it is driven: what holds here must hold in a run. So there is no display (fastmodels 10, rule 2).
        let mut environment = self.host.inherited(&INHERITED);
        environment.extend(self.environment.clone());
        self.host.with_environment(environment).command(&self.program, &[]).args(words)
    }

    /// Runs it to its end.
    pub(super) async fn run(&self, words: &[&str]) -> Result<Ended, OutputError> {
        let deadline = Deadline::after(Instant::now(), PATIENCE, "the look at the model");
        match self.host.guard.output(self.command(words), LIMIT_BYTES, &deadline).await {
            Ok(output) => {
                let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.push_str(&String::from_utf8_lossy(&output.stderr));
                Ok(Ended { status: Some(output.exit.status), text })
            }
            Err(OutputError::Timeout { .. }) => Ok(Ended { status: None, text: String::new() }),
            Err(error) => Err(error),
        }
    }

    /// Starts it on a terminal, and reads until it announced its consoles or ended.
    pub(super) async fn start(&self, words: &[&str]) -> Result<Session, SpawnError> {
        let mut child = self.host.guard.spawn(&self.command(words).on_terminal())?;
        let terminal = child.terminal.take();
        let mut session = Session { child, terminal, text: String::new(), ports: Vec::new() };
        let mut patience = ANNOUNCED_WITHIN;
        while session.read(patience).await {
            session.find_ports();
            patience = if session.ports.is_empty() { ANNOUNCED_WITHIN } else { QUIET };
        }
        Ok(session)
    }
}

/// A model that runs.
pub(super) struct Session {
    child: Child,
    terminal: Option<pumice_process::Terminal>,
    /// All it said so far.
    pub(super) text: String,
    /// Its consoles: the line that announced each, its name and its port.
    pub(super) ports: Vec<(String, String, u16)>,
}

impl Session {
    /// Reads once; `false` when nothing came within `patience`, or nothing will.
    async fn read(&mut self, patience: Duration) -> bool {
        let Some(terminal) = &mut self.terminal else { return false };
        let mut chunk = vec![0; 64 << 10];
        match tokio::time::timeout(patience, terminal.read(&mut chunk)).await {
            Ok(Ok(count)) if count > 0 => {
                self.text.push_str(&String::from_utf8_lossy(&chunk[..count]));
                self.text.len() < LIMIT_BYTES
            }
            _ => false,
        }
    }

    fn find_ports(&mut self) {
        let Ok(regex) = Regex::new(ANNOUNCEMENT) else { return };
        self.ports.clear();
        for line in self.text.lines() {
            for captures in regex.captures_iter(line) {
                let group =
                    |name| captures.get_group_by_name(name).map_or("", |span| &line[span.start..span.end]);
                if let Ok(port) = group("PORT").parse() {
                    self.ports.push((line.trim().to_owned(), group("NAME").to_owned(), port));
                }
            }
        }
    }

    /// Sends a signal, waits for the end, and says how long that took.
    pub(super) async fn end(mut self, signal: Signal) -> (Ended, Duration) {
        let before = self.text.len();
        let began = Instant::now();
        drop(self.child.signal(signal));
        let ended = async {
            // What it says must be taken, or it cannot end (fastmodels 4.4).
            while self.read(PATIENCE).await {}
            self.child.wait().await
        };
        let status = tokio::time::timeout(PATIENCE, ended).await.ok().map(|exit| exit.status);
        let took = began.elapsed();
        let deadline = Deadline::after(Instant::now(), PATIENCE, "the end of the model");
        drop(self.child.kill_all(&deadline).await);
        (Ended { status, text: self.text[before..].to_owned() }, took)
    }

    /// Waits for it to end by itself.
    pub(super) async fn wait(mut self) -> Ended {
        let ended = async {
            while self.read(PATIENCE).await {}
            self.child.wait().await
        };
        let status = tokio::time::timeout(PATIENCE, ended).await.ok().map(|exit| exit.status);
        let deadline = Deadline::after(Instant::now(), PATIENCE, "the end of the model");
        drop(self.child.kill_all(&deadline).await);
        Ended { status, text: std::mem::take(&mut self.text) }
    }
}
