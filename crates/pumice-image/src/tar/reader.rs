//! Reading an archive that may be hostile.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufReader, Read, Seek},
    path::Path,
    sync::Arc,
};

use tar::{Archive, EntryType};

use super::TarError;
use crate::{Content, Device, Entry, Limits, Meta, Node, Tree, TreePath};

/// What becomes of symbolic links that leave the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPolicy {
    /// Refused: the files are going to stand in a directory of the host.
    Inside,
    /// Kept as they are: the files are going to be a guest's root, where `/bin/sh` means the guest's.
    GuestRoot,
}

/// How large the sparse members may be together, in bytes. Their holes have no place in the archive, so they are held in
/// memory.
const LARGEST_SPARSE: u64 = 64 << 20;

/// Reads an archive into a tree, the contents into memory: for archives that are small by nature, such as a
/// repository of tests.
pub fn read(input: impl Read, links: LinkPolicy, limits: Limits) -> Result<Tree, TarError> {
    let mut collector = Collector::new(links, limits);
    let mut archive = Archive::new(input);
    for member in archive.entries()? {
        let mut member = member?;
        collector.add(&mut member, |member, size| {
            let mut bytes = Vec::new();
            member.take(size).read_to_end(&mut bytes)?;
            complete(&bytes, size)?;
            Ok(Content::Bytes(bytes))
        })?;
    }
    Ok(collector.tree)
}

/// Reads the archive that is the file at `path` into a tree whose files are ranges of that file: a root file
/// system of gigabytes takes no memory and no disk. The file must stay as it is until the tree is written.
pub fn read_file(path: &Path, links: LinkPolicy, limits: Limits) -> Result<Tree, TarError> {
    let mut collector = Collector::new(links, limits);
    let shared: Arc<Path> = Arc::from(path);
    let mut file = BufReader::new(File::open(path)?);
    let length = file.get_ref().metadata()?.len();
    file.rewind()?;
    let mut archive = Archive::new(file);
    let mut held = 0_u64;
    for member in archive.entries_with_seek()? {
        let mut member = member?;
        let offset = member.raw_file_position();
        collector.add(&mut member, |member, size| {
            if member.header().entry_type().is_gnu_sparse() || is_pax_sparse(member)? {
                held = held.saturating_add(size);
                if held > LARGEST_SPARSE {
                    let what = format!("sparse files of {held} bytes; pack it without --sparse");
                    return Err(TarError::TooMuch { what });
                }
                let mut bytes = Vec::new();
                member.take(size).read_to_end(&mut bytes)?;
                complete(&bytes, size)?;
                return Ok(Content::Bytes(bytes));
            }
            if offset.checked_add(size).is_none_or(|end| end > length) {
                return Err(cut_short().into());
            }
            Ok(Content::Range { path: Arc::clone(&shared), offset, length: size })
        })?;
    }
    Ok(collector.tree)
}

/// What the members seen so far make.
struct Collector {
    tree: Tree,
    links: LinkPolicy,
    limits: Limits,
    entries: u64,
    bytes: u64,
}

impl Collector {
    fn new(links: LinkPolicy, limits: Limits) -> Self {
        Self { tree: Tree::new(), links, limits, entries: 0, bytes: 0 }
    }

    fn add<R: Read>(
        &mut self,
        member: &mut tar::Entry<'_, R>,
        contents: impl FnOnce(&mut tar::Entry<'_, R>, u64) -> Result<Content, TarError>,
    ) -> Result<(), TarError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(TarError::TooMuch { what: format!("more than {} members", self.limits.entries) });
        }
        let kind = member.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let name = member.path_bytes().into_owned();
        if name.starts_with(b"/") {
            return Err(TarError::Absolute(shown(&name)));
        }
        if is_root(&name) {
            return Ok(());
        }
        let path = TreePath::new(&name)?;
        let size = member.size();
        let node = match kind {
            EntryType::Directory => Node::Directory,
            EntryType::Symlink => {
                let target = link_target(member, &name)?;
                self.check_link(&path, &target)?;
                Node::Symlink(target)
            }
            EntryType::Link => {
                let target = link_target(member, &name)?;
                if target.starts_with(b"/") {
                    return Err(TarError::Absolute(shown(&target)));
                }
                Node::HardLink(TreePath::new(target)?)
            }
            EntryType::Char => Node::CharacterDevice(device(member)?),
            EntryType::Block => Node::BlockDevice(device(member)?),
            EntryType::Fifo => Node::Fifo,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.bytes = self.bytes.saturating_add(size);
                if self.bytes > self.limits.bytes {
                    return Err(TarError::TooMuch { what: format!("more than {} bytes", self.limits.bytes) });
                }
                Node::File(contents(member, size)?)
            }
            other => {
                let kind = other.as_byte().escape_ascii().to_string();
                return Err(TarError::Kind { path: shown(&name), kind });
            }
        };
        let header = member.header();
        let narrow = |number: u64| u32::try_from(number).unwrap_or(0);
        let meta = Meta {
            mode: header.mode()? & 0o7777,
            uid: narrow(header.uid()?),
            gid: narrow(header.gid()?),
            mtime: header.mtime().unwrap_or(0),
        };
        self.tree.insert(&path, Entry::new(meta, node))?;
        Ok(())
    }

    /// Whether a link stays inside, counting how deep its target goes.
    fn check_link(&self, path: &TreePath, target: &[u8]) -> Result<(), TarError> {
        if self.links == LinkPolicy::GuestRoot {
            return Ok(());
        }
        let mut depth = path.components().count() - 1;
        let mut stays = !target.starts_with(b"/");
        for name in target.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." if depth == 0 => stays = false,
                b".." => depth -= 1,
                _ => depth += 1,
            }
        }
        if stays {
            Ok(())
        } else {
            Err(TarError::LinkEscape { path: path.to_string(), target: shown(target) })
        }
    }
}

fn link_target<R: Read>(member: &tar::Entry<'_, R>, name: &[u8]) -> Result<Vec<u8>, TarError> {
    let missing = || {
        let message = format!("the link `{}` has no target", shown(name));
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    Ok(member.link_name_bytes().map(Cow::into_owned).ok_or_else(missing)?)
}

fn device<R: Read>(member: &tar::Entry<'_, R>) -> Result<Device, TarError> {
    let header = member.header();
    Ok(Device { major: header.device_major()?.unwrap_or(0), minor: header.device_minor()?.unwrap_or(0) })
}

/// Whether GNU tar wrote the member with its own keys in a pax header, a form whose map of holes is inside
/// the contents and which the `tar` crate reads as plain bytes.
fn is_pax_sparse<R: Read>(member: &mut tar::Entry<'_, R>) -> Result<bool, TarError> {
    let Some(extensions) = member.pax_extensions()? else { return Ok(false) };
    for extension in extensions {
        if extension?.key_bytes().starts_with(b"GNU.sparse.") {
            let what = "a sparse file in the pax form; pack it without --sparse or with --format=gnu";
            return Err(TarError::TooMuch { what: what.to_owned() });
        }
    }
    Ok(false)
}

fn complete(bytes: &[u8], size: u64) -> Result<(), TarError> {
    if bytes.len() as u64 == size { Ok(()) } else { Err(cut_short().into()) }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends in the middle of a file")
}

fn is_root(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'/').all(|part| matches!(part, b"" | b"."))
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(200)]).escape_debug().to_string()
}
