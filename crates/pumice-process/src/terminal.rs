//! Pseudo-terminals and serial devices as byte streams (`pty(7)`, `termios(3)`).

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::OpenptFlags,
    termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd};

use crate::readiness;

/// One side of a terminal line, read and written without blocking. Copies share the line, so that one may
/// read while another writes.
///
/// Reading ends when the other side has closed: Linux says so with `EIO`, which is no error here.
#[derive(Clone, Debug)]
pub struct Terminal {
    descriptor: Arc<AsyncFd<OwnedFd>>,
}

/// Both sides of a new pseudo-terminal, the second raw and without echo, 24 rows of 80 columns.
pub(crate) fn allocate() -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let path = rustix::pty::ptsname(&ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(path, flags, Mode::empty())?;
    make_raw(&theirs)?;
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
    Ok((ours, theirs))
}

/// No echo, no line editing, no translation of line ends, no signals from control characters.
fn make_raw(descriptor: impl AsFd) -> io::Result<()> {
    let mut attributes = tcgetattr(&descriptor)?;
    attributes.make_raw();
    Ok(tcsetattr(&descriptor, OptionalActions::Now, &attributes)?)
}

impl Terminal {
    /// Takes over a descriptor of a terminal. To be called inside a tokio runtime.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&descriptor)?;
        rustix::fs::fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        Ok(Self { descriptor: Arc::new(readiness::register(descriptor, interest)?) })
    }

    /// Opens a terminal device another program made, such as `/dev/pts/7`, and makes it raw. It does not
    /// become our controlling terminal.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = i32::try_from((OFlags::NOCTTY | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let file = fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        make_raw(&file)?;
        Self::from_descriptor(file.into())
    }

    /// A new pseudo-terminal: our side, and the path by which another program can open its own. The path
    /// stays usable while the returned descriptor of the other side, or a copy of it, is open.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = allocate()?;
        Ok((Self::from_descriptor(ours)?, theirs))
    }

    /// Tells programs on the other side how large the screen is.
    pub fn set_size(&self, rows: u16, columns: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(self.descriptor.get_ref(), size)?)
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.get_ref().as_fd()
    }
}

impl AsyncRead for Terminal {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.descriptor.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            match guard.try_io(|inner| Ok(rustix::io::read(inner.get_ref(), unfilled)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.descriptor.poll_write_ready(context))?;
            match guard.try_io(|inner| Ok(rustix::io::write(inner.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
