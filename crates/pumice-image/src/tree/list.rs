//! The list itself, and the one way to put a file into it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use pumice_types::{Blame, Cause};

use super::{Content, Device, Entry, Meta, Node, TreePath, TreePathError};
use crate::cause;

/// Symbolic links followed on the way to one file (`MAXSYMLINKS`, include/linux/namei.h).
const LINKS_FOLLOWED: u32 = 40;

/// Files by path, parents before their children.
///
/// Every file's directory is in the tree, and is a directory: [`Tree::insert`] makes the ones that are
/// missing and follows symbolic links inside the tree the way a guest would, so that `lib/modules/x` lands in
/// `usr/lib/modules/x` where `lib` is a link. A link never leads out of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    pub(super) entries: BTreeMap<TreePath, Entry>,
    /// The other names of a file, so that replacing it costs no walk through the list.
    hard_links: BTreeMap<TreePath, BTreeSet<TreePath>>,
}

/// A file cannot be put into a tree, or a tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The path is none.
    #[error(transparent)]
    Path(#[from] TreePathError),
    /// A file stands where a directory is needed, or the other way round.
    #[error("`{path}` cannot be put into the tree: `{obstacle}` is {found} there")]
    Obstructed {
        /// The file that was to be put there.
        path: TreePath,
        /// What is in the way.
        obstacle: TreePath,
        /// What it is, with its article.
        found: &'static str,
    },
    /// Links that go round in circles, or out of the tree.
    #[error("`{0}` cannot be put into the tree: its directory is a symbolic link that leads nowhere")]
    Link(TreePath),
    /// The other name of a file that is not there.
    #[error("`{path}` is a hard link to `{target}`, which is no regular file before it in the tree")]
    HardLink {
        /// The link.
        path: TreePath,
        /// What it names.
        target: TreePath,
    },
    /// A file of the host that cannot be read.
    #[error("failed to read `{path}`")]
    Host {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blame for TreeError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Host { source, .. } => cause::of_io(source),
            _ => Cause::ImageUnusable,
        }
    }
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory, owned by root.
    pub fn directory(&mut self, path: impl AsRef<[u8]>, mode: u32) -> Result<&mut Self, TreeError> {
        self.insert(&TreePath::new(path)?, Entry::new(Meta::new(mode), Node::Directory))
    }

    /// Adds a file, owned by root.
    pub fn file(
        &mut self,
        path: impl AsRef<[u8]>,
        mode: u32,
        content: impl Into<Content>,
    ) -> Result<&mut Self, TreeError> {
        self.insert(&TreePath::new(path)?, Entry::new(Meta::new(mode), Node::File(content.into())))
    }

    /// Adds a file, owned by root, whose contents are those of a file of the host.
    pub fn host_file(
        &mut self,
        path: impl AsRef<[u8]>,
        mode: u32,
        host: &Path,
    ) -> Result<&mut Self, TreeError> {
        let content = Content::host(host)
            .map_err(|source| TreeError::Host { path: host.display().to_string(), source })?;
        self.file(path, mode, content)
    }

    /// Adds a symbolic link, owned by root.
    pub fn symlink(
        &mut self,
        path: impl AsRef<[u8]>,
        target: impl Into<Vec<u8>>,
    ) -> Result<&mut Self, TreeError> {
        self.insert(&TreePath::new(path)?, Entry::new(Meta::new(0o777), Node::Symlink(target.into())))
    }

    /// Adds a character device, owned by root.
    pub fn character_device(
        &mut self,
        path: impl AsRef<[u8]>,
        mode: u32,
        device: Device,
    ) -> Result<&mut Self, TreeError> {
        self.insert(&TreePath::new(path)?, Entry::new(Meta::new(mode), Node::CharacterDevice(device)))
    }

    /// Puts `entry` at `path`. Its directories are made where they are missing. A file takes the place of
    /// another file; a directory that is there already takes the new permissions.
    pub fn insert(&mut self, path: &TreePath, mut entry: Entry) -> Result<&mut Self, TreeError> {
        let path = self.resolve(path)?;
        if let Node::HardLink(target) = &mut entry.node {
            let resolved = self.resolve(target)?;
            match self.entries.get(&resolved).map(|found| &found.node) {
                Some(Node::File(_)) => *target = resolved,
                Some(Node::HardLink(first)) => *target = first.clone(),
                _ => return Err(TreeError::HardLink { path, target: target.clone() }),
            }
            if *target == path {
                return Ok(self);
            }
        }
        let is_directory = entry.node == Node::Directory;
        match (self.entries.get(&path).map(|existing| &existing.node), is_directory) {
            (Some(Node::Directory), true) => {
                if !entry.implied {
                    self.entries.insert(path, entry);
                }
                return Ok(self);
            }
            (Some(Node::Symlink(_)), true) if self.resolve_directory(&path).is_some() => return Ok(self),
            (Some(Node::Directory), false) => {
                return Err(TreeError::Obstructed { obstacle: path.clone(), path, found: "a directory" });
            }
            (Some(_), true) => {
                return Err(TreeError::Obstructed { obstacle: path.clone(), path, found: "a file" });
            }
            (Some(Node::File(_)), false) => self.detach_links(&path),
            (Some(Node::HardLink(target)), false) => {
                if let Some(others) = self.hard_links.get_mut(target) {
                    others.remove(&path);
                }
            }
            (None, _) | (Some(_), false) => {}
        }
        let mut parent = path.parent();
        while let Some(directory) = parent {
            parent = directory.parent();
            self.entries.entry(directory).or_insert_with(Entry::implied_directory);
        }
        if let Node::HardLink(target) = &entry.node {
            self.hard_links.entry(target.clone()).or_default().insert(path.clone());
        }
        self.entries.insert(path, entry);
        Ok(self)
    }

    /// Gives the file at `path` its contents, for all its names.
    pub(crate) fn fill(&mut self, path: &TreePath, content: Content) {
        if let Some(Entry { node: Node::File(old), .. }) = self.entries.get_mut(path) {
            *old = content;
        }
    }

    /// Puts all of `other` over this tree.
    pub fn merge(&mut self, other: Self) -> Result<&mut Self, TreeError> {
        let (links, files): (Vec<_>, Vec<_>) =
            other.entries.into_iter().partition(|(_, entry)| matches!(entry.node, Node::HardLink(_)));
        for (path, entry) in files.into_iter().chain(links) {
            self.insert(&path, entry)?;
        }
        Ok(self)
    }

    /// The entry at exactly this path; links are not followed.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries, parents before their children, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.entries.iter()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The directories nobody asked for.
    pub fn implied(&self) -> impl Iterator<Item = &TreePath> {
        self.entries.iter().filter(|(_, entry)| entry.implied).map(|(path, _)| path)
    }

    /// Where a file named `path` really stands: its directory with all symbolic links followed, its own name
    /// as it is.
    pub fn resolve(&self, path: &TreePath) -> Result<TreePath, TreeError> {
        let Some(parent) = path.parent() else { return Ok(path.clone()) };
        let mut hops = 0;
        let mut waiting: Vec<Vec<u8>> = components_reversed(parent.as_bytes());
        let mut directory: Vec<u8> = Vec::new();
        while let Some(name) = waiting.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let end = directory.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    directory.truncate(end);
                    continue;
                }
                _ => {}
            }
            let base = directory.len();
            if base > 0 {
                directory.push(b'/');
            }
            directory.extend_from_slice(&name);
            let here = TreePath::new(&directory)?;
            match self.entries.get(&here).map(|entry| &entry.node) {
                None | Some(Node::Directory) => {}
                Some(Node::Symlink(target)) => {
                    hops += 1;
                    if hops > LINKS_FOLLOWED || target.contains(&0) {
                        return Err(TreeError::Link(path.clone()));
                    }
                    directory.truncate(if target.starts_with(b"/") { 0 } else { base });
                    waiting.extend(components_reversed(target));
                }
                Some(_) => {
                    return Err(TreeError::Obstructed {
                        path: path.clone(),
                        obstacle: here,
                        found: "a file",
                    });
                }
            }
        }
        if !directory.is_empty() {
            directory.push(b'/');
        }
        directory.extend_from_slice(path.name());
        Ok(TreePath::new(&directory)?)
    }

    /// The directory that `path` is or leads to.
    fn resolve_directory(&self, path: &TreePath) -> Option<TreePath> {
        let probe = TreePath::new([path.as_bytes(), b"/x"].concat()).ok()?;
        let directory = self.resolve(&probe).ok()?.parent()?;
        matches!(self.entries.get(&directory)?.node, Node::Directory).then_some(directory)
    }

    /// Before the file at `path` is replaced: its other names keep the old contents.
    fn detach_links(&mut self, path: &TreePath) {
        let Some(mut others) = self.hard_links.remove(path) else { return };
        let Some(first) = others.pop_first() else { return };
        if let Some(old) = self.entries.get(path).map(|entry| entry.node.clone())
            && let Some(entry) = self.entries.get_mut(&first)
        {
            entry.node = old;
        }
        for other in &others {
            if let Some(entry) = self.entries.get_mut(other) {
                entry.node = Node::HardLink(first.clone());
            }
        }
        if !others.is_empty() {
            self.hard_links.insert(first, others);
        }
    }
}

/// The components of a path as a stack, the first on top.
fn components_reversed(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
