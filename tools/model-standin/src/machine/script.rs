//! The words of a scripted guest, which plays the part of a kernel where none is needed.
//!
//! One action a line; `#` starts a comment; texts are in double quotes with `\r \n \t \e \" \\ \xNN`. Serial lines are
//! numbered as the guest numbers its UARTs.
//!
//! ```text
//! say 0 "login: "            writes to a serial line
//! repeat 0 1000 "line %\r\n" writes that often; % is the number, from 1
//! flood 1 1GiB               writes so much of a log
//! expect 0 "root"            waits until that was typed
//! echo 0 off                 what is typed is no longer sent back (it is at first)
//! sleep 0.5                  waits so many simulated seconds
//! print "text\n"             semihosting output
//! nor 1 0x100 "text"         writes to the second flash device
//! background ACTION          goes on without waiting for it
//! reboot | poweroff | exit CODE | halt
//! ```
//!
//! At the end of the script the guest is idle and goes on echoing.

use crate::knobs::size;
use std::time::Duration;

/// One action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Say { line: usize, text: Vec<u8> },
    Repeat { line: usize, count: u64, text: Vec<u8> },
    Flood { line: usize, bytes: u64 },
    Expect { line: usize, text: Vec<u8> },
    Echo { line: usize, on: bool },
    Sleep(Duration),
    Print(Vec<u8>),
    Nor { device: usize, offset: u64, text: Vec<u8> },
    Background(Box<Action>),
    Reboot,
    PowerOff,
    Exit(i32),
    Halt,
}

/// A line that is no action.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {number}: `{line}` is no action of a script")]
pub(crate) struct ScriptError {
    number: usize,
    line: String,
}

/// Reads a whole script.
pub(super) fn parse(text: &str) -> Result<Vec<Action>, ScriptError> {
    let mut actions = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let action = action(line).ok_or_else(|| ScriptError { number: index + 1, line: line.to_owned() })?;
        actions.push(action);
    }
    Ok(actions)
}

fn action(line: &str) -> Option<Action> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    Some(match word {
        "say" => {
            let (line, text) = number_and(rest)?;
            Action::Say { line, text: quoted(text)? }
        }
        "repeat" => {
            let (line, rest) = number_and(rest)?;
            let (count, text) = rest.split_once(char::is_whitespace)?;
            Action::Repeat { line, count: count.parse().ok()?, text: quoted(text.trim())? }
        }
        "flood" => {
            let (line, amount) = number_and(rest)?;
            Action::Flood { line, bytes: size(amount).ok()? }
        }
        "expect" => {
            let (line, text) = number_and(rest)?;
            Action::Expect { line, text: quoted(text)? }
        }
        "echo" => {
            let (line, word) = number_and(rest)?;
            Action::Echo { line, on: word == "on" }
        }
        "sleep" => Action::Sleep(Duration::try_from_secs_f64(rest.parse().ok()?).ok()?),
        "print" => Action::Print(quoted(rest)?),
        "nor" => {
            let (device, rest) = number_and(rest)?;
            let (offset, text) = rest.split_once(char::is_whitespace)?;
            let offset = u64::try_from(crate::model::read_int(offset)?).ok()?;
            Action::Nor { device, offset, text: quoted(text.trim())? }
        }
        "background" => Action::Background(Box::new(action(rest)?)),
        "reboot" => Action::Reboot,
        "poweroff" => Action::PowerOff,
        "exit" => Action::Exit(rest.parse().ok()?),
        "halt" => Action::Halt,
        _ => return None,
    })
}

fn number_and(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = text.split_once(char::is_whitespace)?;
    Some((number.parse().ok()?, rest.trim()))
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut inner = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut bytes = Vec::new();
    while let Some(letter) = inner.next() {
        let plain = match (letter, if letter == '\\' { inner.next()? } else { letter }) {
            ('\\', 'r') => '\r',
            ('\\', 'n') => '\n',
            ('\\', 't') => '\t',
            ('\\', 'e') => '\u{1b}',
            ('\\', 'x') => {
                let digits: String = inner.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).ok()?);
                continue;
            }
            (_, plain) => plain,
        };
        bytes.extend(plain.to_string().as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read() {
        let script = "# a guest\n\nsay 0 \"a\\r\\n\\xff\\\"\"\nrepeat 1 3 \"%\"\nbackground flood 1 1KiB\n\
                      nor 1 0x10 \"v\"\nexit 77\n";
        assert_eq!(
            parse(script).unwrap(),
            [
                Action::Say { line: 0, text: b"a\r\n\xff\"".to_vec() },
                Action::Repeat { line: 1, count: 3, text: b"%".to_vec() },
                Action::Background(Box::new(Action::Flood { line: 1, bytes: 1024 })),
                Action::Nor { device: 1, offset: 16, text: b"v".to_vec() },
                Action::Exit(77),
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_action_is_named() {
        for line in ["say 0 hello", "fly", "exit now", "background fly"] {
            let text = parse(&format!("halt\n{line}\n")).unwrap_err().to_string();
            assert_eq!(text, format!("line 2: `{line}` is no action of a script"));
        }
    }
}
