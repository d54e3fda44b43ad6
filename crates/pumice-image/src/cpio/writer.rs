//! Writing an archive.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use super::{CpioError, Header, TRAILER, padding};
use crate::{Content, Device, Entry, Node, Tree, TreePath};

/// Writes all of `tree` as one archive, deterministically: members in the order of their paths, inode numbers
/// counted from 1, no time but the tree's own.
///
/// Of a file with several names the last one carries the contents, as the kernel and GNU cpio expect.
pub fn write(tree: &Tree, output: impl Write) -> Result<(), CpioError> {
    write_some(tree, output, |_, _| true)
}

/// Writes those entries of `tree` that `is_wanted` picks.
pub(super) fn write_some(
    tree: &Tree,
    output: impl Write,
    is_wanted: impl Fn(&TreePath, &Entry) -> bool,
) -> Result<(), CpioError> {
    let mut links: HashMap<&TreePath, Links<'_>> = HashMap::new();
    for (path, entry) in tree.iter().filter(|(path, entry)| is_wanted(path, entry)) {
        match &entry.node {
            Node::HardLink(target) => links.entry(target).or_default().add(path),
            Node::File(_) => links.entry(path).or_default().add(path),
            _ => {}
        }
    }
    let mut writer = Writer::new(output);
    for (path, entry) in tree.iter().filter(|(path, entry)| is_wanted(path, entry)) {
        let target = match &entry.node {
            Node::HardLink(target) => target,
            _ => path,
        };
        let Some(group) = links.get_mut(target) else {
            writer.entry(path, entry)?;
            continue;
        };
        let Some(first) = tree.get(target) else { continue };
        let Node::File(content) = &first.node else { continue };
        let inode = *group.inode.get_or_insert_with(|| writer.next_inode());
        let header = Header { inode, links: group.count, ..header(path, first) };
        if group.last == Some(path) {
            writer.member(header, content)?;
        } else {
            writer.member(header, &Content::Bytes(Vec::new()))?;
        }
    }
    writer.finish()?;
    Ok(())
}

/// The names of one file.
#[derive(Default)]
struct Links<'a> {
    count: u32,
    last: Option<&'a TreePath>,
    inode: Option<u32>,
}

impl<'a> Links<'a> {
    fn add(&mut self, path: &'a TreePath) {
        self.count += 1;
        self.last = Some(path);
    }
}

/// Writes an archive member by member, to any output, holding nothing back.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    position: u64,
    inode: u32,
}

impl<W: Write> Writer<W> {
    /// An archive that begins at the begin of `output`.
    pub fn new(output: W) -> Self {
        Self { output, position: 0, inode: 0 }
    }

    /// Writes one entry. A [`Node::HardLink`] is written as an empty file: only [`write()`] sees the others.
    pub fn entry(&mut self, path: &TreePath, entry: &Entry) -> Result<(), CpioError> {
        let inode = self.next_inode();
        let header = Header { inode, ..header(path, entry) };
        match &entry.node {
            Node::File(content) => self.member(header, content),
            Node::Symlink(target) => self.member(header, &Content::Bytes(target.clone())),
            _ => self.member(header, &Content::Bytes(Vec::new())),
        }
    }

    /// Writes the trailer and gives the output back.
    pub fn finish(mut self) -> Result<W, CpioError> {
        let trailer = Header { name: TRAILER.to_vec(), links: 1, ..Header::default() };
        self.member(trailer, &Content::Bytes(Vec::new()))?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn next_inode(&mut self) -> u32 {
        self.inode = self.inode.wrapping_add(1);
        self.inode
    }

    fn member(&mut self, mut header: Header, content: &Content) -> Result<(), CpioError> {
        header.size = u32::try_from(content.len())
            .map_err(|_| CpioError::TooLong(String::from_utf8_lossy(&header.name).into_owned()))?;
        self.put(&header.encode())?;
        self.put(&header.name)?;
        self.put(&[0])?;
        self.pad()?;
        content.copy_to(&mut self.output)?;
        self.position += content.len();
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self) -> Result<(), CpioError> {
        Ok(self.put(&[0; 3][..padding(self.position)])?)
    }
}

/// What a member says about an entry; its inode number, size and number of names are still to be set.
fn header(path: &TreePath, entry: &Entry) -> Header {
    let special = match entry.node {
        Node::CharacterDevice(Device { major, minor }) | Node::BlockDevice(Device { major, minor }) => {
            (major, minor)
        }
        _ => (0, 0),
    };
    Header {
        name: path.as_bytes().to_vec(),
        mode: entry.st_mode(),
        uid: entry.meta.uid,
        gid: entry.meta.gid,
        links: if entry.node == Node::Directory { 2 } else { 1 },
        mtime: u32::try_from(entry.meta.mtime).unwrap_or(u32::MAX),
        special,
        ..Header::default()
    }
}
