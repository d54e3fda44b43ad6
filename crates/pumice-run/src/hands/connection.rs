//! One connection to the control socket: one request.

use std::{
    io,
    time::{Duration, Instant},
};

use pumice_api::control::{Answer, MAX_LINE_BYTES, Request};
use pumice_console::Tapped;
use pumice_types::{Deadline, Failure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{Hands, What, guest_file::GuestFile, refused};

/// How much of what a console said last is shown to whoever begins to follow it.
const TAIL_BYTES: usize = 1024;

/// How long a console may take what somebody typed.
const TYPING: Duration = Duration::from_secs(60);

struct Connection<'h> {
    hands: &'h Hands,
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
}

/// Serves one.
pub(super) async fn serve(stream: UnixStream, hands: &Hands) -> io::Result<()> {
    let (from, to) = stream.into_split();
    let mut connection = Connection { hands, from: BufReader::new(from), to };
    let mut line = String::new();
    (&mut connection.from).take(MAX_LINE_BYTES as u64).read_line(&mut line).await?;
    let served = match serde_json::from_str(&line) {
        Ok(request) => connection.serve(request).await?,
        Err(error) => Err(refused(&format!("the request cannot be read: {error}"))),
    };
    if let Err(failure) = served {
        let answer = Answer::Refused { message: failure.message, hint: failure.hint };
        connection.answer(&answer).await?;
    }
    connection.to.shutdown().await
}

type Served = io::Result<Result<(), Failure>>;

/// Leaves the enclosing function with a refusal.
macro_rules! or_refuse {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(failure) => return Ok(Err(failure)),
        }
    };
}

impl Connection<'_> {
    async fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.to.write_all(&line).await
    }

    async fn serve(&mut self, request: Request) -> Served {
        match request {
            Request::List => {
                let machines = self.hands.machines();
                self.answer(&machines).await?;
                Ok(Ok(()))
            }
            Request::Start { machine } => self.wish(&machine, What::Start).await,
            Request::Stop { machine } => self.wish(&machine, What::Stop).await,
            Request::Restart { machine } => self.wish(&machine, What::Restart).await,
            Request::Release => self.wish("", What::Release).await,
            Request::Console { machine, console, write } => self.console(&machine, &console, write).await,
            Request::Push { machine, path, size, sha256 } => self.push(&machine, &path, size, &sha256).await,
            Request::Pull { machine, path, offset } => self.pull(&machine, &path, offset).await,
            Request::Exec { machine, command } => self.exec(&machine, &command).await,
        }
    }

    async fn wish(&mut self, machine: &str, what: What) -> Served {
        or_refuse!(self.hands.wish(machine, what).await);
        self.answer(&Answer::Done).await?;
        Ok(Ok(()))
    }

    async fn console(&mut self, machine: &str, console: &str, write: bool) -> Served {
        let line = or_refuse!(self.hands.line(machine, console));
        let mut tap = line.sender.tap();
        let writing = if write {
            let message = "somebody else types into this console";
            Some(or_refuse!(line.write().ok_or_else(|| refused(message).hint("follow it without --write"))))
        } else {
            None
        };
        self.answer(&Answer::Open).await?;
        self.to.write_all(&line.sender.tail(TAIL_BYTES)).await?;
        let mut typed = vec![0; 4096];
        loop {
            tokio::select! {
                piece = tap.next() => match piece {
                    Some(Tapped::Bytes(bytes)) => self.to.write_all(&bytes).await?,
                    Some(Tapped::Missed(count)) => {
                        let note = format!("\r\n[{count} pieces came faster than they were taken and are left out]\r\n");
                        self.to.write_all(note.as_bytes()).await?;
                    }
                    None => return Ok(Ok(())),
                },
                count = self.from.read(&mut typed) => {
                    let count = count?;
                    if count == 0 {
                        return Ok(Ok(()));
                    }
                    if writing.is_some() {
                        let deadline = Deadline::after(Instant::now(), TYPING, "the person who types");
                        if line.sender.send(&typed[..count], &deadline).await.is_err() {
                            return Ok(Ok(()));
                        }
                    }
                }
                // A machine that is stopped says nothing more, and its console may not be told so by anybody else.
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    if line.sender.is_closed() {
                        return Ok(Ok(()));
                    }
                }
            }
        }
    }

    /// The bytes go to a file beside the wanted one, which takes its place once it is whole and right: what was there stays
    /// until then, and a push that broke off goes on where it was.
    async fn push(&mut self, machine: &str, path: &str, size: u64, sha256: &str) -> Served {
        let part =
            GuestFile::new(self.hands, machine, format!("{path}.pumice-{}", &sha256[..sha256.len().min(12)]));
        let have = or_refuse!(part.size().await).unwrap_or(0);
        let mut offset = if have > size { 0 } else { have };
        if have > size || have == 0 {
            or_refuse!(part.make_empty().await);
        }
        self.answer(&Answer::Ready { offset }).await?;
        let mut piece = vec![0; GuestFile::PIECE_BYTES];
        while offset < size {
            let left = usize::try_from(size - offset).unwrap_or(usize::MAX).min(piece.len());
            // Whole pieces, so that as few lines as can be are typed.
            let mut count = 0;
            while count < left {
                match self.from.read(&mut piece[count..left]).await? {
                    0 => break,
                    more => count += more,
                }
            }
            if count == 0 {
                return Ok(Err(refused(&format!(
                    "{offset} of {size} bytes came; the next push goes on there"
                ))));
            }
            or_refuse!(part.append(&piece[..count]).await);
            offset += count as u64;
        }
        let found = or_refuse!(part.sha256().await);
        if found != sha256 {
            or_refuse!(part.remove().await);
            let message = format!("`{path}` arrived damaged: its SHA-256 is {found}, not {sha256}");
            return Ok(Err(
                refused(&message).hint("push it again; kernel messages on the console may be in the way")
            ));
        }
        or_refuse!(part.rename(path).await);
        self.answer(&Answer::Done).await?;
        Ok(Ok(()))
    }

    async fn pull(&mut self, machine: &str, path: &str, offset: u64) -> Served {
        let file = GuestFile::new(self.hands, machine, path.to_owned());
        let Some(size) = or_refuse!(file.size().await) else {
            return Ok(Err(refused(&format!("there is no file `{path}` in the guest"))));
        };
        let sha256 = or_refuse!(file.sha256().await);
        self.answer(&Answer::File { size, sha256 }).await?;
        self.send(&file, offset, size).await
    }

    /// A failure after the answer cannot be told any more: the bytes end early, and whoever counts them knows.
    async fn send(&mut self, file: &GuestFile<'_>, mut offset: u64, size: u64) -> Served {
        while offset < size {
            let Ok(piece) = file.read(offset).await else { return Ok(Ok(())) };
            if piece.is_empty() {
                return Ok(Ok(()));
            }
            self.to.write_all(&piece).await?;
            offset += piece.len() as u64;
        }
        Ok(Ok(()))
    }

    async fn exec(&mut self, machine: &str, command: &str) -> Served {
        let script = GuestFile::temporary(self.hands, machine, "script");
        let output = GuestFile::temporary(self.hands, machine, "output");
        or_refuse!(script.make_empty().await);
        for piece in command.as_bytes().chunks(GuestFile::PIECE_BYTES) {
            or_refuse!(script.append(piece).await);
        }
        let line = format!("sh {} > {} 2>&1 < /dev/null", script.quoted(), output.quoted());
        let ran = or_refuse!(self.hands.wish(machine, What::Shell(line)).await);
        let size = or_refuse!(output.size().await).unwrap_or(0);
        self.answer(&Answer::Ran { status: ran.status }).await?;
        let sent = self.send(&output, 0, size).await;
        drop(script.remove().await);
        drop(output.remove().await);
        sent
    }
}
