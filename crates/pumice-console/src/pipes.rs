//! Two named pipes that a simulator opens: one for each direction.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::net::unix::pipe::{OpenOptions, Sender};

use crate::Connection;

/// Two named pipes, made for a simulator that has not started: it writes in `PATH.out` and reads from `PATH.in`. They are
/// removed when this is dropped, and from then on the console ends with the last process that writes in it.
#[derive(Debug)]
pub struct Pipes {
    names: [PathBuf; 2],
    /// Without somebody who could write, a pipe that is read is at its end.
    _until_it_is_opened: Sender,
}

impl Pipes {
    /// Makes both, and the connection to whoever opens them.
    pub fn make(path: &Path) -> io::Result<(Self, Connection)> {
        let names = ["out", "in"].map(|direction| {
            let mut name = path.as_os_str().to_owned();
            name.push(".");
            name.push(direction);
            PathBuf::from(name)
        });
        for name in &names {
            mknodat(CWD, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        let [from, to] = &names;
        let reader = OpenOptions::new().open_receiver(from)?;
        let until_it_is_opened = OpenOptions::new().open_sender(from)?;
        // For both directions: whoever reads has not opened it yet.
        let writer = OpenOptions::new().read_write(true).open_sender(to)?;
        Ok((Self { names, _until_it_is_opened: until_it_is_opened }, Connection::new(reader, writer)))
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        for name in &self.names {
            // They may be gone with their directory.
            drop(fs::remove_file(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn nothing_is_lost_before_the_other_side_comes_and_its_end_is_noticed() {
        let scratch = tempfile::tempdir().unwrap();
        let (pipes, connection) = Pipes::make(&scratch.path().join("console")).unwrap();
        let Connection { mut reader, writer } = connection;
        let mut writer = writer.unwrap();
        writer.write_all(b"typed early").await.unwrap();
        let open = |name| File::options().read(true).write(true).open(scratch.path().join(name)).unwrap();
        let (mut out, mut input) = (open("console.out"), open("console.in"));
        let mut typed = [0; 11];
        io::Read::read_exact(&mut input, &mut typed).unwrap();
        assert_eq!(&typed, b"typed early");
        drop(pipes);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        io::Write::write_all(&mut out, b"said").unwrap();
        drop(out);
        let mut said = Vec::new();
        reader.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"said");
    }
}
