//! Making a file system, for firmware to find a boot loader or a script in.
//!
//! Everything is known beforehand, so the image is laid out first and written once, from front to back:
//! boot sector, tables, and then each directory and file in one piece, in the order of their paths.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use pumice_types::ByteSize;

use super::{
    FatError,
    layout::{Layout, RESERVED_CLUSTERS},
    name::{ENTRY, Name},
};
use crate::{Content, Node, Tree, TreePath};

/// Makes the image `path`, which must not exist, with everything `tree` holds and at least `free` left.
/// Owners and permissions are lost: FAT has no place for them. The same tree gives the same bytes.
///
/// `label` is the name of the volume, of which 11 characters are kept, in upper case.
pub fn create(path: &Path, tree: &Tree, label: &str, free: ByteSize) -> Result<(), FatError> {
    let plan = Plan::new(tree, label)?;
    let file = File::create_new(path)?;
    plan.write(&file, free).inspect_err(|_| drop(std::fs::remove_file(path)))
}

/// What is to be written.
struct Plan<'a> {
    label: [u8; 11],
    /// By path, the root first, under an empty path.
    directories: BTreeMap<Vec<u8>, Directory<'a>>,
}

/// A directory: what is in it, in the order of names.
#[derive(Default)]
struct Directory<'a> {
    children: Vec<Child<'a>>,
    short_names: HashSet<[u8; 11]>,
    folded: HashSet<String>,
}

/// An entry of a directory.
struct Child<'a> {
    path: &'a TreePath,
    name: Name,
    /// `None` for a directory.
    content: Option<&'a Content>,
    mtime: u64,
}

impl Directory<'_> {
    /// Bytes of its entries: two for itself and the directory above, or one for the label.
    fn bytes(&self) -> u64 {
        let entries: usize = self.children.iter().map(|child| child.name.entries()).sum();
        (entries as u64 + 2) * ENTRY as u64
    }
}

impl<'a> Plan<'a> {
    fn new(tree: &'a Tree, label: &str) -> Result<Self, FatError> {
        let mut name = [b' '; 11];
        for (to, from) in name.iter_mut().zip(label.bytes().filter(u8::is_ascii_alphanumeric)) {
            *to = from.to_ascii_uppercase();
        }
        let mut plan =
            Self { label: name, directories: BTreeMap::from([(Vec::new(), Directory::default())]) };
        for (path, entry) in tree.iter() {
            let unsupported = |what| FatError::Unsupported { path: path.to_string(), what };
            let content = match &entry.node {
                Node::Directory => None,
                Node::File(content) => Some(content),
                Node::HardLink(target) => match tree.get(target).map(|entry| &entry.node) {
                    Some(Node::File(content)) => Some(content),
                    _ => return Err(unsupported("a link to nothing")),
                },
                Node::Symlink(_) => return Err(unsupported("a symbolic link")),
                Node::CharacterDevice(_) | Node::BlockDevice(_) => return Err(unsupported("a device")),
                Node::Fifo => return Err(unsupported("a pipe")),
            };
            if content.is_some_and(|content| u32::try_from(content.len()).is_err()) {
                return Err(unsupported("a file of 4 GiB or more"));
            }
            let parent = path.parent().map_or_else(Vec::new, |parent| parent.as_bytes().to_vec());
            let directory = plan.directories.entry(parent).or_default();
            let name = Name::new(path.name(), &mut directory.short_names).map_err(unsupported)?;
            if !directory.folded.insert(name.folded()) {
                return Err(unsupported("a second file of that name in other case"));
            }
            directory.children.push(Child { path, name, content, mtime: entry.meta.mtime });
            if content.is_none() {
                plan.directories.entry(path.as_bytes().to_vec()).or_default();
            }
        }
        Ok(plan)
    }

    fn write(&self, file: &File, free: ByteSize) -> Result<(), FatError> {
        let root_bytes = self.directories.get(&Vec::new()).map_or(0, Directory::bytes);
        let parts = self.directories.values().flat_map(|directory| {
            let files = directory.children.iter().filter_map(|child| child.content.map(Content::len));
            files.chain([directory.bytes()])
        });
        let layout = Layout::for_parts(parts, root_bytes, free.0);

        // Where everything goes: directories and files one after the other.
        let mut next = RESERVED_CLUSTERS;
        let mut chains = Vec::new();
        let mut places: BTreeMap<&[u8], u32> = BTreeMap::new();
        for (path, directory) in &self.directories {
            if path.is_empty() && !layout.root_is_chain() {
                places.insert(path, 0);
            } else {
                places.insert(path, next);
                next = layout.chain(next, directory.bytes(), &mut chains);
            }
            for child in &directory.children {
                if let Some(content) = child.content.filter(|content| !content.is_empty()) {
                    places.insert(child.path.as_bytes(), next);
                    next = layout.chain(next, content.len(), &mut chains);
                }
            }
        }
        file.set_len(layout.image_bytes())?;
        let mut output = BufWriter::with_capacity(256 << 10, file);
        layout.write_head(&mut output, &self.label, &chains)?;
        for (path, directory) in &self.directories {
            output.seek(SeekFrom::Start(layout.place(places.get(path.as_slice()).copied().unwrap_or(0))))?;
            output.write_all(&self.entries(path, directory, &places))?;
            for child in &directory.children {
                if let (Some(content), Some(cluster)) = (child.content, places.get(child.path.as_bytes())) {
                    output.seek(SeekFrom::Start(layout.place(*cluster)))?;
                    content.copy_to(&mut output)?;
                }
            }
        }
        output.flush()?;
        Ok(())
    }

    /// The bytes of a directory.
    fn entries(&self, path: &[u8], directory: &Directory<'_>, places: &BTreeMap<&[u8], u32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        if path.is_empty() {
            bytes.extend(Name::label(self.label));
        } else {
            let parent = path.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |slash| &path[..slash]);
            // The root is cluster 0 here, wherever it is (fatgen103, "dot entries").
            let above = if parent.is_empty() { 0 } else { places.get(parent).copied().unwrap_or(0) };
            let here = places.get(path).copied().unwrap_or(0);
            bytes.extend(Name::dots(here, above));
        }
        for child in &directory.children {
            let cluster = places.get(child.path.as_bytes()).copied().unwrap_or(0);
            let length = child.content.map(|content| u32::try_from(content.len()).unwrap_or(u32::MAX));
            bytes.extend(child.name.encode(cluster, length, child.mtime));
        }
        bytes
    }
}
