//! A cpio archive in the form `newc`, which the kernel unpacks as its first root
//! (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;

/// An archive that grows in memory.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    directories: BTreeSet<String>,
}

impl Archive {
    /// A directory; once, however often it is asked for.
    pub(super) fn directory(&mut self, path: &str) {
        if self.directories.insert(path.to_owned()) {
            self.entry(path, 0o040_755, &[]);
        }
    }

    /// The directories above `path`.
    pub(super) fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            self.directory(&path[..at]);
        }
    }

    /// A plain file of root's.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, 0o100_000 | mode, content);
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.entry(path, 0o120_777, to.as_bytes());
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let (links, name_bytes) = (1, path.len() + 1);
        let header =
            [self.entries as usize, mode as usize, 0, 0, links, 0, content.len(), 0, 0, 0, 0, name_bytes, 0];
        self.bytes.extend(b"070701");
        for field in header {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
