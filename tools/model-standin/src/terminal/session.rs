//! One client on a terminal: its bytes to the guest, the guest's bytes to it.

use super::Terminal;
use super::queue::Session;
use super::telnet::{self, Decoder};
use crate::journal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// How much one write to the client may be.
const CHUNK_BYTES: usize = 64 * 1024;
/// Typing faster than this is lost with the knob `overrun` (mbed-fastmodel-agent's limit, reference 4.4).
const CHARACTERS_PER_SECOND: f64 = 100.0;
/// A PL011 holds this much between two looks of the guest.
const FIFO_CHARACTERS: f64 = 16.0;

/// Serves `stream` in two threads of their own; returns the session.
pub(super) fn start(terminal: &Arc<Terminal>, stream: TcpStream) -> std::io::Result<Session> {
    stream.set_nodelay(true)?;
    // What the kernel holds for a client that does not read comes on top of our own buffer: keep it small.
    rustix::net::sockopt::set_socket_send_buffer_size(&stream, 64 * 1024)?;
    let incoming = stream.try_clone()?;
    let session = terminal.queue.enter();
    let reader = Arc::clone(terminal);
    let writer = Arc::clone(terminal);
    std::thread::spawn(move || {
        receive(&reader, incoming);
        reader.queue.leave(session);
    });
    std::thread::spawn(move || {
        send(&writer, session, &stream);
        writer.queue.leave(session);
        // The peer may be gone already.
        drop(stream.shutdown(Shutdown::Both));
    });
    Ok(session)
}

/// Guest to client.
fn send(terminal: &Terminal, session: Session, mut stream: &TcpStream) {
    if terminal.telnet && stream.write_all(telnet::opening(terminal.traits.negotiation)).is_err() {
        return;
    }
    let mut to_drop = terminal.drop_client_after();
    let mut encoded = Vec::new();
    loop {
        // Exactly as many bytes as the knob says, so that a test can count.
        let most = to_drop
            .and_then(|left| usize::try_from(left).ok())
            .map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let Some(bytes) = terminal.queue.take(session, most.max(1)) else { return };
        encoded.clear();
        let bytes = if terminal.traits.double_cr { double_returns(&bytes) } else { bytes };
        if terminal.telnet {
            telnet::encode(&bytes, &mut encoded);
        } else {
            encoded.extend_from_slice(&bytes);
        }
        if let Err(error) = stream.write_all(&encoded) {
            journal::note(&format!("{}: client lost: {error}", terminal.name));
            return;
        }
        if let Some(left) = to_drop {
            let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if count >= left {
                terminal.client_was_dropped();
                return;
            }
            to_drop = Some(left - count);
        }
    }
}

/// Client to guest.
fn receive(terminal: &Terminal, mut stream: TcpStream) {
    let mut decoder = Decoder::default();
    let mut pace = Pace::default();
    let mut chunk = [0; 1024];
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let received = chunk.get(..count).unwrap_or_default();
        let (mut data, mut answer) = (Vec::new(), Vec::new());
        if terminal.telnet {
            decoder.decode(received, &mut data, &mut answer);
        } else {
            data.extend_from_slice(received);
        }
        if terminal.traits.overrun {
            data.retain(|_| pace.admits(Instant::now()));
        }
        if stream.write_all(&answer).is_err() || (&terminal.near).write_all(&data).is_err() {
            return;
        }
    }
}

/// `\n` of the guest's `\r\n` comes with one more `\r`, as is seen now and then through telnet mode.
fn double_returns(bytes: &[u8]) -> Vec<u8> {
    let mut doubled = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' {
            doubled.push(b'\r');
        }
        doubled.push(byte);
    }
    doubled
}

/// Lets characters in at a limited rate and drops the rest.
#[derive(Debug)]
struct Pace {
    room: f64,
    last: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { room: FIFO_CHARACTERS, last: None }
    }
}

impl Pace {
    fn admits(&mut self, now: Instant) -> bool {
        let passed = self.last.map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        self.last = Some(now);
        self.room = (self.room + passed * CHARACTERS_PER_SECOND).min(FIFO_CHARACTERS);
        if self.room < 1.0 {
            return false;
        }
        self.room -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn input_faster_than_a_hundred_characters_a_second_is_lost() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let burst = (0..100).filter(|_| pace.admits(start)).count();
        assert_eq!(burst, 16);
        let paced = (1..=100).filter(|count| pace.admits(start + Duration::from_millis(20 * count))).count();
        assert_eq!(paced, 100);
    }

    #[test]
    fn returns_are_doubled_before_line_feeds() {
        assert_eq!(double_returns(b"a\r\nb"), b"a\r\r\nb");
    }
}
