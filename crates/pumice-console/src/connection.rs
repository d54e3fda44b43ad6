//! Connections: how the bytes of a console get here and back.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pumice_process::Terminal;
use pumice_types::{Blame, Cause, Deadline};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpStream, UnixListener, UnixStream},
};

use crate::telnet_stream::TelnetStream;

/// Both directions of a console, or one.
pub struct Connection {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Option<Box<dyn AsyncWrite + Send + Unpin>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("has_writer", &self.writer.is_some()).finish_non_exhaustive()
    }
}

/// A connection was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answered in time.
    #[error("no connection to {target} within the {} seconds of {owner}", limit.as_secs())]
    Timeout {
        /// To where.
        target: String,
        /// Whose time it was.
        owner: String,
        /// How long that was.
        limit: Duration,
        /// Why the last try failed.
        #[source]
        last: Option<io::Error>,
    },
    /// It cannot be made, however long one waits.
    #[error("no connection to {target}")]
    Refused {
        /// To where.
        target: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blame for ConnectError {
    fn root_cause(&self) -> Cause {
        Cause::ConsoleLost
    }
}

/// The pause between two tries to connect, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

impl Connection {
    /// From two streams of the caller's.
    pub fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self { reader: Box::new(reader), writer: Some(Box::new(writer)) }
    }

    /// One that only listens: a log, a pipe of a child's standard error.
    pub fn read_only(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self { reader: Box::new(reader), writer: None }
    }

    /// From one stream for both directions.
    pub fn both(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self::new(reader, writer)
    }

    /// From one stream that speaks telnet.
    pub fn telnet(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::both(TelnetStream::new(stream))
    }

    /// From our side of a pseudo-terminal.
    pub fn terminal(terminal: Terminal) -> Self {
        Self::new(terminal.clone(), terminal)
    }

    /// In memory, for tests: the connection, and the other end of it. At most `capacity_bytes` are on the way in
    /// each direction.
    pub fn duplex(capacity_bytes: usize) -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(capacity_bytes);
        (Self::both(ours), theirs)
    }

    /// To a terminal device that another program makes, such as `/dev/pts/7`, as soon as it is there.
    pub async fn device(path: &Path, deadline: &Deadline) -> Result<Self, ConnectError> {
        let target = path.display().to_string();
        let terminal = retry(target, deadline, async || Terminal::open(path)).await?;
        Ok(Self::terminal(terminal))
    }

    /// To a unix socket, as soon as somebody listens there.
    pub async fn unix(path: &Path, deadline: &Deadline) -> Result<Self, ConnectError> {
        let target = path.display().to_string();
        let stream = retry(target, deadline, async || UnixStream::connect(path).await).await?;
        let (reader, writer) = stream.into_split();
        Ok(Self::new(reader, writer))
    }

    /// To a TCP port that sends plain bytes, as soon as somebody listens there.
    pub async fn tcp(address: SocketAddr, deadline: &Deadline) -> Result<Self, ConnectError> {
        let (reader, writer) = connect(address, deadline).await?.into_split();
        Ok(Self::new(reader, writer))
    }

    /// To a TCP port that speaks telnet or nothing but plain bytes, as soon as somebody listens there.
    pub async fn tcp_telnet(address: SocketAddr, deadline: &Deadline) -> Result<Self, ConnectError> {
        Ok(Self::telnet(connect(address, deadline).await?))
    }
}

async fn connect(address: SocketAddr, deadline: &Deadline) -> Result<TcpStream, ConnectError> {
    let stream = retry(address.to_string(), deadline, async || TcpStream::connect(address).await).await?;
    // Single key presses are what is sent.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Tries until it works, until trying is pointless, or until the time is over.
async fn retry<T>(
    target: String,
    deadline: &Deadline,
    mut attempt: impl AsyncFnMut() -> io::Result<T>,
) -> Result<T, ConnectError> {
    let mut pause = RETRY.0;
    let mut last = None;
    loop {
        match tokio::time::timeout_at(deadline.at().into(), attempt()).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) if is_temporary(&error) => last = Some(error),
            Ok(Err(source)) => return Err(ConnectError::Refused { target, source }),
            Err(_) => {}
        }
        if deadline.is_over(Instant::now()) {
            let (owner, limit) = (deadline.owner().to_owned(), deadline.limit());
            return Err(ConnectError::Timeout { target, owner, limit, last });
        }
        tokio::time::sleep(pause.min(deadline.remaining(Instant::now()))).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

/// Whether the other side may only not be there yet.
fn is_temporary(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::NotFound
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::Interrupted
            | Kind::WouldBlock
    )
}

/// A unix socket that a simulator connects to.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, which must not be there. The socket is removed when the listener is dropped.
    pub fn bind(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        Ok(Self { socket: UnixListener::bind(&path)?, path })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection.
    pub async fn accept(&self, deadline: &Deadline) -> Result<Connection, ConnectError> {
        let target = self.path.display().to_string();
        match tokio::time::timeout_at(deadline.at().into(), self.socket.accept()).await {
            Ok(Ok((stream, _))) => {
                let (reader, writer) = stream.into_split();
                Ok(Connection::new(reader, writer))
            }
            Ok(Err(source)) => Err(ConnectError::Refused { target, source }),
            Err(_) => {
                let (owner, limit) = (deadline.owner().to_owned(), deadline.limit());
                Err(ConnectError::Timeout { target, owner, limit, last: None })
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may be gone with its directory.
        drop(fs::remove_file(&self.path));
    }
}
