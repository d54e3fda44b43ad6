//! What is told of a file, and what of it can be set (RFC 1813, 2.5 and 2.6).

use crate::{
    files::{Files, Status},
    inode::{Inode, Kind, Time},
    rpc::Caller,
    xdr::{Malformed, Reader, Writer},
};

/// The one file system there is.
const FILE_SYSTEM: u64 = 1;

/// Writes `fattr3`.
fn write(inode: &Inode, number: u64, results: &mut Writer) {
    let (kind, links, device) = match &inode.kind {
        Kind::File(_) => (1, inode.links, None),
        // A directory is named by itself too. How many below name it, nobody counts.
        Kind::Directory(_) => (2, 2, None),
        Kind::Block(device) => (3, inode.links, Some(device)),
        Kind::Character(device) => (4, inode.links, Some(device)),
        Kind::Symlink(_) => (5, inode.links, None),
        Kind::Socket => (6, inode.links, None),
        Kind::Fifo => (7, inode.links, None),
    };
    let (major, minor) = device.map_or((0, 0), |device| (device.major, device.minor));
    results.u32(kind).u32(inode.mode).u32(links).u32(inode.uid).u32(inode.gid);
    results.u64(inode.size()).u64(inode.size()).u32(major).u32(minor).u64(FILE_SYSTEM).u64(number);
    for time in [inode.accessed, inode.modified, inode.changed] {
        results.u32(time.seconds).u32(time.nanoseconds);
    }
}

impl Files {
    /// What is told of a file that is there (`fattr3`).
    pub(crate) fn write_attributes(&self, number: u64, results: &mut Writer) -> Result<(), Status> {
        write(self.inode(number)?, number, results);
        Ok(())
    }

    /// What is told of a file by the way (`post_op_attr`): nothing, when it is gone.
    pub(crate) fn write_optional(&self, number: u64, results: &mut Writer) {
        match self.inode(number) {
            Ok(inode) => write(inode, number, results.bool(true)),
            Err(_) => {
                results.bool(false);
            }
        }
    }

    /// How a file was before, which is not told, and is after (`wcc_data`).
    pub(crate) fn write_change(&self, number: u64, results: &mut Writer) {
        results.bool(false);
        self.write_optional(number, results);
    }

    /// Sets what is asked for.
    pub(crate) fn set(&mut self, number: u64, wanted: &Wanted) -> Result<(), Status> {
        if let Some(size) = wanted.size {
            self.resize(number, size)?;
        }
        let inode = self.inode_mut(number)?;
        wanted.apply(inode);
        inode.changed = Time::now();
        Ok(())
    }
}

/// What is asked to be set (`sattr3`).
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    pub(crate) size: Option<u64>,
    accessed: Option<Time>,
    modified: Option<Time>,
}

impl Wanted {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            mode: reader.optional(Reader::u32)?,
            uid: reader.optional(Reader::u32)?,
            gid: reader.optional(Reader::u32)?,
            size: reader.optional(Reader::u64)?,
            accessed: time(reader)?,
            modified: time(reader)?,
        })
    }

    /// Sets all but the size.
    fn apply(&self, inode: &mut Inode) {
        inode.mode = self.mode.map_or(inode.mode, |mode| mode & 0o7777);
        inode.uid = self.uid.unwrap_or(inode.uid);
        inode.gid = self.gid.unwrap_or(inode.gid);
        inode.accessed = self.accessed.unwrap_or(inode.accessed);
        inode.modified = self.modified.unwrap_or(inode.modified);
    }

    /// A new file as asked for: the caller's, where nothing else is said.
    pub(crate) fn inode(&self, kind: Kind, caller: &Caller) -> Inode {
        let meta = pumice_image::Meta { mode: 0o644, uid: caller.uid, gid: caller.gid, mtime: 0 };
        let mut inode = Inode::new(kind, meta);
        inode.touch();
        inode.accessed = inode.modified;
        self.apply(&mut inode);
        inode
    }
}

/// A time to be set (`set_atime`): none, the server's own, or the client's.
fn time(reader: &mut Reader<'_>) -> Result<Option<Time>, Malformed> {
    Ok(match reader.u32()? {
        0 => None,
        1 => Some(Time::now()),
        2 => Some(Time { seconds: reader.u32()?, nanoseconds: reader.u32()? }),
        _ => return Err(Malformed),
    })
}
