//! Lines to and from a group: over a socket, or by files that somebody passes on.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::Path,
    time::Duration,
};

use pumice_multinode::wire::LINE_LIMIT_BYTES;
use pumice_process::readiness;
use rustix::fs::inotify;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncWriteExt as _, BufReader, Interest, unix::AsyncFd},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

use super::next;

/// How often a file is looked at where the host has no watches left.
const LOOK: Duration = Duration::from_millis(100);

/// Where a group's words come from.
pub(super) enum LinesIn {
    Socket(BufReader<OwnedReadHalf>),
    File(Tail),
}

impl LinesIn {
    /// The next word; `None` when there will be no more.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        match self {
            Self::Socket(lines) => next(lines).await,
            Self::File(tail) => Ok(Some(serde_json::from_slice(&tail.line().await?)?)),
        }
    }
}

/// Where a node's words go.
pub(super) enum LinesOut {
    Socket(OwnedWriteHalf),
    File(File),
}

impl LinesOut {
    /// Writes a whole line.
    pub(super) async fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.write_all(line).await,
            // A few bytes, to the page cache.
            Self::File(file) => file.write_all(line),
        }
    }
}

/// The files `in` and `out` of a directory.
pub(super) fn files(directory: &Path) -> io::Result<(Tail, File)> {
    let out = OpenOptions::new().append(true).create(true).open(directory.join("out"))?;
    Ok((Tail::of(&directory.join("in"))?, out))
}

/// A file that somebody appends lines to.
pub(super) struct Tail {
    file: File,
    watch: Option<AsyncFd<OwnedFd>>,
    /// What was read of a line that is not whole.
    begun: Vec<u8>,
}

impl Tail {
    fn of(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let watch = inotify::init(flags)
            .ok()
            .filter(|watch| inotify::add_watch(watch, path, inotify::WatchFlags::MODIFY).is_ok());
        let watch = watch.map(|watch| readiness::register(watch, Interest::READABLE)).transpose()?;
        Ok(Self { file, watch, begun: Vec::new() })
    }

    /// The next line, its end included. Waits for it.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = [0; 8192];
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                return Ok(self.begun.drain(..=end).collect());
            }
            if self.begun.len() > LINE_LIMIT_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of the group is too long"));
            }
            let count = self.file.read(&mut piece)?;
            self.begun.extend_from_slice(&piece[..count]);
            if count == 0 {
                self.grown().await?;
            }
        }
    }

    /// Waits until the file has grown, or may have.
    async fn grown(&self) -> io::Result<()> {
        let Some(watch) = &self.watch else {
            tokio::time::sleep(LOOK).await;
            return Ok(());
        };
        let mut ready = watch.readable().await?;
        let mut events = [0_u8; 1024];
        while rustix::io::read(watch.get_ref(), &mut events).is_ok_and(|count| count > 0) {}
        ready.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_read_once_it_is_whole_however_it_came() {
        let directory = tempfile::tempdir().unwrap();
        let (mut tail, _) = files(directory.path()).unwrap();
        let mut writer = OpenOptions::new().append(true).open(directory.path().join("in")).unwrap();
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(tail.line().await.unwrap(), b"one\n");
        let late = async {
            tokio::task::yield_now().await;
            writer.write_all(b"o\n").unwrap();
        };
        let (line, ()) = tokio::join!(tail.line(), late);
        assert_eq!(line.unwrap(), b"two\n");
    }
}
