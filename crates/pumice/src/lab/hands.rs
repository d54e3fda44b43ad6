//! The way to a job's control socket: of a run on this host directly, of a lab's job through the server
//! (`docs/protocol/control.md`).

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    path::Path,
};

use pumice_api::control::{Answer, MAX_LINE_BYTES, Request};
use pumice_client::{ChannelReader, ChannelWriter, channel};
use pumice_types::{Cause, Failure, JobId};

use super::{asked, connect, host_refused};
use crate::cli::lab::OfJob;

/// A connection: bytes to the job and from it.
pub(crate) struct Link {
    /// To the job.
    pub(crate) to: Sending,
    /// From the job.
    pub(crate) from: Box<dyn Read + Send>,
}

/// Bytes to a job.
pub(crate) enum Sending {
    Socket(UnixStream),
    Channel(ChannelWriter),
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.write(bytes),
            Self::Channel(channel) => channel.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sending {
    /// Nothing follows.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.shutdown(Shutdown::Write),
            Self::Channel(channel) => channel.finish(),
        }
    }
}

/// Sends a request on a connection of its own, and answers that with what came back.
pub(crate) fn ask(of: &OfJob, request: &Request) -> Result<(Link, Answer), Failure> {
    let mut link = open(of)?;
    let mut line =
        serde_json::to_vec(request).map_err(|error| host_refused("cannot write the request", &error))?;
    line.push(b'\n');
    link.to.write_all(&line).map_err(|error| broken(&error))?;
    let answer = link.answer()?;
    Ok((link, answer))
}

impl Link {
    /// The next answer; a refusal is a failure.
    pub(crate) fn answer(&mut self) -> Result<Answer, Failure> {
        let mut line = Vec::new();
        // One byte at a time: what follows the line is not ours to take.
        let mut byte = [0];
        while line.len() < MAX_LINE_BYTES {
            match self.from.read(&mut byte).map_err(|error| broken(&error))? {
                0 => break,
                _ if byte == *b"\n" => break,
                _ => line.extend(byte),
            }
        }
        if line.is_empty() {
            return Err(Failure::new(Cause::HostRefused, "the job's machines cannot be reached now")
                .hint("a job has machines from its first boot on, until it ends"));
        }
        match serde_json::from_slice(&line) {
            Ok(Answer::Refused { message, hint }) => {
                let mut failure = Failure::new(Cause::CommandFailed, message);
                failure.hint = hint;
                Err(failure)
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(host_refused("the job's answer cannot be read", &error)),
        }
    }
}

/// What broke on the way.
pub(crate) fn broken(error: &io::Error) -> Failure {
    host_refused("the way to the job's machines broke", error)
}

fn open(of: &OfJob) -> Result<Link, Failure> {
    let Ok(id) = of.job.parse() else {
        let socket = local(Path::new(&of.job))
            .map_err(|error| host_refused(&format!("no run can be reached in `{}`", of.job), &error))?;
        let from = socket.try_clone().map_err(|error| broken(&error))?;
        return Ok(Link { to: Sending::Socket(socket), from: Box::new(from) });
    };
    let client = connect(&of.lab)?;
    let opened = asked(client.open_channel(JobId(id)))?;
    let (to, from): (ChannelWriter, ChannelReader) = channel(&client, &opened.channel);
    Ok(Link { to: Sending::Channel(to), from: Box::new(from) })
}

/// The socket in a run's directory, whose path may be longer than a socket's name can be.
fn local(directory: &Path) -> io::Result<UnixStream> {
    let folder = std::fs::File::open(directory)?;
    UnixStream::connect(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd()))
}
