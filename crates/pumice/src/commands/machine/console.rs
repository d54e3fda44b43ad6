//! A console, followed and typed into.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    thread,
};

use pumice_api::control::{Answer, Request};
use pumice_types::Failure;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{machine, unexpected};
use crate::{
    cli::lab::OfJob,
    lab::{self, Link, ask},
    terminal::print_error,
};

/// Ctrl-], as telnet leaves.
const LEAVE: u8 = 0x1d;

/// Follows a console until it ends, standard input ends, or the person leaves.
pub(super) fn follow(of: &OfJob, write: bool, console: &str) -> Result<(), Failure> {
    let request = Request::Console { machine: machine(of), console: console.to_owned(), write };
    let (Link { mut to, mut from }, Answer::Open) = ask(of, &request)? else { return Err(unexpected()) };
    let raw = if write && io::stdin().is_terminal() {
        print_error("Ctrl-] leaves");
        Raw::enter()
    } else {
        None
    };
    // It ends with the program: nobody can be woken out of reading a terminal.
    thread::spawn(move || {
        let mut typed = [0; 1024];
        let mut input = io::stdin();
        while let Ok(count @ 1..) = input.read(&mut typed) {
            let typed = &typed[..count];
            let left = typed.iter().position(|byte| *byte == LEAVE);
            let wanted = if write { &typed[..left.unwrap_or(count)] } else { &[] };
            if to.write_all(wanted).is_err() || left.is_some() {
                break;
            }
        }
        // One who only follows does not end with an input that was never there.
        if write || io::stdin().is_terminal() {
            // It is over already when this fails.
            let _ = to.finish();
        }
    });
    let mut piece = vec![0; 1 << 16];
    let mut output = io::stdout();
    let copied = loop {
        match from.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                if let Err(error) = output.write_all(&piece[..count]).and_then(|()| output.flush()) {
                    break Err(error);
                }
            }
            Err(error) => break Err(error),
        }
    };
    drop(raw);
    copied.map_err(|error| lab::broken(&error))
}

/// A terminal that hands on every key, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
