//! Speaks to a run about its machines (`docs/protocol/control.md`): to one on this host through its socket, to one of a lab
//! through a channel that server and worker pass on. What is said is the same.

mod channel;
mod keyboard;

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read, Write},
    net::Shutdown,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    path::Path,
};

use pumice_api::control::{Answer, Done, Request, Wish};
use pumice_types::{Cause, Failure};
use serde::de::DeserializeOwned;

pub(crate) use keyboard::{Keyboard, is_terminal};

use crate::{
    cli::{JobName, lab::LabArgs},
    lab,
};

/// The end of a link that is written to.
pub(crate) trait LinkWriter: Write + Send {
    /// Says that nothing follows.
    fn finish(&mut self) -> io::Result<()>;
    /// Ends the link in both directions.
    fn hang_up(&mut self);
}

/// A way to a run.
pub(crate) struct Link {
    reader: BufReader<Box<dyn Read + Send>>,
    pub(crate) writer: Box<dyn LinkWriter>,
}

impl LinkWriter for UnixStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn hang_up(&mut self) {
        // It may be over already.
        drop(self.shutdown(Shutdown::Both));
    }
}

/// Opens a link: to a job of the lab when `target` is a job's number, else to the run whose directory it is.
pub(crate) fn connect(target: &str, lab: &LabArgs) -> Result<Link, Failure> {
    let Ok(name) = target.parse::<JobName>() else { return local(Path::new(target)) };
    let client = lab::connect(lab)?;
    let id = lab::number_of(&client, &name)?;
    channel::open(client, id)
}

/// To a run of this host. A socket's name holds 108 bytes (unix(7)), so that it is named by way of a descriptor.
fn local(directory: &Path) -> Result<Link, Failure> {
    let connect = || {
        let folder = File::open(directory)?;
        let stream = UnixStream::connect(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd()))?;
        Ok::<_, io::Error>((stream.try_clone()?, stream))
    };
    match connect() {
        Ok((reader, writer)) => Ok(Link::new(Box::new(reader), Box::new(writer))),
        Err(error) => {
            let message = format!("no run can be reached in `{}`: {error}", directory.display());
            Err(Failure::new(Cause::HostRefused, message)
                .hint("name the output directory of a run that goes on, or the number of a job of the lab"))
        }
    }
}

impl Link {
    fn new(reader: Box<dyn Read + Send>, writer: Box<dyn LinkWriter>) -> Self {
        Self { reader: BufReader::new(reader), writer }
    }

    /// Says what is wanted, and waits for the answer.
    pub(crate) fn ask(&mut self, wish: Wish, machine: Option<&str>) -> Result<Done, Failure> {
        let mut line = serde_json::to_vec(&Request::new(wish, machine.map(str::to_owned)))
            .map_err(|error| broken(&error))?;
        line.push(b'\n');
        self.writer.write_all(&line).and_then(|()| self.writer.flush()).map_err(|error| broken(&error))?;
        self.answer()
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Result<Done, Failure> {
        match self.line::<Answer>()? {
            Some(Answer::Ok(done)) => Ok(done),
            Some(Answer::Error(refused)) => Err(failure(refused)),
            None => Err(Failure::new(Cause::HostRefused, "the run hung up before it answered")
                .hint("it may have ended: look at its log")),
        }
    }

    /// The next line; `None` at the end.
    pub(crate) fn line<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => serde_json::from_str(&line).map(Some).map_err(|error| broken(&error)),
            Err(error) => Err(broken(&error)),
        }
    }

    /// The bytes that follow the answer, and the end that is written to.
    pub(crate) fn split(self) -> (impl Read + Send, Box<dyn LinkWriter>) {
        (self.reader, self.writer)
    }
}

/// What a run refused.
pub(crate) fn failure(refused: pumice_api::control::Refused) -> Failure {
    let failure = Failure::new(Cause::CommandFailed, refused.message);
    match refused.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The way to the run broke.
pub(crate) fn broken(error: &dyn std::error::Error) -> Failure {
    Failure::new(Cause::HostRefused, format!("the way to the run broke: {error}"))
}
