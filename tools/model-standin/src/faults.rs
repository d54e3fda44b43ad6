//! Misbehaviour on a timer, and things left behind.

use crate::event::{Event, Events};
use crate::journal;
use crate::knobs::{Crash, Knobs};
use crate::machine;
use crate::output::Output;
use crate::terminal::Terminals;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The hidden first word with which this program is started again as a process to be left behind.
pub(crate) const ORPHAN_WORD: &str = "--stand-in-orphan";

/// Starts whatever the knobs ask for at the start of the simulation.
pub(crate) fn start(knobs: &Knobs, terminals: &Terminals, output: &Arc<Output>, events: &Events) {
    let timer = |after: Option<Duration>, event: Event| {
        let events = events.clone();
        if let Some(after) = after {
            std::thread::spawn(move || {
                std::thread::sleep(after);
                events.send(event);
            });
        }
    };
    timer(knobs.crash_after, Event::Crash);
    timer(knobs.hang_after, Event::Hang);
    if let Some(flood) = knobs.flood
        && let Some(terminal) = terminals.get(flood.terminal)
    {
        let terminal = Arc::clone(terminal);
        std::thread::spawn(move || {
            machine::flood(flood.bytes, |piece| {
                terminal.write(piece);
                Ok(())
            })
        });
    }
    if knobs.stdout_flood > 0 {
        let (output, bytes) = (Arc::clone(output), knobs.stdout_flood);
        std::thread::spawn(move || {
            let line = b"Warning: RD_N2: css.cmn700: Access to reserved memory at 0x00000000\nIn file: (unknown):0\n";
            for _ in 0..bytes.div_ceil(line.len() as u64) {
                output.bytes(line);
            }
        });
    }
}

/// Dies as the knob `crash` says; returns the exit code when that is an exit.
pub(crate) fn crash(crash: Crash, output: &Output) -> u8 {
    let signal = match crash {
        Crash::Segfault => Signal::SEGV,
        Crash::Abort => Signal::ABORT,
        Crash::Exception => {
            output.print(
                "\nError: (E549) uncaught exception: libarmctmodel.so: cannot enable executable stack as shared \
                 object requires: Invalid argument\nIn file: sc_except.cpp:100\n",
            );
            output.flush();
            return 1;
        }
    };
    // The first one may be taken by the handler that the Rust runtime has for stack overflows, which then steps aside.
    for _ in 0..100 {
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        std::thread::sleep(Duration::from_millis(1));
    }
    139
}

/// Starts a process that outlives this one.
pub(crate) fn leave_orphan(knobs: &Knobs) {
    let Some(duration) = knobs.orphan else { return };
    let mut command = Command::new("/proc/self/exe");
    command.args([ORPHAN_WORD, &duration.as_secs_f64().to_string()]);
    command.arg(if knobs.orphan_own_session { "own" } else { "shared" });
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // It starts another, says which, and ends; that other belongs to nobody.
    let told = command.spawn().and_then(|mut child| {
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        child.wait().map(|_| line)
    });
    match told {
        Ok(line) => journal::note(&format!("orphan is {}", line.trim())),
        Err(error) => journal::note(&format!("orphan: {error}")),
    }
}

/// The process left behind: the first one of two starts the second and ends, the second sleeps.
pub(crate) fn orphan_main(words: &[String]) {
    let seconds = words.first().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    match words.get(1).map(String::as_str) {
        Some(session @ ("own" | "shared")) => {
            if session == "own" {
                let _ = rustix::process::setsid();
            }
            let mut command = Command::new("/proc/self/exe");
            command.args([ORPHAN_WORD, &seconds.to_string()]);
            if let Ok(child) = command.spawn() {
                // Read by the one that started us.
                let _ = writeln!(std::io::stdout(), "{}", child.id());
            }
        }
        _ => std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
    }
}
