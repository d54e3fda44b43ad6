//! What a UART does besides talking to its terminal: copies to and from files, and words that end the simulation
//! (reference, section 3.1).

use crate::journal;
use crate::model::Parameters;
use crate::output::Output;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

/// Where `out_file` leads.
#[derive(Debug)]
enum Copy {
    File(BufWriter<File>),
    Stdout(Arc<Output>),
}

/// Looks at everything the guest writes.
#[derive(Debug)]
pub(super) struct Uart {
    copy: Option<Copy>,
    unbuffered: bool,
    shutdown_on_eot: bool,
    shutdown_tag: Vec<u8>,
    /// The end of what was written, one byte shorter than the tag.
    tail: Vec<u8>,
}

impl Uart {
    /// Opens `out_file`, if one is asked for.
    pub(super) fn open(parameters: &Parameters, path: &str, output: &Arc<Output>) -> io::Result<Self> {
        let name = |parameter: &str| format!("{path}.{parameter}");
        let copy = match parameters.text(&name("out_file")) {
            "" => None,
            "-" => Some(Copy::Stdout(Arc::clone(output))),
            file => Some(Copy::File(BufWriter::new(File::create(file)?))),
        };
        Ok(Self {
            copy,
            unbuffered: parameters.flag(&name("unbuffered_output")),
            shutdown_on_eot: parameters.flag(&name("shutdown_on_eot")),
            shutdown_tag: parameters.text(&name("shutdown_tag")).replace("\\x04", "\x04").into_bytes(),
            tail: Vec::new(),
        })
    }

    /// Takes note of output; true when it ends the simulation.
    pub(super) fn observe(&mut self, bytes: &[u8]) -> bool {
        match &mut self.copy {
            None => {}
            Some(Copy::Stdout(output)) => output.bytes(bytes),
            Some(Copy::File(file)) => {
                let written = file.write_all(bytes);
                let flushed = if self.unbuffered { file.flush() } else { Ok(()) };
                if let Err(error) = written.and(flushed) {
                    journal::note(&format!("out_file: {error}"));
                }
            }
        }
        let ends = self.shutdown_on_eot && bytes.contains(&4);
        ends || self.completes_tag(bytes)
    }

    fn completes_tag(&mut self, bytes: &[u8]) -> bool {
        if self.shutdown_tag.is_empty() {
            return false;
        }
        self.tail.extend_from_slice(bytes);
        let found = self.tail.windows(self.shutdown_tag.len()).any(|window| window == self.shutdown_tag);
        let surplus = self.tail.len().saturating_sub(self.shutdown_tag.len() - 1);
        self.tail.drain(..surplus);
        found
    }

    /// Writes out what `out_file` still has to get.
    pub(super) fn close(&mut self) {
        if let Some(Copy::File(file)) = &mut self.copy
            && let Err(error) = file.flush()
        {
            journal::note(&format!("out_file: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tag: &str, eot: bool, pieces: &[&str], expected: &[bool]) {
        let mut uart = Uart {
            copy: None,
            unbuffered: false,
            shutdown_on_eot: eot,
            shutdown_tag: tag.as_bytes().to_vec(),
            tail: Vec::new(),
        };
        let found: Vec<_> = pieces.iter().map(|piece| uart.observe(piece.as_bytes())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_tag_ends_the_simulation_however_it_is_cut() {
        check("EXITTHESIM", false, &["x EXIT", "THE", "SIM y"], &[false, false, true]);
        check("EXITTHESIM", false, &["EXITTHE SIM"], &[false]);
        check("", true, &["a", "b\x04"], &[false, true]);
        check("", false, &["\x04"], &[false]);
    }
}
