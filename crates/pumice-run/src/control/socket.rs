//! The socket.

use std::{
    fs, io,
    os::fd::AsRawFd as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tokio::{net::UnixListener, task::JoinHandle};

use super::{connection, hands::Hands};

/// Its name in the run's directory.
const NAME: &str = "control.sock";

/// A control socket that is listened on. Dropping it takes it away.
#[derive(Debug)]
pub struct Listening {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Listening {
    /// Listens on `control.sock` in `directory`, for this user alone. Files that are brought and fetched pass
    /// through `scratch`. To be called inside the runtime.
    pub fn start(directory: &Path, scratch: &Path, hands: Hands) -> io::Result<Self> {
        let path = directory.join(NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The name of a socket holds 108 bytes (unix(7)), and the directory's may be longer: it is named by way of
        // a descriptor.
        let folder = fs::File::open(directory)?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let scratch = scratch.join("hands");
        fs::create_dir_all(&scratch)?;
        let task = tokio::spawn(async move {
            // Connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(connection::serve(stream, hands.clone(), scratch.clone()));
                        }
                        // Out of descriptors, say: the next one may fare better.
                        Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { path, task })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        drop(fs::remove_file(&self.path));
    }
}
