//! The task behind a console: drains it from the first byte to the last, and types what is to be typed.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{Notify, broadcast, mpsc, oneshot},
    time::sleep_until,
};

use crate::{connection::Connection, engine::Engine, recorder::Recorder, scanner::PAUSE};

/// One read takes at most this much.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the task and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    engine: Mutex<Engine>,
    /// Why it ended, once it has.
    reason: Mutex<Option<String>>,
    /// Somebody met something, or the console has ended.
    pub(crate) news: Notify,
    pub(crate) taps: broadcast::Sender<Arc<[u8]>>,
}

impl Shared {
    pub(crate) fn new(name: String, engine: Engine) -> Self {
        let (taps, _) = broadcast::channel(64);
        Self { name, engine: Mutex::new(engine), reason: Mutex::new(None), news: Notify::new(), taps }
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        // The engine is whole between two calls, whoever panicked in between.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Something to type.
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    pub(crate) pacing: Pacing,
    /// Told how it went; dropped by the sender who no longer wants it typed.
    pub(crate) done: oneshot::Sender<Result<(), String>>,
}

/// How fast to type. Real terminals drop what comes too fast, and so do simulated ones (fastmodels 4.4: at most
/// 100 characters a second, LAVA types 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// How many bytes are sent at once; at least 1.
    pub chunk_bytes: usize,
    /// How long to wait after each.
    pub delay: Duration,
}

impl Pacing {
    /// As fast as the other side takes it.
    pub const UNPACED: Self = Self { chunk_bytes: usize::MAX, delay: Duration::ZERO };

    /// One byte at a time, with this delay after each.
    pub fn per_character(delay: Duration) -> Self {
        if delay.is_zero() { Self::UNPACED } else { Self { chunk_bytes: 1, delay } }
    }
}

/// What is being typed.
struct Typing {
    input: Input,
    typed: usize,
    /// Not before.
    next: Option<Instant>,
}

/// Runs until the console has ended.
pub(crate) async fn run(
    shared: Arc<Shared>,
    connection: Connection,
    mut recorder: Box<dyn Recorder>,
    mut inputs: mpsc::UnboundedReceiver<Input>,
) {
    let Connection { mut reader, mut writer } = connection;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut typing: Option<Typing> = None;
    let mut last = Instant::now();
    let mut has_handles = true;
    let ended = loop {
        let wants_pause = shared.engine().wants_pause();
        tokio::select! {
            read = reader.read(&mut buffer) => match read {
                Ok(0) => break None,
                Ok(count) => {
                    last = Instant::now();
                    if take(&shared, recorder.as_mut(), &buffer[..count], last) {
                        // Who was waiting goes first, so that what comes next finds the next wait.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            },
            () = sleep_until((last + PAUSE).into()), if wants_pause => {
                if shared.engine().pause(Instant::now()) {
                    shared.news.notify_waiters();
                }
            }
            input = inputs.recv(), if typing.is_none() && has_handles => match input {
                Some(input) => typing = Some(Typing { input, typed: 0, next: None }),
                None => has_handles = false,
            },
            wrote = write(writer.as_mut(), typing.as_mut()) => {
                typing = typing.take().and_then(|typing| {
                    typing.after(wrote, &shared.name, recorder.as_mut())
                });
            }
        }
    };
    finish(&shared, recorder.as_mut(), ended);
}

/// Records what came, then looks at it. Returns whether somebody met something.
fn take(shared: &Shared, recorder: &mut dyn Recorder, bytes: &[u8], now: Instant) -> bool {
    recorder.bytes(&shared.name, now, bytes);
    let mut engine = shared.engine();
    if shared.taps.receiver_count() > 0 {
        // Fails when the last of them left just now.
        let _ = shared.taps.send(bytes.into());
    }
    let met = engine.feed(bytes, now);
    drop(engine);
    if met {
        shared.news.notify_waiters();
    }
    met
}

fn finish(shared: &Shared, recorder: &mut dyn Recorder, error: Option<io::Error>) {
    let now = Instant::now();
    let reason = error.map(|error| error.to_string());
    recorder.closed(&shared.name, now, reason.as_deref());
    *shared.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    shared.engine().close(now);
    shared.news.notify_waiters();
}

/// Sends the next piece of what is being typed. Never resolves while there is nothing to type. Cancel-safe,
/// as `write` is: when it is dropped, nothing was sent.
async fn write(
    writer: Option<&mut Box<dyn AsyncWrite + Send + Unpin>>,
    typing: Option<&mut Typing>,
) -> io::Result<usize> {
    let Some(Typing { input, typed, next }) = typing else { return std::future::pending().await };
    let Some(writer) = writer else { return Err(io::Error::other("it only listens")) };
    let rest = &input.bytes[*typed..];
    let piece = &rest[..rest.len().min(input.pacing.chunk_bytes.max(1))];
    let send = async {
        if let Some(next) = *next {
            sleep_until(next.into()).await;
        }
        if piece.is_empty() {
            writer.flush().await?;
            return Ok(0);
        }
        match writer.write(piece).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => Ok(count),
        }
    };
    tokio::select! {
        biased;
        () = input.done.closed() => Err(io::Error::other("nobody waits for it")),
        sent = send => sent,
    }
}

impl Typing {
    /// What is left to type after a piece was sent.
    fn after(mut self, wrote: io::Result<usize>, console: &str, recorder: &mut dyn Recorder) -> Option<Self> {
        let now = Instant::now();
        match wrote {
            Ok(0) => {
                // Who sent it may have given up meanwhile.
                let _ = self.input.done.send(Ok(()));
                None
            }
            Ok(count) => {
                recorder.sent(console, now, &self.input.bytes[self.typed..self.typed + count]);
                self.typed += count;
                let pacing = self.input.pacing;
                self.next = (!pacing.delay.is_zero()).then(|| now + pacing.delay);
                Some(self)
            }
            Err(error) => {
                let _ = self.input.done.send(Err(error.to_string()));
                None
            }
        }
    }
}
