//! Clients that the model starts by itself, and one that comes uninvited.

use crate::journal;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starts `command`, with `%port` and `%title` filled in, or else telnet in an xterm, through a shell as the model
/// does; what the shell complains of (`sh: 1: xterm: not found`) comes out of the model's standard error.
pub(super) fn client(command: &str, title: &str, port: u16) {
    let command = if command.is_empty() {
        format!("xterm -title '{title}' -e telnet 127.0.0.1 {port}")
    } else {
        command.replace("%port", &port.to_string()).replace("%title", title)
    };
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(&command).stdin(Stdio::null());
    match shell.spawn() {
        // Its end is of no interest, but somebody has to wait for it.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => journal::note(&format!("{command}: {error}")),
    }
}

/// Takes the only client's slot of a terminal, for some time or for ever (knob `steal`).
pub(super) fn steal(port: u16, how_long: Option<Duration>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(how_long)?;
    std::thread::spawn(move || {
        let started = std::time::Instant::now();
        let mut chunk = [0; 4096];
        while how_long.is_none_or(|how_long| started.elapsed() < how_long) {
            if matches!(stream.read(&mut chunk), Ok(0) | Err(_)) {
                break;
            }
        }
    });
    Ok(())
}
