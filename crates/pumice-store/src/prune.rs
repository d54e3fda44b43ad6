//! Removing what nobody has used for long.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};

use pumice_types::ByteSize;

use crate::{
    Digest,
    index::{self, FromFile, FromUrl, Source},
    layout::{Layout, digests_in},
    lock::{Attempt, Lock, Mode},
    object,
};

/// What to remove. An object that a job uses is never removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// What was not used for so long.
    pub unused_for: Option<Duration>,
    /// The least recently used, until the store takes no more than this.
    pub largest: Option<ByteSize>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Objects.
    pub objects: u64,
    /// Room that became free.
    pub bytes: ByteSize,
    /// Objects that would have been removed but are in use.
    pub in_use: u64,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects.
    pub objects: u64,
    /// Room they take on the disk.
    pub bytes: ByteSize,
}

/// One object, as far as pruning cares.
struct Found {
    digest: Digest,
    bytes: u64,
    last_use: SystemTime,
}

/// Removes objects, and then the hints that name objects which are gone.
pub(crate) fn prune(layout: &Layout, rules: Prune, now: SystemTime) -> io::Result<Pruned> {
    let found = oldest_first(layout)?;
    let mut size: u64 = found.iter().map(|object| object.bytes).sum();
    let mut pruned = Pruned::default();
    for object in found {
        let age = now.duration_since(object.last_use).unwrap_or_default();
        let is_old = rules.unused_for.is_some_and(|limit| age >= limit);
        let is_too_much = rules.largest.is_some_and(|limit| size > limit.0);
        if !(is_old || is_too_much) {
            continue;
        }
        match object::remove_unused(layout, object.digest)? {
            Some(bytes) => {
                pruned.objects += 1;
                pruned.bytes.0 += bytes;
                size = size.saturating_sub(object.bytes);
            }
            None => pruned.in_use += 1,
        }
    }
    forget(layout)?;
    Ok(pruned)
}

/// Removes the least recently used objects until `bytes` are free on the disk; whether they are. Where they
/// cannot be, everything that nobody uses would go in vain, and stays.
pub(crate) fn make_room(layout: &Layout, bytes: u64) -> io::Result<bool> {
    let free = available(layout)?;
    if free >= bytes {
        return Ok(true);
    }
    let found = oldest_first(layout)?;
    let most: u64 = found.iter().map(|object| object.bytes).sum();
    if free.saturating_add(most) < bytes {
        return Ok(false);
    }
    for object in found {
        object::remove_unused(layout, object.digest)?;
        if available(layout)? >= bytes {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Bytes that we may still write to the disk of the store.
pub(crate) fn available(layout: &Layout) -> io::Result<u64> {
    let found = rustix::fs::statvfs(layout.root())?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// What the store holds.
pub(crate) fn usage(layout: &Layout) -> io::Result<Usage> {
    let found = oldest_first(layout)?;
    let bytes = found.iter().map(|object| object.bytes).sum();
    Ok(Usage { objects: found.len() as u64, bytes: ByteSize(bytes) })
}

/// All objects, the least recently used first.
fn oldest_first(layout: &Layout) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for directory in fs::read_dir(layout.objects())? {
        for (digest, path) in digests_in(&directory?.path())? {
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let last_use = fs::metadata(layout.lease(digest)).and_then(|lease| lease.modified());
            let last_use = last_use.unwrap_or(SystemTime::UNIX_EPOCH);
            all.push(Found { digest, bytes: metadata.blocks() * 512, last_use });
        }
    }
    all.sort_by_key(|object| (object.last_use, object.digest));
    Ok(all)
}

/// Removes hints and lock files that serve nothing any more.
fn forget(layout: &Layout) -> io::Result<()> {
    let is_there = |digest: Digest| layout.object(digest).exists();
    for (_, path) in digests_in(&layout.sources())? {
        let source: Option<Source> = index::read(&path);
        if !source.is_some_and(|source| source.objects.values().any(|object| is_there(*object))) {
            remove_if_there(&path)?;
        }
    }
    let is_known = |source: Digest| layout.source(source).exists();
    for (_, path) in digests_in(&layout.urls())? {
        if !index::read(&path).is_some_and(|hint: FromUrl| is_known(hint.source)) {
            remove_if_there(&path)?;
        }
    }
    for (_, path) in digests_in(&layout.files())? {
        if !index::read(&path).is_some_and(|hint: FromFile| is_known(hint.source)) {
            remove_if_there(&path)?;
        }
    }
    for (digest, _) in digests_in(&layout.leases())? {
        if !is_there(digest) {
            object::remove_unused(layout, digest)?;
        }
    }
    for (_, path) in digests_in(&layout.locks())? {
        if let Attempt::Held(_lock) = Lock::try_acquire(&path, Mode::Exclusive)? {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &std::path::Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
