//! One file of the tree that is served.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pumice_image::{Content, Device, Meta};

/// A point in time: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
}

impl Time {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
        Self { seconds, nanoseconds: since.subsec_nanos() }
    }
}

/// One file.
#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) kind: Kind,
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) accessed: Time,
    pub(crate) modified: Time,
    pub(crate) changed: Time,
    /// How many names it has.
    pub(crate) links: u32,
}

/// What kind of file it is.
#[derive(Debug)]
pub(crate) enum Kind {
    File(Data),
    Directory(Names),
    Symlink(Vec<u8>),
    Character(Device),
    Block(Device),
    Fifo,
    Socket,
}

/// What a regular file holds.
#[derive(Debug)]
pub(crate) enum Data {
    /// What it held from the start.
    Original(Content),
    /// What lies in the run's own directory since it was written to; its size.
    Own(u64),
}

impl Data {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Original(content) => content.len(),
            Self::Own(size) => *size,
        }
    }
}

impl Inode {
    pub(crate) fn new(kind: Kind, meta: Meta) -> Self {
        let time = Time { seconds: u32::try_from(meta.mtime).unwrap_or(u32::MAX), nanoseconds: 0 };
        let Meta { mode, uid, gid, .. } = meta;
        Self { kind, mode, uid, gid, accessed: time, modified: time, changed: time, links: 1 }
    }

    /// Its contents or names are others now.
    pub(crate) fn touch(&mut self) {
        let now = Time::now();
        (self.modified, self.changed) = (now, now);
    }

    pub(crate) fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(data) => data.len(),
            Kind::Symlink(target) => target.len() as u64,
            Kind::Directory(_) => 4096,
            _ => 0,
        }
    }
}

/// The names in a directory. Each has a number that stays while it is there, and that is larger than those of all
/// names before it: where a listing goes on that was interrupted (the cookie of READDIR).
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) parent: u64,
    by_name: BTreeMap<Vec<u8>, (u64, u64)>,
    by_number: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

impl Names {
    /// Numbers of names begin here: 1 and 2 are the directory itself and the one above.
    pub(crate) const FIRST: u64 = 3;

    pub(crate) fn new(parent: u64) -> Self {
        Self { parent, by_name: BTreeMap::new(), by_number: BTreeMap::new(), next: Self::FIRST }
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<u64> {
        self.by_name.get(name).map(|(file, _)| *file)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Gives a file a name, taking the name from the one that has it.
    pub(crate) fn insert(&mut self, name: &[u8], file: u64) {
        self.remove(name);
        self.by_name.insert(name.to_owned(), (file, self.next));
        self.by_number.insert(self.next, name.to_owned());
        self.next += 1;
    }

    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<u64> {
        let (file, number) = self.by_name.remove(name)?;
        self.by_number.remove(&number);
        Some(file)
    }

    /// Number, name and file of every name with a number above `number`.
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &[u8], u64)> {
        self.by_number
            .range(number.saturating_add(1)..)
            .filter_map(|(number, name)| Some((*number, name.as_slice(), self.get(name)?)))
    }
}
