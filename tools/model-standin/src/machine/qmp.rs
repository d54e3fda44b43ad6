//! QEMU's control channel, as far as it is needed: commands with their answers, and the two events that matter
//! (QEMU Machine Protocol specification, "QMP basics").

use crate::event::{Event, Events};
use crate::journal;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QmpError {
    /// QEMU is gone.
    #[error("QEMU closed its control channel")]
    Closed,
    /// QEMU is busy, perhaps blocked on a serial line that nobody reads.
    #[error("QEMU did not answer in time")]
    Late,
    /// QEMU refuses.
    #[error("QEMU refuses: {0}")]
    Refused(String),
}

/// The client's end.
#[derive(Debug)]
pub(crate) struct Qmp {
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    stream: UnixStream,
    answers: Receiver<Value>,
    number: u64,
}

impl Qmp {
    /// Speaks QMP on `stream`: events go to `events`, and so does the end of QEMU (as [`Event::GuestLost`]).
    pub(super) fn connect(stream: UnixStream, events: Events) -> io::Result<Self> {
        let (sender, answers) = channel();
        let reader = stream.try_clone()?;
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { break };
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                if let Some(name) = message.get("event").and_then(Value::as_str) {
                    notice(name, &message, &events);
                } else if sender.send(message).is_err() {
                    break;
                }
            }
            drop(sender);
            events.send(Event::GuestLost(String::new()));
        });
        Ok(Self { line: Mutex::new(Line { stream, answers, number: 0 }) })
    }

    /// Waits for QEMU to be there and leaves the state in which it takes no commands.
    pub(super) fn greet(&self, patience: Duration) -> Result<(), QmpError> {
        self.execute("qmp_capabilities", &json!({}), patience).map(drop)
    }

    /// Carries out a command.
    pub(super) fn execute(
        &self,
        command: &str,
        arguments: &Value,
        patience: Duration,
    ) -> Result<Value, QmpError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.number += 1;
        let id = json!(line.number);
        let request = json!({ "execute": command, "arguments": arguments, "id": id });
        line.stream.write_all(format!("{request}\n").as_bytes()).map_err(|_| QmpError::Closed)?;
        loop {
            let answer = line.answers.recv_timeout(patience).map_err(|error| match error {
                RecvTimeoutError::Timeout => QmpError::Late,
                RecvTimeoutError::Disconnected => QmpError::Closed,
            })?;
            // The greeting has no id, and an answer that came too late has an old one.
            if answer.get("id") != Some(&id) {
                continue;
            }
            if let Some(error) = answer.get("error") {
                return Err(QmpError::Refused(error.to_string()));
            }
            return Ok(answer.get("return").cloned().unwrap_or(Value::Null));
        }
    }
}

fn notice(name: &str, message: &Value, events: &Events) {
    let by_guest = message.pointer("/data/guest").and_then(Value::as_bool).unwrap_or(false);
    journal::note(&format!("QEMU: {message}"));
    match name {
        "SHUTDOWN" if by_guest => events.send(Event::PowerOff),
        "RESET" if by_guest => events.send(Event::Reset),
        _ => {}
    }
}
