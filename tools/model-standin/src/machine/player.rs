//! Playing a script on the guest's ends of the serial lines.

use super::clock::GuestClock;
use super::script::{Action, ScriptError, parse};
use crate::event::{Event, Events};
use crate::journal;
use crate::output::Output;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A script that cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlayError {
    #[error("cannot read the script: {0}")]
    Read(#[from] io::Error),
    #[error("{0}")]
    Script(#[from] ScriptError),
}

/// One serial line, from the guest's end.
#[derive(Debug)]
struct SerialLine {
    far: UnixStream,
    typed: Mutex<Typed>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Typed {
    bytes: Vec<u8>,
    echo: bool,
}

/// A gate that everything the guest does passes through.
#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self) {
        let mut closed = self.lock();
        while *closed {
            closed = self.changed.wait(closed).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn set(&self, closed: bool) {
        *self.lock() = closed;
        self.changed.notify_all();
    }
}

/// A guest that a script plays.
#[derive(Debug)]
pub(crate) struct Player {
    stage: Arc<Stage>,
    actions: Vec<Action>,
}

#[derive(Debug)]
struct Stage {
    lines: Vec<SerialLine>,
    flash: [Option<Mutex<File>>; 2],
    gate: Gate,
    slow: f64,
    output: Arc<Output>,
    events: Events,
}

impl Player {
    /// Reads a script; the guest stands still until [`Player::play`].
    pub(super) fn new(
        script: &Path,
        lines: Vec<UnixStream>,
        flash: [Option<File>; 2],
        slow: f64,
        output: &Arc<Output>,
        events: &Events,
    ) -> Result<Self, PlayError> {
        let actions = parse(&std::fs::read_to_string(script)?)?;
        let line = |far| SerialLine {
            far,
            typed: Mutex::new(Typed { bytes: Vec::new(), echo: true }),
            arrived: Condvar::new(),
        };
        let stage = Stage {
            lines: lines.into_iter().map(line).collect(),
            flash: flash.map(|file| file.map(Mutex::new)),
            gate: Gate::default(),
            slow,
            output: Arc::clone(output),
            events: events.clone(),
        };
        Ok(Self { stage: Arc::new(stage), actions })
    }

    /// Plays the script in a thread of its own.
    pub(super) fn play(&mut self, clock: &GuestClock) {
        clock.start();
        for index in 0..self.stage.lines.len() {
            let stage = Arc::clone(&self.stage);
            std::thread::spawn(move || stage.listen(index));
        }
        let (stage, actions) = (Arc::clone(&self.stage), std::mem::take(&mut self.actions));
        std::thread::spawn(move || {
            for action in &actions {
                if let Err(error) = Stage::perform(&stage, action) {
                    journal::note(&format!("script: {action:?}: {error}"));
                    return;
                }
            }
        });
    }

    /// Lets the guest stand still, or go on.
    pub(super) fn hold(&self, still: bool) {
        self.stage.gate.set(still);
    }
}

impl Stage {
    fn line(&self, number: usize) -> io::Result<&SerialLine> {
        self.lines.get(number).ok_or_else(|| io::Error::other("the model has no such serial line"))
    }

    /// Writes, in pieces that a closed gate can stop between.
    fn write(&self, line: usize, bytes: &[u8]) -> io::Result<()> {
        let mut far = &self.line(line)?.far;
        for piece in bytes.chunks(4096) {
            self.gate.pass();
            far.write_all(piece)?;
        }
        Ok(())
    }

    /// Takes in what is typed.
    fn listen(&self, index: usize) {
        let Ok(line) = self.line(index) else { return };
        let mut chunk = [0; 1024];
        while let Ok(count @ 1..) = (&line.far).read(&mut chunk) {
            self.gate.pass();
            let bytes = chunk.get(..count).unwrap_or_default();
            let mut typed = line.typed.lock().unwrap_or_else(PoisonError::into_inner);
            typed.bytes.extend_from_slice(bytes);
            let echo = typed.echo;
            drop(typed);
            line.arrived.notify_all();
            if echo && (&line.far).write_all(bytes).is_err() {
                return;
            }
        }
    }

    fn perform(stage: &Arc<Self>, action: &Action) -> io::Result<()> {
        stage.gate.pass();
        match action {
            Action::Say { line, text } => stage.write(*line, text)?,
            Action::Repeat { line, count, text } => {
                let pieces: Vec<&[u8]> = text.split(|&byte| byte == b'%').collect();
                for number in 1..=*count {
                    stage.write(*line, &pieces.join(number.to_string().as_bytes()))?;
                }
            }
            Action::Flood { line, bytes } => flood(*bytes, |piece| stage.write(*line, piece))?,
            Action::Expect { line, text } => stage.expect(*line, text)?,
            Action::Echo { line, on } => {
                stage.line(*line)?.typed.lock().unwrap_or_else(PoisonError::into_inner).echo = *on;
            }
            Action::Sleep(duration) => std::thread::sleep(duration.mul_f64(stage.slow)),
            Action::Print(text) => stage.output.bytes(text),
            Action::Nor { device, offset, text } => stage.write_flash(*device, *offset, text)?,
            Action::Background(action) => {
                let (stage, action) = (Arc::clone(stage), action.clone());
                std::thread::spawn(move || {
                    if let Err(error) = Self::perform(&stage, &action) {
                        journal::note(&format!("script: {action:?}: {error}"));
                    }
                });
            }
            Action::Reboot => stage.events.send(Event::Reset),
            Action::PowerOff => {
                stage.events.send(Event::PowerOff);
                stage.gate.set(true);
            }
            Action::Exit(code) => {
                stage.events.send(Event::SemihostingExit(*code));
                stage.gate.set(true);
            }
            Action::Halt => stage.gate.set(true),
        }
        Ok(())
    }

    /// Waits until `text` was typed, and forgets what was typed up to there.
    fn expect(&self, line: usize, text: &[u8]) -> io::Result<()> {
        let line = self.line(line)?;
        let mut typed = line.typed.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let found = typed.bytes.windows(text.len().max(1)).position(|window| window == text);
            if let Some(at) = found {
                typed.bytes.drain(..at + text.len());
                return Ok(());
            }
            typed = line.arrived.wait(typed).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write_flash(&self, device: usize, offset: u64, text: &[u8]) -> io::Result<()> {
        let flash = self.flash.get(device).and_then(Option::as_ref);
        let flash = flash.ok_or_else(|| io::Error::other("the model has no such flash"))?;
        let mut file = flash.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(text)
    }
}

/// Writes so many bytes of kernel log, in whole lines but for the last.
pub(crate) fn flood(bytes: u64, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let line = b"[    1.234567] stand-in: a log that nobody asked for, written as fast as it is read\r\n";
    let block = line.repeat(512);
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        write(block.get(..count).unwrap_or_default())?;
        left -= u64::try_from(count).unwrap_or(left);
    }
    Ok(())
}
