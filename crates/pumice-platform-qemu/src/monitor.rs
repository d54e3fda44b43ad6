//! QMP, QEMU's control channel: JSON objects, one a line (QEMU's docs/interop/qmp-spec).

use std::collections::VecDeque;

use pumice_platform::{BoxFuture, MachineState, Monitor, MonitorError, MonitorEvent};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A QMP connection.
#[derive(Default)]
pub(crate) struct Qmp {
    channel: Option<Channel>,
    /// Events that came while an answer was awaited.
    waiting: VecDeque<MonitorEvent>,
}

struct Channel {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Qmp {
    async fn negotiate(&mut self, stream: UnixStream) -> Result<(), MonitorError> {
        let (reader, writer) = stream.into_split();
        self.channel = Some(Channel { lines: BufReader::new(reader).lines(), writer });
        // The greeting comes first; no command but this one is taken before it (section "Capabilities").
        self.command("qmp_capabilities", Value::Null).await?;
        Ok(())
    }

    /// Sends a command and returns its answer; events on the way are kept.
    async fn command(&mut self, command: &str, arguments: Value) -> Result<Value, MonitorError> {
        let mut request = json!({ "execute": command });
        if !arguments.is_null() {
            request["arguments"] = arguments;
        }
        let channel = self.channel.as_mut().ok_or_else(closed)?;
        channel.writer.write_all(format!("{request}\n").as_bytes()).await?;
        loop {
            let message = self.next_message().await?.ok_or_else(closed)?;
            if let Some(answer) = message.get("return") {
                return Ok(answer.clone());
            }
            if let Some(error) = message.get("error") {
                let reason = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(MonitorError::Refused { command: command.to_owned(), reason: reason.to_owned() });
            }
            if let Some(event) = event_of(&message) {
                self.waiting.push_back(event);
            }
        }
    }

    /// The next message, whatever it is; a line that is not JSON is passed over. Cancel-safe.
    async fn next_message(&mut self) -> Result<Option<Value>, MonitorError> {
        let channel = self.channel.as_mut().ok_or_else(closed)?;
        while let Some(line) = channel.lines.next_line().await? {
            if let Ok(message) = serde_json::from_str(&line) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

fn closed() -> MonitorError {
    MonitorError::Channel(std::io::Error::new(std::io::ErrorKind::NotConnected, "it is closed"))
}

fn event_of(message: &Value) -> Option<MonitorEvent> {
    match message.get("event")?.as_str()? {
        "SHUTDOWN" => Some(MonitorEvent::PoweredOff),
        "RESET" => Some(MonitorEvent::Reset),
        "GUEST_PANICKED" => Some(MonitorEvent::Panicked),
        _ => None,
    }
}

impl Monitor for Qmp {
    fn attach(&mut self, stream: UnixStream) -> BoxFuture<'_, Result<(), MonitorError>> {
        Box::pin(self.negotiate(stream))
    }

    fn event(&mut self) -> BoxFuture<'_, MonitorEvent> {
        Box::pin(async {
            loop {
                if let Some(event) = self.waiting.pop_front() {
                    return event;
                }
                if let Ok(Some(message)) = self.next_message().await {
                    self.waiting.extend(event_of(&message));
                } else if self.channel.take().is_some() {
                    return MonitorEvent::Closed;
                } else {
                    std::future::pending::<()>().await;
                }
            }
        })
    }

    fn state(&mut self) -> BoxFuture<'_, Result<MachineState, MonitorError>> {
        Box::pin(async {
            let answer = self.command("query-status", Value::Null).await?;
            Ok(match answer.get("status").and_then(Value::as_str) {
                Some("running") => MachineState::Running,
                Some("shutdown") => MachineState::PoweredOff,
                Some("guest-panicked" | "internal-error" | "io-error") => MachineState::Crashed,
                _ => MachineState::Paused,
            })
        })
    }

    fn quit(&mut self) -> BoxFuture<'_, Result<(), MonitorError>> {
        Box::pin(async { self.command("quit", Value::Null).await.map(drop) })
    }

    fn power_button(&mut self) -> BoxFuture<'_, Result<(), MonitorError>> {
        Box::pin(async { self.command("system_powerdown", Value::Null).await.map(drop) })
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), MonitorError>> {
        Box::pin(async { self.command("system_reset", Value::Null).await.map(drop) })
    }

    fn pause(&mut self) -> BoxFuture<'_, Result<(), MonitorError>> {
        Box::pin(async { self.command("stop", Value::Null).await.map(drop) })
    }

    fn resume(&mut self) -> BoxFuture<'_, Result<(), MonitorError>> {
        Box::pin(async { self.command("cont", Value::Null).await.map(drop) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that greets, then answers each line with the given ones.
    async fn peer(stream: UnixStream, answers: Vec<&'static str>) -> Vec<String> {
        let (reader, mut writer) = stream.into_split();
        writer.write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n").await.unwrap();
        let mut lines = BufReader::new(reader).lines();
        let mut heard = Vec::new();
        for answer in answers {
            heard.push(lines.next_line().await.unwrap().unwrap());
            writer.write_all(answer.as_bytes()).await.unwrap();
        }
        heard
    }

    #[tokio::test]
    async fn events_between_command_and_answer_are_kept() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let answers = vec![
            "{\"return\": {}}\n",
            "{\"event\": \"RESET\"}\n{\"return\": {\"status\": \"running\"}}\n",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\nnot json\n{\"event\": \"SHUTDOWN\"}\n",
        ];
        let peer = tokio::spawn(peer(theirs, answers));
        let mut monitor = Qmp::default();
        monitor.attach(ours).await.unwrap();
        assert_eq!(monitor.state().await.unwrap(), MachineState::Running);
        assert!(matches!(monitor.pause().await, Err(MonitorError::Refused { .. })));
        assert_eq!(monitor.event().await, MonitorEvent::Reset);
        assert_eq!(monitor.event().await, MonitorEvent::PoweredOff);
        let heard = peer.await.unwrap();
        assert_eq!(monitor.event().await, MonitorEvent::Closed);
        assert_eq!(heard.len(), 3);
    }
}
