//! The line to a console that announces itself: made anew when the other side breaks it off while its simulator
//! lives.
//!
//! A model re-opens the port of a console whose connection broke, and another client may come (fastmodels 4.4,
//! point 4); the number may have changed, which it then announces.

use std::{
    io,
    net::Ipv4Addr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use pumice_network::namespace;
use pumice_process::Lifeline;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{BoxFuture, output::Output};

/// A connection: of this host, or through the process that serves a network of a machine's own.
type Stream = Box<dyn Duplex>;

/// Both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// How often a port is tried that nobody listens on, and the pause before each further try: what was announced
/// listens already, a few tries make up for a loaded host.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// How long after the end of a simulator what it said last may be on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// After a break, how many tries go to a new place only: the old number may be another simulator's by now.
const ELSEWHERE: u32 = 10;

/// The lines of one simulator, each with what is known of it. Copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<Known>>>);

#[derive(Clone, Debug)]
struct Known {
    name: String,
    port: u16,
    is_broken: bool,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a console of this name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.lock().iter().any(|known| known.name == name)
    }

    /// Whether a console of this name lost its connection and looks for it.
    pub(crate) fn is_broken(&self, name: &str) -> bool {
        self.lock().iter().any(|known| known.name == name && known.is_broken)
    }

    /// Whether a console of this name is connected at this port. Another's port may be free again: a simulator
    /// that listens for one client only gives the number back.
    pub(crate) fn holds(&self, name: &str, port: u16) -> bool {
        self.lock().iter().any(|known| known.name == name && known.port == port && !known.is_broken)
    }

    fn add(&self, name: &str, port: u16) -> usize {
        let mut all = self.lock();
        all.push(Known { name: name.to_owned(), port, is_broken: false });
        all.len() - 1
    }

    fn set(&self, index: usize, port: Option<u16>) {
        if let Some(known) = self.lock().get_mut(index) {
            known.is_broken = port.is_none();
            known.port = port.unwrap_or(known.port);
        }
    }
}

/// How to reach one console.
#[derive(Clone)]
pub(crate) struct Dial {
    /// The port it was announced with.
    pub(crate) port: u16,
    /// Where ports of its network are reached; `None` where it is this host's.
    pub(crate) way_in: Option<PathBuf>,
    /// The name it announced itself under: one that moves to another port says so under the same.
    pub(crate) name: String,
    /// Where announcements are found.
    pub(crate) output: Output,
    /// Tells of the simulator's end.
    pub(crate) lifeline: Arc<Lifeline>,
    /// All of this simulator.
    pub(crate) lines: Lines,
    /// Told of every connection that was made anew.
    pub(crate) again: Arc<dyn Fn() + Send + Sync>,
}

impl Dial {
    /// The first connection; `None` when nobody listens, or when the simulator has ended.
    pub(crate) async fn line(self) -> Option<Line> {
        let (stream, port) = self.connect(0).await?;
        let index = self.lines.add(&self.name, port);
        let lifeline = self.lifeline.clone();
        let last = Box::pin(async move {
            lifeline.ended().await;
            tokio::time::sleep(LAST_WORDS).await;
        });
        Some(Line { state: State::Up(stream), dial: self, index, last })
    }

    /// The newest port under its name first; its own from try number `own` on.
    async fn connect(&self, own: u32) -> Option<(Stream, u16)> {
        for number in 0..TRIES {
            if self.lifeline.has_ended() {
                return None;
            }
            let announced = self.output.ports(&self.name);
            let newer = announced.iter().rev().take_while(|port| **port != self.port).copied();
            let own = (number >= own).then_some(self.port);
            // At the start there may be others of the same name: its own first.
            let ports: Vec<_> = if self.lines.is_broken(&self.name) {
                newer.chain(own).collect()
            } else {
                own.into_iter().collect()
            };
            for port in ports {
                if self.lines.holds(&self.name, port) {
                    continue;
                }
                if let Ok(stream) = self.reach(port).await {
                    // A simulator that ended gave its ports back, and this may be another's console by now, whose
                    // only seat would be taken. One that is there still had it when we came.
                    if self.lifeline.has_ended() {
                        return None;
                    }
                    return Some((stream, port));
                }
            }
            if self.has_ended_within(PAUSE).await {
                return None;
            }
        }
        None
    }

    async fn reach(&self, port: u16) -> io::Result<Stream> {
        if let Some(way_in) = &self.way_in {
            return Ok(Box::new(namespace::connect(way_in, port).await?));
        }
        // Models listen on IPv4 only, and `localhost` may mean ::1 (fastmodels 4.1).
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        // Single key presses are what is sent.
        drop(stream.set_nodelay(true));
        Ok(Box::new(stream))
    }

    /// After a break. The pause comes first: a simulator that ends closes its sockets a moment before it is gone,
    /// and another's console must not be taken for its.
    async fn connect_again(self, index: usize) -> Option<(Stream, u16)> {
        if self.has_ended_within(PAUSE).await {
            return None;
        }
        let (stream, port) = self.connect(ELSEWHERE).await?;
        self.lines.set(index, Some(port));
        (self.again)();
        Some((stream, port))
    }

    async fn has_ended_within(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.lifeline.ended()).await.is_ok()
    }
}

/// Where a line stands.
enum State {
    Up(Stream),
    Dialling(BoxFuture<'static, Option<(Stream, u16)>>),
    Down,
}

/// The line. It ends when the simulator does, or when its port is gone for good.
pub(crate) struct Line {
    state: State,
    dial: Dial,
    /// Its place among [`Lines`].
    index: usize,
    /// Resolves when the simulator has ended and all it said must have come.
    last: BoxFuture<'static, ()>,
}

impl Line {
    fn broke(&mut self) {
        self.dial.lines.set(self.index, None);
        self.state = State::Dialling(Box::pin(self.dial.clone().connect_again(self.index)));
    }

    /// The stream, once there is one; `None` when there will be none any more.
    fn poll_up(&mut self, context: &mut Context<'_>) -> Poll<Option<&mut Stream>> {
        if let State::Dialling(dialling) = &mut self.state {
            self.state = match ready!(dialling.as_mut().poll(context)) {
                Some((stream, port)) => {
                    self.dial.port = port;
                    State::Up(stream)
                }
                None => State::Down,
            };
        }
        Poll::Ready(match &mut self.state {
            State::Up(stream) => Some(stream),
            _ => None,
        })
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        loop {
            let before = buffer.filled().len();
            let Some(stream) = ready!(line.poll_up(context)) else { return Poll::Ready(Ok(())) };
            match Pin::new(stream).poll_read(context, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > before => return Poll::Ready(Ok(())),
                Poll::Ready(_) => line.broke(),
                Poll::Pending => {
                    // Its own socket would be closed by now.
                    ready!(line.last.as_mut().poll(context));
                    line.state = State::Down;
                }
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        loop {
            let Some(stream) = ready!(line.poll_up(context)) else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            match ready!(Pin::new(stream).poll_write(context, bytes)) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(_) => line.broke(),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP keeps nothing back that a flush would send.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Up(stream) => Pin::new(stream).poll_shutdown(context),
            _ => Poll::Ready(Ok(())),
        }
    }
}
