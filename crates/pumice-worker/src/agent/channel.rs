//! A person's way to a job's machines: bytes are copied between the server and the job's control socket, and not looked
//! into (`docs/protocol/worker.md` section 8).

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    sync::mpsc::Sender,
    thread,
    time::Duration,
};

use pumice_api::worker::Epoch;
use pumice_client::{Backoff, ClientError, WorkerClient};

use super::main_loop::Event;
use crate::{clock::boot_millis, job::Directory};

/// How long a request for bytes waits at the server.
const WAIT: Duration = Duration::from_secs(20);
/// How long a server that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves one channel until a side ends it.
pub(crate) fn serve(
    client: WorkerClient,
    epoch: Epoch,
    channel: String,
    directory: Directory,
    events: Sender<Event>,
) {
    let line = Line { client, epoch, channel };
    let spawned = thread::Builder::new().name("channel".to_owned()).spawn(move || {
        match connect(&directory) {
            Ok(socket) => line.copy(&socket),
            Err(error) => {
                tracing::info!("the job's control socket cannot be reached: {error}");
                drop(line.send(0, &[], true));
            }
        }
        drop(events.send(Event::ChannelOver(line.channel)));
    });
    if let Err(error) = spawned {
        tracing::error!("a channel cannot be served: {error}");
    }
}

/// Connects to the control socket. The path of a job's directory may be longer than a socket's name can be, so it is
/// named by way of a descriptor of the directory.
fn connect(directory: &Directory) -> std::io::Result<UnixStream> {
    let folder = std::fs::File::open(directory.path())?;
    UnixStream::connect(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd()))
}

#[derive(Clone)]
struct Line {
    client: WorkerClient,
    epoch: Epoch,
    channel: String,
}

impl Line {
    fn copy(&self, socket: &UnixStream) {
        thread::scope(|scope| {
            scope.spawn(|| {
                self.to_job(socket);
                drop(socket.shutdown(Shutdown::Write));
            });
            self.to_person(socket);
            // Nobody is left to read the answers: what still comes from the person has no use.
            drop(socket.shutdown(Shutdown::Both));
        });
    }

    fn to_person(&self, mut socket: &UnixStream) {
        let mut buffer = vec![0; 1 << 16];
        let mut offset = 0;
        loop {
            let count = socket.read(&mut buffer).unwrap_or(0);
            let end = offset + count as u64;
            // The server keeps little, and may take a part only.
            loop {
                let rest = usize::try_from(end - offset).unwrap_or(0);
                match self.send(offset, &buffer[count - rest..count], count == 0) {
                    Ok(taken) => offset = taken.clamp(offset, end),
                    Err(_) => return,
                }
                if offset == end {
                    break;
                }
            }
            if count == 0 {
                return;
            }
        }
    }

    /// Sends bytes from the job; answers how many the server has.
    fn send(&self, offset: u64, piece: &[u8], end: bool) -> Result<u64, ClientError> {
        let sent = Self::insist(|| self.client.channel_send(self.epoch, &self.channel, offset, piece, end));
        sent.map(|position| position.offset)
    }

    fn to_job(&self, mut socket: &UnixStream) {
        let mut offset = 0;
        loop {
            let received =
                Self::insist(|| self.client.channel_receive(self.epoch, &self.channel, offset, WAIT));
            let Ok(piece) = received else { return };
            if socket.write_all(&piece.bytes).is_err() || piece.ended {
                return;
            }
            offset += piece.bytes.len() as u64;
        }
    }

    /// Asks again while the server cannot be reached, but not for ever: a person does not wait that long.
    fn insist<T>(ask: impl Fn() -> Result<T, ClientError>) -> Result<T, ClientError> {
        let mut backoff = Backoff::new(boot_millis());
        let mut waited = Duration::ZERO;
        loop {
            match ask() {
                Err(error) if error.is_temporary() && waited < PATIENCE => {
                    let pause = backoff.pause();
                    waited += pause;
                    thread::sleep(pause);
                }
                other => return other,
            }
        }
    }
}
