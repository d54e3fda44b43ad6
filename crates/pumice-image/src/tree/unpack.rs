//! A tree as files of the host.

use std::{
    ffi::OsStr,
    fs::{self, File, FileTimes, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Entry, Node, Tree, TreeError, TreePath};

impl Tree {
    /// Writes all files below `directory`, which must not exist; gives the paths of those that an ordinary
    /// user cannot make: devices. Everything belongs to who writes it, so that programs that run as their
    /// owner (setuid) do not; permissions and times are kept otherwise.
    ///
    /// Symbolic links are written as they are, and nothing is written through one: the directory of every file
    /// of a tree is a directory of the tree.
    pub fn unpack(&self, directory: &Path) -> Result<Vec<TreePath>, TreeError> {
        let failed = |path: &Path, source| TreeError::Host { path: path.display().to_string(), source };
        fs::create_dir(directory).map_err(|source| failed(directory, source))?;
        let mut left_out = Vec::new();
        for wants_links in [false, true] {
            for (path, entry) in self.iter() {
                if matches!(entry.node, Node::HardLink(_)) != wants_links {
                    continue;
                }
                let host = directory.join(path.as_path());
                let is_made = make(directory, &host, entry).map_err(|source| failed(&host, source))?;
                if !is_made {
                    left_out.push(path.clone());
                }
            }
        }
        // Last, and the deepest first: a directory that may not be written to, or whose time must not change.
        for (path, entry) in self.entries.iter().rev() {
            if entry.node == Node::Directory {
                let host = directory.join(path.as_path());
                finish(&host, entry).map_err(|source| failed(&host, source))?;
            }
        }
        Ok(left_out)
    }
}

/// Makes one file; `false` where an ordinary user cannot.
fn make(directory: &Path, host: &Path, entry: &Entry) -> io::Result<bool> {
    match &entry.node {
        Node::Directory => fs::create_dir(host)?,
        Node::File(content) => {
            content.copy_to(&mut File::create_new(host)?)?;
            finish(host, entry)?;
        }
        Node::HardLink(target) => fs::hard_link(directory.join(target.as_path()), host)?,
        Node::Symlink(target) => symlink(OsStr::from_bytes(target), host)?,
        Node::Fifo => {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            mknodat(CWD, host, FileType::Fifo, Mode::from_raw_mode(entry.meta.mode & 0o777), 0)?;
        }
        Node::CharacterDevice(_) | Node::BlockDevice(_) => return Ok(false),
    }
    Ok(true)
}

/// Sets permissions and time of a file or directory that is not a link.
fn finish(host: &Path, entry: &Entry) -> io::Result<()> {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(entry.meta.mtime));
    if let Some(time) = time {
        File::open(host)?.set_times(FileTimes::new().set_modified(time))?;
    }
    // Who made it can always go on with it and remove it.
    let own = if entry.node == Node::Directory { 0o700 } else { 0o400 };
    fs::set_permissions(host, Permissions::from_mode(entry.meta.mode & 0o1777 | own))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::{Device, Meta};

    #[test]
    fn a_tree_comes_back_from_the_files_it_became() {
        let mut tree = Tree::new();
        tree.directory("usr/bin", 0o555).unwrap().symlink("bin", "/usr/bin").unwrap();
        tree.file("bin/sh", 0o4755, "shell").unwrap();
        let meta = Meta { mtime: 1_700_000_000, ..Meta::new(0o640) };
        tree.insert(&TreePath::new("etc/x").unwrap(), Entry::new(meta, Node::File("x".into()))).unwrap();
        tree.insert(&TreePath::new("pipe").unwrap(), Entry::new(Meta::new(0o600), Node::Fifo)).unwrap();
        let link = Node::HardLink(TreePath::new("usr/bin/sh").unwrap());
        tree.insert(&TreePath::new("a").unwrap(), Entry::new(Meta::new(0o755), link)).unwrap();
        tree.character_device("dev/null", 0o666, Device { major: 1, minor: 3 }).unwrap();

        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        let left_out = tree.unpack(&root).unwrap();
        assert_eq!(left_out, [TreePath::new("dev/null").unwrap()]);
        assert!(tree.unpack(&root).is_err(), "nothing is written into a directory that is there");
        let again = Tree::from_directory(&root).unwrap();
        let mode = |path: &str| again.get(&TreePath::new(path).unwrap()).unwrap().st_mode();
        assert_eq!(mode("usr/bin/sh"), 0o100_755, "without setuid");
        assert_eq!(mode("usr/bin"), 0o040_755, "and its owner can remove it");
        assert_eq!((mode("etc/x"), mode("pipe"), mode("bin")), (0o100_640, 0o010_600, 0o120_777));
        let metadata = fs::metadata(root.join("etc/x")).unwrap();
        assert_eq!(metadata.mtime(), 1_700_000_000);
        let inode = |path: &str| fs::metadata(root.join(path)).unwrap().ino();
        assert_eq!(inode("a"), inode("usr/bin/sh"));
    }
}
