//! File systems and disks that are sound but for what the input changes. A whole image as the input would drown the few
//! bytes that matter in zeros.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A sound image, in a file that each input gets to damage and that is mended afterwards.
pub struct Image {
    _directory: TempDir,
    path: PathBuf,
    file: File,
    sound: Vec<u8>,
}

impl Image {
    /// The image that `make` writes to the path it is given.
    pub fn new(make: impl FnOnce(&Path)) -> Self {
        // A shared-memory file system where there is one: thousands of images a second need no disk.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(parent).expect("a temporary directory");
        let path = directory.path().join("image");
        make(&path);
        let sound = std::fs::read(&path).expect("the image");
        let file = OpenOptions::new().write(true).open(&path).expect("the image");
        Self { _directory: directory, path, file, sound }
    }

    /// Hands the path of the damaged image to `read`. The input is a list of changes, each of an offset (4 bytes,
    /// little-endian), a length (1 byte, its lower 4 bits plus 1), and the bytes to stand there.
    pub fn damaged(&self, mut input: &[u8], read: impl FnOnce(&Path)) {
        let mut changes = Vec::new();
        while let [a, b, c, d, length, rest @ ..] = input {
            let at = u32::from_le_bytes([*a, *b, *c, *d]) as usize % self.sound.len();
            let length = usize::from(length & 15) + 1;
            let bytes = &rest[..length.min(rest.len())];
            let end = (at + bytes.len()).min(self.sound.len());
            self.file.write_all_at(&bytes[..end - at], at as u64).expect("a change");
            changes.push(at..end);
            input = &rest[bytes.len()..];
        }
        read(&self.path);
        for change in changes {
            self.file.write_all_at(&self.sound[change.clone()], change.start as u64).expect("a repair");
        }
    }
}
