//! The terminal as a console's keyboard.

use std::io::{self, IsTerminal as _, Read as _};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Leaves the console: Ctrl-], as telnet(1) has it.
const LEAVE: u8 = 0x1d;

/// Standard input with every key passed on as it is, until this is dropped.
pub(crate) struct Keyboard {
    before: Option<Termios>,
}

/// Whether a person types.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

impl Keyboard {
    /// Takes the terminal over, where standard input is one.
    pub(crate) fn take() -> Self {
        let before = is_terminal().then(|| tcgetattr(io::stdin()).ok()).flatten();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            // What cannot be set stays as it was.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &raw);
        }
        Self { before }
    }

    /// What is typed next; `None` when the person leaves or the input has ended.
    pub(crate) fn typed(is_person: bool) -> Option<Vec<u8>> {
        let mut keys = [0; 1024];
        let count = io::stdin().read(&mut keys).ok().filter(|count| *count > 0)?;
        let keys = &keys[..count];
        if !is_person {
            return Some(keys.to_vec());
        }
        match keys.iter().position(|key| *key == LEAVE) {
            Some(0) => None,
            Some(end) => Some(keys[..end].to_vec()),
            None => Some(keys.to_vec()),
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
