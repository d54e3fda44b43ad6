//! Writing an archive.

use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use super::TarError;
use crate::{Content, Device, Entry, Node, Tree, TreePath};

/// Writes all of `tree` as one archive with GNU headers, deterministically: members in the order of their
/// paths, no names of users, no time but the tree's own. Another name of a file follows the file.
pub fn write(tree: &Tree, output: impl Write) -> Result<(), TarError> {
    let mut builder = Builder::new(output);
    let is_link = |entry: &Entry| matches!(entry.node, Node::HardLink(_));
    for (path, entry) in tree.iter().filter(|(_, entry)| !is_link(entry)) {
        member(&mut builder, path, entry)?;
    }
    for (path, entry) in tree.iter().filter(|(_, entry)| is_link(entry)) {
        member(&mut builder, path, entry)?;
    }
    builder.into_inner()?.flush()?;
    Ok(())
}

fn member<W: Write>(builder: &mut Builder<W>, path: &TreePath, entry: &Entry) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(entry.meta.mode & 0o7777);
    header.set_uid(entry.meta.uid.into());
    header.set_gid(entry.meta.gid.into());
    header.set_mtime(entry.meta.mtime);
    header.set_size(0);
    let link = |builder: &mut Builder<W>, mut header: Header, kind, target: &std::path::Path| {
        header.set_entry_type(kind);
        builder.append_link(&mut header, path.as_path(), target)
    };
    let special = |mut header: Header, kind, device: &Device| {
        header.set_entry_type(kind);
        header.set_device_major(device.major)?;
        header.set_device_minor(device.minor)?;
        io::Result::Ok(header)
    };
    let mut header = match &entry.node {
        Node::File(content) => return file(builder, header, path, content),
        Node::HardLink(target) => return link(builder, header, EntryType::Link, target.as_path()),
        Node::Symlink(target) => {
            use std::os::unix::ffi::OsStrExt;
            let target = std::path::Path::new(std::ffi::OsStr::from_bytes(target));
            return link(builder, header, EntryType::Symlink, target);
        }
        Node::Directory => {
            header.set_entry_type(EntryType::Directory);
            header
        }
        Node::Fifo => {
            header.set_entry_type(EntryType::Fifo);
            header
        }
        Node::CharacterDevice(device) => special(header, EntryType::Char, device)?,
        Node::BlockDevice(device) => special(header, EntryType::Block, device)?,
    };
    builder.append_data(&mut header, path.as_path(), io::empty())
}

/// A file's contents come from wherever they are; the builder wants a reader.
fn file<W: Write>(
    builder: &mut Builder<W>,
    mut header: Header,
    path: &TreePath,
    content: &Content,
) -> io::Result<()> {
    header.set_entry_type(EntryType::Regular);
    header.set_size(content.len());
    builder.append_data(&mut header, path.as_path(), content.open()?)
}
