//! A disk with little room: a file system in memory that only a test's own programs see.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use fs_err as fs;

use crate::{Missing, Running, Sandbox, enter::entered, program};

/// How long the disk may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file that takes the room.
const FILLER: &str = "filler";

/// A disk in a mount namespace of its own. It is gone, with what is on it, when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Running,
    nsenter: PathBuf,
    mount_point: PathBuf,
}

impl SmallDisk {
    /// A disk of `mebibytes` at `name` below the sandbox, for programs that are started [`SmallDisk::under`] it.
    ///
    /// # Errors
    /// util-linux is missing, or this user may mount nothing.
    ///
    /// # Panics
    /// When it may, and the disk does not appear.
    pub fn new(sandbox: &Sandbox, name: &str, mebibytes: u32) -> Result<Self, Missing> {
        let (unshare, nsenter) = (program("unshare")?, program("nsenter")?);
        let may = Command::new(&unshare).args(["--mount", "true"]).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            return Err(Missing::rare("right to make mount namespaces"));
        }
        let mount_point = sandbox.path().join(name);
        fs::create_dir_all(&mount_point).unwrap();
        let options = format!("size={mebibytes}m,mode=0700");
        let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && touch \"$2/there\" && exec sleep infinity";
        let words = ["--mount", "sh", "-c", script, "disk", &options];
        let mut command = sandbox.foreign(&unshare, words);
        let holder = sandbox.start(command.arg(&mount_point));
        let disk = Self { holder, nsenter, mount_point };
        let end = Instant::now() + PATIENCE;
        while !disk.path().join("there").exists() {
            assert!(Instant::now() < end, "no disk within {PATIENCE:?}: {}", disk.holder.output().concat());
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::remove_file(disk.path().join("there")).unwrap();
        Ok(disk)
    }

    /// Where a test, which does not see the disk itself, finds what is on it.
    pub fn path(&self) -> PathBuf {
        let inside = self.mount_point.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// `command`, for which the disk is there.
    pub fn under(&self, command: &Command) -> Command {
        entered(&self.nsenter, "--mount", &self.holder, command)
    }

    /// Takes all the room there is.
    ///
    /// # Panics
    /// When the disk ends otherwise than by being full.
    pub fn fill(&self) {
        let mut filler =
            fs::OpenOptions::new().create(true).append(true).open(self.path().join(FILLER)).unwrap();
        let zeros = vec![0; 1 << 16];
        for size in [zeros.len(), 1] {
            loop {
                match filler.write_all(&zeros[..size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("the disk cannot be filled: {error}"),
                }
            }
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When the filler cannot be removed.
    pub fn free(&self) {
        fs::remove_file(self.path().join(FILLER)).unwrap();
    }
}
