//! Writing files into a file system.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, Permissions},
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use pumice_types::ByteSize;

use super::{
    Ext4Error, FileSystem, Superblock,
    read::Standing,
    script::{Attributes, Script},
    tool,
};
use crate::{Content, Device, Entry, Node, Tree, TreePath, disk::Region};

/// Puts everything `tree` holds into the file system that lies in `region`. Directories that are there stay,
/// and symbolic links to directories are followed as a guest would follow them; files that are there are
/// replaced. The image must be the caller's own. A file without a time (0) gets second 1 of 1970, because 0
/// means "now" to e2fsprogs.
///
/// When this fails the file system may hold a part of the files; it is not to be used.
pub fn write(region: &Region, tree: &Tree) -> Result<(), Ext4Error> {
    let superblock = Superblock::read(&region.open()?)?;
    let argument = tool::at_offset(&region.path, region.offset)?;
    if superblock.needs_recovery {
        // What the journal holds would be put over what is written now.
        let arguments = ["-p".into(), "-E".into(), "journal_only".into(), argument.clone()];
        let output = tool::run("e2fsck", &arguments, 0)?;
        // 1 and 2 mean that errors were corrected (e2fsck(8)).
        if !matches!(output.status.code(), Some(0..=2)) {
            tool::check("e2fsck", &output)?;
        }
    }
    check_room(&superblock, tree)?;
    let volume = FileSystem::open(region)?;
    let parent = region.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let scratch = tempfile::Builder::new().prefix(".pumice-").tempdir_in(parent.unwrap_or(Path::new(".")))?;
    // Most files of an overlay have the same time, which then need not be set one by one.
    let time = tree.iter().map(|(_, entry)| entry.meta.mtime).max().unwrap_or(0).max(1);
    let mut plan = Plan::new(&volume, std::path::absolute(scratch.path())?, time);
    for (path, entry) in tree.iter() {
        plan.add(path, entry)?;
    }
    let (script, expected) = plan.finish()?;
    let script_path = scratch.path().join("script");
    File::create(&script_path)?.write_all(&script)?;
    let arguments = ["-w".into(), "-f".into(), script_path.into_os_string(), argument];
    let output = tool::run("debugfs", &arguments, time)?;
    tool::check("debugfs", &output)?;
    let complaints = tool::complaints(&output.stderr);
    if !complaints.is_empty() {
        return Err(Ext4Error::Program { program: "debugfs", message: shortened(&complaints) });
    }
    // debugfs has been seen to say nothing; what counts is what is there.
    let volume = FileSystem::open(region)?;
    for (path, standing) in expected {
        if volume.standing(&path)? != Some(standing) {
            return Err(Ext4Error::NotWritten(String::from_utf8_lossy(&path).into_owned()));
        }
    }
    Ok(())
}

/// The first few of many lines.
fn shortened(lines: &[String]) -> String {
    let mut text = lines.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
    if lines.len() > 3 {
        text.push_str("; …");
    }
    text
}

/// Refuses what cannot fit before anything is written. Blocks of extent trees and grown directories are
/// estimated at one in a hundred.
fn check_room(superblock: &Superblock, tree: &Tree) -> Result<(), Ext4Error> {
    let block = superblock.block_bytes;
    let mut blocks = 0_u64;
    for (_, entry) in tree.iter() {
        blocks = blocks.saturating_add(match &entry.node {
            Node::File(content) => content.len().div_ceil(block),
            Node::Directory => 1,
            Node::Symlink(target) if target.len() >= 60 => 1,
            _ => 0,
        });
    }
    blocks = blocks.saturating_add(blocks / 100);
    let files = tree.len() as u64;
    if blocks > superblock.free_blocks || files > superblock.free_inodes {
        return Err(Ext4Error::NoRoom {
            needed: ByteSize(blocks.saturating_mul(block)),
            free: ByteSize(superblock.free_blocks.saturating_mul(block)),
            files,
            free_files: superblock.free_inodes,
        });
    }
    Ok(())
}

/// What must be there when a script was carried out, by its place. Two paths of a tree may be one place,
/// where a link leads there.
type Expected = BTreeMap<Vec<u8>, Standing>;

/// The commands so far, and what they lead to.
struct Plan<'a> {
    volume: &'a FileSystem,
    scratch: PathBuf,
    /// The time of everything that is made, unless it is set.
    time: u64,
    script: Script,
    /// The directory the script is in.
    here: Option<Vec<u8>>,
    /// Where the directories of the tree are in the file system, by their path in the tree.
    directories: HashMap<Vec<u8>, Vec<u8>>,
    /// Where each regular file is, and how many names it has.
    files: HashMap<TreePath, (Vec<u8>, u32)>,
    /// Hard links, which come after the files they name.
    postponed: Vec<(TreePath, TreePath)>,
    expected: Expected,
    spooled: u64,
}

impl<'a> Plan<'a> {
    fn new(volume: &'a FileSystem, scratch: PathBuf, time: u64) -> Self {
        Self {
            volume,
            scratch,
            time,
            script: Script::default(),
            here: None,
            directories: HashMap::from([(Vec::new(), b"/".to_vec())]),
            files: HashMap::new(),
            postponed: Vec::new(),
            expected: Expected::new(),
            spooled: 0,
        }
    }

    fn add(&mut self, path: &TreePath, entry: &Entry) -> Result<(), Ext4Error> {
        if let Node::HardLink(target) = &entry.node {
            self.postponed.push((path.clone(), target.clone()));
            return Ok(());
        }
        let place = self.place(path)?;
        if entry.node == Node::Directory {
            return self.add_directory(path, entry, place);
        }
        self.make_way(path, &place)?;
        self.enter_parent(&place)?;
        let name = path.name();
        let mut fresh = self.fresh(entry.node.file_type());
        let mut bytes = 0;
        match &entry.node {
            Node::File(content) => {
                let (host, permissions) = self.host_file(content, entry.meta.mode)?;
                self.script.write(&host, name)?;
                fresh.mode |= permissions;
                bytes = content.len();
                self.files.insert(path.clone(), (place.clone(), 1));
            }
            Node::Symlink(target) => {
                self.script.symlink(name, target)?;
                fresh.mode |= 0o777;
            }
            Node::CharacterDevice(Device { major, minor }) => {
                self.script.node(name, b"c", &[*major, *minor])?;
            }
            Node::BlockDevice(Device { major, minor }) => self.script.node(name, b"b", &[*major, *minor])?,
            Node::Fifo => self.script.node(name, b"p", &[])?,
            Node::Directory | Node::HardLink(_) => {}
        }
        let wanted = attributes(entry);
        self.script.set(name, fresh, wanted)?;
        self.expected.insert(place, standing(wanted, bytes));
        Ok(())
    }

    /// A directory is made, or the one that is there is taken, through a link where there is one.
    fn add_directory(&mut self, path: &TreePath, entry: &Entry, place: Vec<u8>) -> Result<(), Ext4Error> {
        let made = self.expected.get(&place).copied();
        let is_new = made.is_none() && self.volume.standing(&place)?.is_none();
        let wanted = attributes(entry);
        let place = if is_new {
            self.enter_parent(&place)?;
            self.script.make_directory(path.name())?;
            let fresh = self.fresh(entry.node.file_type());
            self.script.set(path.name(), Attributes { mode: fresh.mode | 0o755, ..fresh }, wanted)?;
            self.expected.insert(place.clone(), standing(wanted, 0));
            place
        } else {
            let known = made.filter(|made| made.is_directory()).map(|_| place.clone());
            let found = known.map_or_else(|| self.volume.directory(&place), |known| Ok(Some(known)))?;
            let found = found.ok_or_else(|| obstructed(path, &place, "a file"))?;
            if !entry.implied && found != b"/" {
                self.enter_parent(&found)?;
                let name = found.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
                // Nothing is known of it, so that everything is set.
                let other = Attributes { mode: 0, uid: !wanted.uid, gid: !wanted.gid, mtime: !wanted.mtime };
                self.script.set(&name, other, wanted)?;
                self.expected.insert(found.clone(), standing(wanted, 0));
            }
            found
        };
        self.directories.insert(path.as_bytes().to_vec(), place);
        Ok(())
    }

    /// What a file has that was just made: it is root's, with the time given to the program.
    fn fresh(&self, file_type: u32) -> Attributes {
        Attributes { mode: file_type, uid: 0, gid: 0, mtime: self.time }
    }

    /// Removes the file that stands where another is to be written.
    fn make_way(&mut self, path: &TreePath, place: &[u8]) -> Result<(), Ext4Error> {
        let standing = match self.expected.get(place) {
            Some(made) => Some(*made),
            None => self.volume.standing(place)?,
        };
        match standing {
            None => Ok(()),
            Some(standing) if standing.is_directory() => Err(obstructed(path, place, "a directory")),
            Some(_) => {
                self.enter_parent(place)?;
                self.script.remove(path.name())
            }
        }
    }

    /// The hard links, the numbers of names, and then the script and what it must lead to.
    fn finish(mut self) -> Result<(Vec<u8>, Expected), Ext4Error> {
        for (path, target) in std::mem::take(&mut self.postponed) {
            let place = self.place(&path)?;
            self.make_way(&path, &place)?;
            self.enter_parent(&place)?;
            if let Some((first, links)) = self.files.get_mut(&target) {
                *links += 1;
                self.script.link(first, path.name())?;
                if let Some(standing) = self.expected.get(first).copied() {
                    self.expected.insert(place, standing);
                }
            }
        }
        for (first, links) in self.files.values().filter(|(_, links)| *links > 1) {
            self.script.set_links(first, *links)?;
        }
        Ok((self.script.into_bytes(), self.expected))
    }

    /// Where a file of the tree goes: below its directory, wherever that is in the file system.
    fn place(&self, path: &TreePath) -> Result<Vec<u8>, Ext4Error> {
        let parent = path.parent().map_or_else(Vec::new, |parent| parent.as_bytes().to_vec());
        let directory = self.directories.get(&parent).ok_or_else(|| Ext4Error::NotFound(path.to_string()))?;
        Ok([directory.strip_suffix(b"/").unwrap_or(directory), b"/", path.name()].concat())
    }

    fn enter_parent(&mut self, place: &[u8]) -> Result<(), Ext4Error> {
        let end = place.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let parent = if end == 0 { &b"/"[..] } else { &place[..end] };
        if self.here.as_deref() != Some(parent) {
            self.script.enter(parent)?;
            self.here = Some(parent.to_vec());
        }
        Ok(())
    }

    /// A file of the host with exactly these contents, and the permissions debugfs will take from it.
    fn host_file(&mut self, content: &Content, mode: u32) -> Result<(PathBuf, u32), Ext4Error> {
        if let Content::Range { path, offset: 0, length } = content {
            let metadata = fs::metadata(path)?;
            if metadata.len() == *length && !has_control(path) {
                return Ok((std::path::absolute(path)?, metadata.mode() & 0o7777));
            }
        }
        self.spooled += 1;
        let host = self.scratch.join(self.spooled.to_string());
        let mut file = File::create_new(&host)?;
        content.copy_to(&mut file)?;
        // With the owner's right to read, which debugfs needs; the rest as the guest is to have it.
        let permissions = mode & 0o777 | 0o400;
        file.set_permissions(Permissions::from_mode(permissions))?;
        Ok((host, permissions))
    }
}

fn has_control(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| *byte < b' ' || *byte == 0x7f)
}

/// What an entry is to have.
fn attributes(entry: &Entry) -> Attributes {
    let meta = entry.meta;
    Attributes { mode: entry.st_mode(), uid: meta.uid, gid: meta.gid, mtime: meta.mtime.max(1) }
}

fn standing(attributes: Attributes, bytes: u64) -> Standing {
    let Attributes { mode, uid, gid, .. } = attributes;
    Standing { mode, uid, gid, bytes }
}

fn obstructed(path: &TreePath, place: &[u8], found: &'static str) -> Ext4Error {
    let obstacle = String::from_utf8_lossy(place).into_owned();
    Ext4Error::Obstructed { path: path.to_string(), obstacle, found }
}
