//! The guests that `cargo xtask guests` makes.

use std::path::{Path, PathBuf};

use crate::Missing;

/// A Linux guest: Debian's kernel and a busybox root that boots to `guest login:` (root, no password, then
/// `root@guest:~# `).
#[derive(Clone, Debug)]
pub struct Guest {
    directory: PathBuf,
}

impl Guest {
    /// A guest by name: `armhf` (for `vexpress-a15`), `arm64` (for `virt`), or `uml`, whose kernel is the program
    /// that User-mode Linux is.
    ///
    /// # Errors
    /// It was not made yet.
    pub fn find(name: &str) -> Result<Self, Missing> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let directory = root.join("target/guests").join(name);
        if directory.join("stamp").exists() {
            Ok(Self { directory })
        } else {
            Err(Missing::set_up(format!("{name} guest")))
        }
    }

    /// The kernel.
    pub fn kernel(&self) -> PathBuf {
        self.directory.join("kernel")
    }

    /// The root, as a gzipped cpio archive.
    pub fn initrd(&self) -> PathBuf {
        self.directory.join("initrd.cpio.gz")
    }

    /// The device tree of `vexpress-a15`; only armhf has it.
    pub fn device_tree(&self) -> PathBuf {
        self.directory.join("dtb")
    }

    /// An archive with `kexec` and its libraries, to be laid over the root; only arm64 has it.
    ///
    /// # Errors
    /// It was not made yet.
    pub fn kexec(&self) -> Result<PathBuf, Missing> {
        let path = self.directory.join("kexec.tar");
        if path.exists() { Ok(path) } else { Err(Missing::set_up("kexec of the guest")) }
    }

    /// The statically linked busybox of the root.
    pub fn busybox(&self) -> PathBuf {
        self.directory.join("busybox")
    }
}
