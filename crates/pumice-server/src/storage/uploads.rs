//! Files that people sent for their jobs, in a directory:
//!
//! ```text
//! uploads/ab/abcd…           a whole file, by its digest
//! uploads/parts/7-abcd….part what user 7 has sent of it so far, and `.aim`, what it is to become
//! ```
//!
//! What one person sends is apart from what another sends until it is whole: nobody learns from a position that somebody else
//! has the file, and nobody can spoil what somebody else sends.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    FileAim, FileSize, StoreError, Stored,
    growing::{self, Growing},
};

/// Locks that are remembered; beyond, those that nobody holds are forgotten.
const REMEMBERED: usize = 1024;

/// The part of a store that keeps uploads. Digests are 64 hexadecimal digits in lower case: the caller has checked.
pub(super) struct Uploads {
    root: PathBuf,
    turns: Mutex<HashMap<(i64, String), Turn>>,
}

/// Whose turn it is to add to one file of one user.
type Turn = Arc<Mutex<()>>;

impl Uploads {
    pub(super) fn in_directory(root: PathBuf) -> Self {
        Self { root, turns: Mutex::default() }
    }

    fn whole(&self, sha256: &str) -> PathBuf {
        self.root.join(sha256.get(..2).unwrap_or_default()).join(sha256)
    }

    fn growing(&self, owner: i64, sha256: &str) -> Growing {
        Growing::at(self.whole(sha256), &self.root.join("parts"), &format!("{owner}-{sha256}"))
    }

    fn turn(&self, owner: i64, sha256: &str) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= REMEMBERED {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry((owner, sha256.to_owned())).or_default())
    }

    pub(super) fn size(&self, owner: i64, sha256: &str) -> io::Result<FileSize> {
        self.growing(owner, sha256).part_size()
    }

    pub(super) fn append(
        &self,
        owner: i64,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError> {
        let turn = self.turn(owner, &aim.sha256);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.growing(owner, &aim.sha256);
        if !file.has_aim(aim) {
            file.begin(aim)?;
        }
        let size = file.append(aim, offset, bytes)?;
        if size.complete {
            file.give_up()?;
        }
        Ok(size)
    }

    pub(super) fn read(&self, sha256: &str, from: u64) -> io::Result<Option<Stored>> {
        growing::read(&self.whole(sha256), from)
    }

    pub(super) fn give_up(&self, owner: i64, sha256: &str) -> io::Result<()> {
        self.growing(owner, sha256).give_up()
    }

    pub(super) fn remove(&self, sha256: &str) -> io::Result<()> {
        growing::remove(&self.whole(sha256))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// SHA-256 of `hello`.
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn aim(size: u64) -> FileAim {
        FileAim { size, sha256: HELLO.to_owned() }
    }

    fn partly(bytes: u64) -> FileSize {
        FileSize { bytes, complete: false }
    }

    fn text(uploads: &Uploads, from: u64) -> Option<(u64, String)> {
        let mut stored = uploads.read(HELLO, from).unwrap()?;
        let mut text = String::new();
        stored.rest.read_to_string(&mut text).unwrap();
        Some((stored.size, text))
    }

    #[test]
    fn pieces_become_a_file_by_its_digest_and_go_on_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Uploads::in_directory(directory.path().to_owned());
        assert_eq!(open().append(7, &aim(5), 0, b"he").unwrap(), partly(2));
        assert_eq!(open().size(7, HELLO).unwrap(), partly(2), "another process of the server");
        assert!(matches!(open().append(7, &aim(5), 3, b"lo"), Err(StoreError::Gap { have: 2, offset: 3 })));
        assert_eq!(open().append(7, &aim(5), 1, b"ell").unwrap(), partly(4), "what is there is skipped");
        assert_eq!(text(&open(), 0), None);
        assert!(open().append(7, &aim(5), 4, b"o").unwrap().complete);
        assert_eq!(text(&open(), 0), Some((5, "hello".to_owned())));
        assert_eq!(text(&open(), 3), Some((5, "lo".to_owned())));
        assert_eq!(text(&open(), 9), Some((5, String::new())));
    }

    #[test]
    fn bytes_of_another_digest_are_thrown_away_and_so_is_another_aim() {
        let directory = tempfile::tempdir().unwrap();
        let uploads = Uploads::in_directory(directory.path().to_owned());
        assert!(matches!(uploads.append(7, &aim(5), 0, b"hallo"), Err(StoreError::WrongDigest)));
        assert!(matches!(uploads.append(7, &aim(5), 0, b"hello, world"), Err(StoreError::WrongDigest)));
        assert_eq!(uploads.size(7, HELLO).unwrap(), partly(0));
        uploads.append(7, &aim(9), 0, b"hell").unwrap();
        assert_eq!(uploads.append(7, &aim(5), 0, b"h").unwrap(), partly(1), "it was announced anew");
    }

    #[test]
    fn what_one_sends_is_nothing_to_the_other_and_the_same_file_is_kept_once() {
        let directory = tempfile::tempdir().unwrap();
        let uploads = Uploads::in_directory(directory.path().to_owned());
        uploads.append(7, &aim(5), 0, b"hello").unwrap();
        assert_eq!(uploads.size(8, HELLO).unwrap(), partly(0), "it must show that it has the bytes");
        assert!(matches!(uploads.append(8, &aim(5), 0, b"guess"), Err(StoreError::WrongDigest)));
        assert!(uploads.append(8, &aim(5), 0, b"hello").unwrap().complete);
        let kept = std::fs::read_dir(directory.path().join(&HELLO[..2])).unwrap().count();
        assert_eq!((kept, std::fs::read_dir(directory.path().join("parts")).unwrap().count()), (1, 0));
        uploads.remove(HELLO).unwrap();
        uploads.remove(HELLO).unwrap();
        assert_eq!(text(&uploads, 0), None);
    }
}
