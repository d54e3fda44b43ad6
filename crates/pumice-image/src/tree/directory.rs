//! A tree from a directory of the host.

use std::{
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::Path,
    sync::Arc,
};

use super::{Content, Device, Entry, Meta, Node, Tree, TreeError, TreePath};

impl Tree {
    /// All files below `root`, with their permissions and times. The owner is root whoever the files belong
    /// to: a root file system kept in a directory of an ordinary user is meant that way. Sockets are left
    /// out; a symbolic link is kept as a link and never followed.
    pub fn from_directory(root: &Path) -> Result<Self, TreeError> {
        let mut tree = Self::new();
        tree.read_directory(root, &mut Vec::new())?;
        Ok(tree)
    }

    fn read_directory(&mut self, directory: &Path, inside: &mut Vec<u8>) -> Result<(), TreeError> {
        let failed = |path: &Path, source| TreeError::Host { path: path.display().to_string(), source };
        let list = fs::read_dir(directory).map_err(|source| failed(directory, source))?;
        for found in list {
            let found = found.map_err(|source| failed(directory, source))?;
            let host = found.path();
            let metadata = fs::symlink_metadata(&host).map_err(|source| failed(&host, source))?;
            let before = inside.len();
            if before > 0 {
                inside.push(b'/');
            }
            inside.extend_from_slice(found.file_name().as_bytes());
            let path = TreePath::new(&*inside)?;
            if let Some(node) = node(&host, &metadata).map_err(|source| failed(&host, source))? {
                let mtime = u64::try_from(metadata.mtime()).unwrap_or(0);
                let meta = Meta { mtime, ..Meta::new(metadata.mode()) };
                let is_directory = node == Node::Directory;
                self.insert(&path, Entry::new(meta, node))?;
                if is_directory {
                    self.read_directory(&host, inside)?;
                }
            }
            inside.truncate(before);
        }
        Ok(())
    }
}

/// What kind of file it is; `None` for a socket.
fn node(host: &Path, metadata: &fs::Metadata) -> std::io::Result<Option<Node>> {
    let device = || {
        // The numbers as Linux packs them into `dev_t` (makedev(3)).
        let rdev = metadata.rdev();
        let low = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or(0);
        Device {
            major: low((rdev >> 32 & 0xffff_f000) | (rdev >> 8 & 0xfff)),
            minor: low((rdev >> 12 & 0xffff_ff00) | (rdev & 0xff)),
        }
    };
    Ok(Some(match metadata.mode() & 0o170_000 {
        0o040_000 => Node::Directory,
        0o100_000 => Node::File(Content::Range { path: Arc::from(host), offset: 0, length: metadata.len() }),
        0o120_000 => Node::Symlink(fs::read_link(host)?.into_os_string().into_vec()),
        0o020_000 => Node::CharacterDevice(device()),
        0o060_000 => Node::BlockDevice(device()),
        0o010_000 => Node::Fifo,
        _ => return Ok(None),
    }))
}
