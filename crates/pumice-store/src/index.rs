//! The hints: what is known of bytes, URLs and host files from earlier fetches.
//!
//! Every record is one JSON document with a `version`, written by rename. A record that cannot be read, or has
//! another version, counts as not there.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Digest, digest::Digests, layout::Layout, staging::Staging};

const VERSION: u32 = 1;

/// Anything we write.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    record: T,
}

/// What is known of downloaded bytes, by their SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) bytes: u64,
    pub(crate) md5: Option<String>,
    pub(crate) sha512: Option<String>,
    /// The object they became, by the name of the transformation.
    pub(crate) objects: BTreeMap<String, Digest>,
}

impl Source {
    /// The digests known, given the one it is named by.
    pub(crate) fn digests(&self, sha256: Digest) -> Digests {
        Digests { sha256, md5: self.md5.clone(), sha512: self.sha512.clone() }
    }
}

/// What a URL gave last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FromUrl {
    pub(crate) source: Digest,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// What a file of the host held when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FromFile {
    pub(crate) source: Digest,
}

/// Which file of the host it is, in which state. Two equal identities mean equal contents, as far as a file
/// system can tell: any write changes the times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    key: Digest,
    changed: SystemTime,
}

/// A file that changed less than this before it was looked at may change again within the same tick of the
/// file system's clock, unseen. Linux stamps files with the time of the last timer tick, 10 ms at most.
const TICK: Duration = Duration::from_millis(50);

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let text = format!(
            "{} {} {} {}.{} {}.{}",
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        );
        let since_epoch = Duration::new(
            u64::try_from(metadata.ctime()).unwrap_or(0),
            u32::try_from(metadata.ctime_nsec()).unwrap_or(0),
        );
        Self { key: Digest::of(text.as_bytes()), changed: SystemTime::UNIX_EPOCH + since_epoch }
    }

    pub(crate) fn key(&self) -> Digest {
        self.key
    }

    /// Whether a later change is certain to be seen, for a file that was read from `begin` on.
    pub(crate) fn is_settled(&self, begin: SystemTime) -> bool {
        begin.duration_since(self.changed).is_ok_and(|age| age > TICK)
    }
}

/// Reads the record at `path`; `None` when there is none we understand.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = fs::read(path).ok()?;
    let versioned: Versioned<T> = serde_json::from_slice(&text).ok()?;
    (versioned.version == VERSION).then_some(versioned.record)
}

/// Writes the record at `path`.
pub(crate) fn write<T: Serialize>(layout: &Layout, path: &Path, record: T) -> io::Result<()> {
    let staging = Staging::new(layout)?;
    let text = serde_json::to_vec(&Versioned { version: VERSION, record })?;
    staging.file().write_all(&text)?;
    staging.rename(path)
}

/// Adds to what is known of the bytes `digests` are of: that they became `object` under `transformation`.
pub(crate) fn learn(
    layout: &Layout,
    digests: &Digests,
    bytes: u64,
    transformation: &str,
    object: Digest,
) -> io::Result<()> {
    let path = layout.source(digests.sha256);
    let fresh = || Source { bytes, md5: None, sha512: None, objects: BTreeMap::new() };
    let mut source = read(&path).unwrap_or_else(fresh);
    source.md5 = digests.md5.clone().or(source.md5);
    source.sha512 = digests.sha512.clone().or(source.sha512);
    source.objects.insert(transformation.to_owned(), object);
    write(layout, &path, source)
}
