//! The tree that is served: its files by number, and what may be done with them.
//!
//! Numbers of files are never used twice, so that a handle to one that was removed is stale and nothing else.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

use pumice_image::{Content, Meta, Node, Tree, TreePath};

use crate::inode::{Data, Inode, Kind, Names};

/// The most files there may be: a guest cannot take all memory of the host.
const MOST_FILES: usize = 4 << 20;

/// The longest name, as on most file systems.
pub(crate) const LONGEST_NAME: usize = 255;

/// A tree cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A hard link that names nothing.
    #[error("the root file system links `{0}` to a file that it does not have")]
    DanglingLink(String),
    /// The directory for what is written cannot be made.
    #[error("cannot make `{}`", path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why something cannot be done (`nfsstat3`, RFC 1813, 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    NoEntry = 2,
    Io = 5,
    Exists = 17,
    NotDirectory = 20,
    IsDirectory = 21,
    Invalid = 22,
    NoSpace = 28,
    NameTooLong = 63,
    NotEmpty = 66,
    Stale = 70,
    NotSync = 10_002,
    TooSmall = 10_005,
}

impl From<io::Error> for Status {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::NoSpace } else { Self::Io }
    }
}

/// The files that are served.
#[derive(Debug)]
pub struct Files {
    inodes: HashMap<u64, Inode>,
    next: u64,
    /// Where the contents of files lie that were written to, each by its number.
    written: PathBuf,
}

impl Files {
    /// The root directory.
    pub(crate) const ROOT: u64 = 1;

    /// Takes a tree. What the guest writes goes to the directory `written`, which is made.
    ///
    /// # Errors
    /// The tree links to what it does not have, or the directory cannot be made.
    pub fn new(tree: &Tree, written: PathBuf) -> Result<Self, FilesError> {
        fs::create_dir_all(&written).map_err(|source| FilesError::Make { path: written.clone(), source })?;
        let root = Inode::new(Kind::Directory(Names::new(Self::ROOT)), Meta::new(0o755));
        let mut files = Self { inodes: HashMap::from([(Self::ROOT, root)]), next: Self::ROOT + 1, written };
        let mut numbers: HashMap<&TreePath, u64> = HashMap::new();
        let mut links = Vec::new();
        for (path, entry) in tree.iter() {
            let kind = match &entry.node {
                Node::HardLink(target) => {
                    links.push((path, target));
                    continue;
                }
                Node::Directory => None,
                Node::File(content) => Some(Kind::File(Data::Original(content.clone()))),
                Node::Symlink(target) => Some(Kind::Symlink(target.clone())),
                Node::CharacterDevice(device) => Some(Kind::Character(*device)),
                Node::BlockDevice(device) => Some(Kind::Block(*device)),
                Node::Fifo => Some(Kind::Fifo),
            };
            let parent = files.directory_of(path);
            let number = if let Some(kind) = kind {
                files.plant(parent, path.name(), Inode::new(kind, entry.meta))
            } else {
                let number = files.child_directory(parent, path.name());
                if let Some(inode) = files.inodes.get_mut(&number) {
                    let links = inode.links;
                    let names = std::mem::replace(&mut inode.kind, Kind::Fifo);
                    *inode = Inode { links, ..Inode::new(names, entry.meta) };
                }
                number
            };
            numbers.insert(path, number);
        }
        for (path, target) in links {
            let number = numbers.get(target).copied();
            let number = number.ok_or_else(|| FilesError::DanglingLink(path.to_string()))?;
            let parent = files.directory_of(path);
            files.name(parent, path.name(), number);
        }
        Ok(files)
    }

    /// The directory that a path stands in, made with those above it where the tree does not name them.
    fn directory_of(&mut self, path: &TreePath) -> u64 {
        let mut names: Vec<&[u8]> = path.components().collect();
        names.pop();
        names.into_iter().fold(Self::ROOT, |parent, name| self.child_directory(parent, name))
    }

    fn child_directory(&mut self, parent: u64, name: &[u8]) -> u64 {
        let known = self.names(parent).ok().and_then(|names| names.get(name));
        known.unwrap_or_else(|| {
            let inode = Inode::new(Kind::Directory(Names::new(parent)), Meta::new(0o755));
            self.plant(parent, name, inode)
        })
    }

    /// Adds a file under a name.
    fn plant(&mut self, parent: u64, name: &[u8], mut inode: Inode) -> u64 {
        let number = self.next;
        self.next += 1;
        inode.links = 0;
        self.inodes.insert(number, inode);
        self.name(parent, name, number);
        number
    }

    /// Gives a file one more name.
    pub(crate) fn name(&mut self, parent: u64, name: &[u8], number: u64) {
        if let Some(Inode { kind: Kind::Directory(names), .. }) = self.inodes.get_mut(&parent) {
            names.insert(name, number);
        }
        if let Some(inode) = self.inodes.get_mut(&number) {
            inode.links += 1;
            if let Kind::Directory(names) = &mut inode.kind {
                names.parent = parent;
            }
        }
    }

    pub(crate) fn inode(&self, number: u64) -> Result<&Inode, Status> {
        self.inodes.get(&number).ok_or(Status::Stale)
    }

    pub(crate) fn inode_mut(&mut self, number: u64) -> Result<&mut Inode, Status> {
        self.inodes.get_mut(&number).ok_or(Status::Stale)
    }

    /// The names in a directory.
    pub(crate) fn names(&self, number: u64) -> Result<&Names, Status> {
        match &self.inode(number)?.kind {
            Kind::Directory(names) => Ok(names),
            _ => Err(Status::NotDirectory),
        }
    }

    fn names_mut(&mut self, number: u64) -> Result<&mut Names, Status> {
        match &mut self.inode_mut(number)?.kind {
            Kind::Directory(names) => Ok(names),
            _ => Err(Status::NotDirectory),
        }
    }

    /// The file of a name; `.` and `..` are names too.
    pub(crate) fn lookup(&self, directory: u64, name: &[u8]) -> Result<u64, Status> {
        let names = self.names(directory)?;
        match name {
            b"." => Ok(directory),
            b".." => Ok(names.parent),
            name => names.get(name).ok_or(Status::NoEntry),
        }
    }

    /// Adds a file under a name that is free.
    pub(crate) fn create(&mut self, directory: u64, name: &[u8], inode: Inode) -> Result<u64, Status> {
        if name.len() > LONGEST_NAME {
            return Err(Status::NameTooLong);
        }
        if name.is_empty() || name.contains(&b'/') || name.contains(&0) || matches!(name, b"." | b"..") {
            return Err(Status::Invalid);
        }
        if self.names(directory)?.get(name).is_some() {
            return Err(Status::Exists);
        }
        if self.inodes.len() >= MOST_FILES {
            return Err(Status::NoSpace);
        }
        let number = self.plant(directory, name, inode);
        self.inode_mut(directory)?.touch();
        Ok(number)
    }

    /// Gives a file one more name, which must be free.
    pub(crate) fn link(&mut self, file: u64, directory: u64, name: &[u8]) -> Result<(), Status> {
        if matches!(self.inode(file)?.kind, Kind::Directory(_)) {
            return Err(Status::IsDirectory);
        }
        if self.names(directory)?.get(name).is_some() {
            return Err(Status::Exists);
        }
        self.name(directory, name, file);
        self.inode_mut(directory)?.touch();
        Ok(())
    }

    /// Takes a name away, and the file with its last one.
    pub(crate) fn remove(&mut self, directory: u64, name: &[u8]) -> Result<(), Status> {
        let number = self.names(directory)?.get(name).ok_or(Status::NoEntry)?;
        if matches!(&self.inode(number)?.kind, Kind::Directory(names) if !names.is_empty()) {
            return Err(Status::NotEmpty);
        }
        self.names_mut(directory)?.remove(name);
        self.inode_mut(directory)?.touch();
        self.unlinked(number);
        Ok(())
    }

    fn unlinked(&mut self, number: u64) {
        let Some(inode) = self.inodes.get_mut(&number) else { return };
        inode.links = inode.links.saturating_sub(1);
        if inode.links == 0 {
            if let Kind::File(Data::Own(_)) = inode.kind {
                drop(fs::remove_file(self.path(number)));
            }
            self.inodes.remove(&number);
        }
    }

    /// Gives a file another name in place of the one it has; who has the new one loses it.
    pub(crate) fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8])) -> Result<(), Status> {
        let number = self.names(from.0)?.get(from.1).ok_or(Status::NoEntry)?;
        let is_directory = |files: &Self, number| matches!(files.inode(number), Ok(inode) if matches!(inode.kind, Kind::Directory(_)));
        if let Some(other) = self.names(to.0)?.get(to.1) {
            if other == number {
                return Ok(());
            }
            match (is_directory(self, number), is_directory(self, other)) {
                (true, false) => return Err(Status::NotDirectory),
                (false, true) => return Err(Status::IsDirectory),
                _ => self.remove(to.0, to.1)?,
            }
        }
        if is_directory(self, number) && self.is_below(to.0, number) {
            return Err(Status::Invalid);
        }
        self.names_mut(from.0)?.remove(from.1);
        if let Ok(inode) = self.inode_mut(number) {
            inode.links = inode.links.saturating_sub(1);
        }
        self.name(to.0, to.1, number);
        self.inode_mut(from.0)?.touch();
        self.inode_mut(to.0)?.touch();
        Ok(())
    }

    /// Whether a directory is `top` or stands below it.
    fn is_below(&self, mut directory: u64, top: u64) -> bool {
        loop {
            if directory == top {
                return true;
            }
            match self.names(directory) {
                Ok(names) if directory != Self::ROOT => directory = names.parent,
                _ => return false,
            }
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.written.join(number.to_string())
    }

    /// Up to `count` bytes from `offset` on.
    pub(crate) fn read(&self, number: u64, offset: u64, count: usize) -> Result<Vec<u8>, Status> {
        let Kind::File(data) = &self.inode(number)?.kind else { return Err(Status::Invalid) };
        let left = data.len().saturating_sub(offset);
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut bytes = vec![0; count];
        match data {
            _ if count == 0 => {}
            Data::Original(Content::Bytes(all)) => {
                let begin = usize::try_from(offset).unwrap_or(usize::MAX);
                bytes.copy_from_slice(all.get(begin..begin.saturating_add(count)).ok_or(Status::Io)?);
            }
            Data::Original(Content::Range { path, offset: begin, .. }) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(begin + offset))?;
                file.read_exact(&mut bytes)?;
            }
            Data::Own(_) => File::open(self.path(number))?.read_exact_at(&mut bytes, offset)?,
        }
        Ok(bytes)
    }

    /// Writes bytes at `offset`.
    pub(crate) fn write(&mut self, number: u64, offset: u64, bytes: &[u8]) -> Result<(), Status> {
        let file = self.own(number)?;
        file.write_all_at(bytes, offset)?;
        let end = offset.saturating_add(bytes.len() as u64);
        let inode = self.inode_mut(number)?;
        if let Kind::File(data) = &mut inode.kind {
            *data = Data::Own(data.len().max(end));
        }
        inode.touch();
        Ok(())
    }

    /// Cuts a file off, or lets it grow by zeros.
    pub(crate) fn resize(&mut self, number: u64, size: u64) -> Result<(), Status> {
        self.own(number)?.set_len(size)?;
        let inode = self.inode_mut(number)?;
        inode.kind = Kind::File(Data::Own(size));
        inode.touch();
        Ok(())
    }

    /// The file on this host that holds what a regular file holds, copied there the first time.
    fn own(&mut self, number: u64) -> Result<File, Status> {
        let path = self.path(number);
        let inode = self.inode_mut(number)?;
        let Kind::File(data) = &mut inode.kind else { return Err(Status::Invalid) };
        let mut options = File::options();
        options.read(true).write(true);
        if let Data::Original(content) = data {
            let size = content.len();
            let mut file = options.create(true).truncate(true).open(&path)?;
            content.copy_to(&mut file)?;
            *data = Data::Own(size);
            return Ok(file);
        }
        Ok(options.open(path)?)
    }
}
