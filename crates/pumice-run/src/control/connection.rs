//! One client: what it asks, and what it is answered.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pumice_api::control::{Answer, CONTROL_VERSION, Done, MAX_LINE_BYTES, Refused, Request, Said, Wish};
use pumice_console::{Tap, Tapped};
use pumice_platform::{Buttons, MonitorError};
use pumice_store::Digest;
use pumice_types::Deadline;
use serde::Serialize;
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::hands::{Hands, Work};

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long typing may take that a simulator does not accept.
const TYPING: Duration = Duration::from_secs(60);
/// The largest file that is brought or fetched, in bytes.
const LARGEST_FILE: u64 = 64 << 30;

/// Serves one client. A client that goes away takes nothing with it.
pub(super) async fn serve(stream: UnixStream, hands: Hands, scratch: PathBuf) {
    let (reader, writer) = stream.into_split();
    let mut client = Client { reader: BufReader::new(reader), writer, hands, scratch };
    // Nobody is left to be told.
    drop(client.serve().await);
}

struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    hands: Hands,
    scratch: PathBuf,
}

impl Client {
    async fn serve(&mut self) -> io::Result<()> {
        let request = match self.request().await? {
            Ok(request) => request,
            Err(refused) => return self.refuse(refused).await,
        };
        let machine = request.machine.as_deref();
        let outcome = match request.wish {
            Wish::List => Ok(Done::Machines(self.hands.overview().await)),
            Wish::Console { console, write, history_bytes } => {
                return self.console(machine, console.as_deref(), write, history_bytes).await;
            }
            Wish::Reset => self.press(machine, async |buttons: &Buttons| buttons.reset().await).await,
            Wish::Pause => self.press(machine, async |buttons: &Buttons| buttons.pause().await).await,
            Wish::Resume => self.press(machine, async |buttons: &Buttons| buttons.resume().await).await,
            Wish::Stop => self.hands.ask(machine, Work::Stop).await,
            Wish::Start => self.hands.ask(machine, Work::Start).await,
            Wish::Restart => self.hands.ask(machine, Work::Restart).await,
            Wish::Release => self.hands.ask(machine, Work::Release).await,
            Wish::Exec { line, seconds } => return self.exec(machine, line, seconds).await,
            Wish::Push { to, size, sha256, executable } => {
                let staged = match self.stage(size, &sha256).await? {
                    Ok(file) => file,
                    Err(refused) => return self.refuse(refused).await,
                };
                let work = Work::Push { file: staged, sha256, to, executable };
                self.hands.ask(machine, work).await
            }
            Wish::Pull { path, offset, sha256 } => {
                return self.pull(machine, path, offset, sha256.as_deref()).await;
            }
        };
        match outcome {
            Ok(done) => self.say(&Answer::Ok(done)).await,
            Err(refused) => self.refuse(refused).await,
        }
    }

    /// What the client wants.
    async fn request(&mut self) -> io::Result<Result<Request, Refused>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES as u64);
        match tokio::time::timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await {
            Err(_) => return Ok(Err(Refused::new("no request came"))),
            Ok(read) => read?,
        };
        if line.last() != Some(&b'\n') {
            return Ok(Err(Refused::new(format!(
                "the request is no line of at most {MAX_LINE_BYTES} bytes"
            ))));
        }
        Ok(match serde_json::from_slice::<Request>(&line) {
            Ok(request) if request.version == CONTROL_VERSION => Ok(request),
            Ok(request) => Err(Refused::new(format!(
                "version {} of the control protocol is not spoken here; {CONTROL_VERSION} is",
                request.version
            ))),
            Err(error) => Err(Refused::new(format!("the request cannot be read: {error}"))),
        })
    }

    async fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.writer.write_all(&line).await
    }

    async fn refuse(&mut self, refused: Refused) -> io::Result<()> {
        self.say(&Answer::Error(refused)).await
    }

    async fn press(
        &self,
        machine: Option<&str>,
        press: impl AsyncFnOnce(&Buttons) -> Result<(), MonitorError>,
    ) -> Result<Done, Refused> {
        let reach = self.hands.running(machine)?;
        press(&reach.buttons).await.map(|()| Done::Done).map_err(|error| Refused::new(error.to_string()))
    }

    /// The bytes of a console both ways, until either side ends.
    async fn console(
        &mut self,
        machine: Option<&str>,
        console: Option<&str>,
        write: bool,
        history_bytes: usize,
    ) -> io::Result<()> {
        let found = self.hands.running(machine).and_then(|reach| {
            let sender = reach.console(console)?.clone();
            let right = if write { Some(reach.writer(sender.name())?) } else { None };
            Ok((sender, right))
        });
        let (sender, mut right) = match found {
            Ok(found) => found,
            Err(refused) => return self.refuse(refused).await,
        };
        let (history, mut tap) = sender.follow(history_bytes);
        self.say(&Answer::Ok(Done::Bytes)).await?;
        self.writer.write_all(&history).await?;
        let mut typed = [0; 4096];
        let mut listens = true;
        loop {
            tokio::select! {
                biased;
                heard = tap.next() => match heard {
                    Some(heard) => self.hear(heard).await?,
                    None => return Ok(()),
                },
                read = self.reader.read(&mut typed), if listens => match read? {
                    // It types no more, so that another may, and perhaps still listens.
                    0 => {
                        listens = false;
                        right = None;
                    }
                    count if right.is_some() => {
                        let deadline = Deadline::after(Instant::now(), TYPING, "the typing of a person");
                        if sender.send(&typed[..count], &deadline).await.is_err() {
                            return self.rest(&mut tap).await;
                        }
                    }
                    _ => {}
                },
                () = sender.closed() => return self.rest(&mut tap).await,
            }
        }
    }

    async fn hear(&mut self, heard: Tapped) -> io::Result<()> {
        match heard {
            Tapped::Bytes(bytes) => self.writer.write_all(&bytes).await,
            Tapped::Missed(chunks) => {
                let note =
                    format!("\r\n[pumice: {chunks} pieces of output were too fast and are left out]\r\n");
                self.writer.write_all(note.as_bytes()).await
            }
        }
    }

    /// What is left to hear of a console that has ended.
    async fn rest(&mut self, tap: &mut Tap) -> io::Result<()> {
        while let Ok(Some(heard)) = tokio::time::timeout(Duration::from_millis(50), tap.next()).await {
            self.hear(heard).await?;
        }
        Ok(())
    }

    async fn exec(&mut self, machine: Option<&str>, line: String, seconds: u64) -> io::Result<()> {
        if let Err(refused) = self.hands.is_held().and_then(|()| self.hands.running(machine).map(drop)) {
            return self.refuse(refused).await;
        }
        self.say(&Answer::Ok(Done::Lines)).await?;
        let (said, mut lines) = mpsc::unbounded_channel();
        let hands = self.hands.clone();
        let work = hands.ask(machine, Work::Exec { line, seconds, said });
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(said) = lines.recv() => self.say(&said).await?,
                outcome = &mut work => {
                    while let Ok(said) = lines.try_recv() {
                        self.say(&said).await?;
                    }
                    return match outcome {
                        Ok(_) => Ok(()),
                        Err(refused) => self.say(&Said::Error(refused)).await,
                    };
                }
            }
        }
    }

    /// Receives a file into the scratch directory, going on where an earlier try of the same file stopped.
    async fn stage(&mut self, size: u64, sha256: &str) -> io::Result<Result<PathBuf, Refused>> {
        // The name of the file, so nothing else may pass.
        let Ok(announced) = Digest::try_from(sha256.to_owned()) else {
            return Ok(Err(Refused::new("`sha256` is no SHA-256 in lower-case hexadecimal")));
        };
        if size > LARGEST_FILE {
            return Ok(Err(Refused::new(format!(
                "a file may have {LARGEST_FILE} bytes, and this one has {size}"
            ))));
        }
        if let Err(refused) = self.hands.is_held() {
            return Ok(Err(refused));
        }
        let path = self.scratch.join(announced.to_string());
        let coming = self.hands.take_over(sha256);
        let _turn = coming.turn.lock().await;
        let replaced = coming.replaced.notified();
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).await?;
        let mut there = file.metadata().await?.len();
        if there > size {
            file.set_len(0).await?;
            there = 0;
        }
        self.say(&Answer::Ok(Done::From(there))).await?;
        let mut rest = (&mut self.reader).take(size - there);
        let copied = tokio::select! {
            copied = tokio::io::copy(&mut rest, &mut file) => copied,
            () = replaced => Err(io::Error::other("it is brought again over another connection")),
        };
        // Also when it was cut: nothing of it may come later.
        file.flush().await?;
        if let Err(error) = copied {
            return Ok(Err(Refused::new(format!("the file cannot be taken: {error}"))));
        }
        let received = file.metadata().await?.len();
        if received < size {
            let message = format!("{received} of {size} bytes came");
            return Ok(Err(Refused::new(message).hint("push it again: it goes on there")));
        }
        if digest(&path).await? != announced.to_string() {
            fs::remove_file(&path).await?;
            return Ok(Err(Refused::new("the bytes that came are not those that were announced").hint(
                "the file was changed while it was sent, or its earlier half was of another: push it again",
            )));
        }
        Ok(Ok(path))
    }

    async fn pull(
        &mut self,
        machine: Option<&str>,
        path: String,
        offset: u64,
        known: Option<&str>,
    ) -> io::Result<()> {
        let file = self.scratch.join(format!("pulled-{}", Digest::of(path.as_bytes())));
        let work = Work::Pull { path, file: file.clone() };
        let (size, sha256) = match self.hands.ask(machine, work).await {
            Ok(Done::File { size, sha256, .. }) => (size, sha256),
            Ok(_) => return self.refuse(Refused::new("the run fetched no file")).await,
            Err(refused) => return self.refuse(refused).await,
        };
        let mut opened = File::open(&file).await?;
        let offset = if known == Some(sha256.as_str()) && offset <= size { offset } else { 0 };
        self.say(&Answer::Ok(Done::File { size, sha256, offset })).await?;
        opened.seek(io::SeekFrom::Start(offset)).await?;
        tokio::io::copy(&mut opened, &mut self.writer).await?;
        fs::remove_file(&file).await
    }
}

/// The digest of a file, in hexadecimal. Reading is left to a thread: a large file must not hold up the consoles.
async fn digest(path: &Path) -> io::Result<String> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || Digest::of_reader(std::fs::File::open(path)?));
    read.await.map_err(io::Error::other)?.map(|digest| digest.to_string())
}
