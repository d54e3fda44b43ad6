//! Objects: publishing one, and making sure that it still is what its name says.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{
    Digest,
    artifact::Lease,
    layout::Layout,
    lock::{Attempt, Lock, Mode},
    staging::Staging,
};

/// The modification time of every object, in seconds since 1970: 1 January 2000. A write changes it.
const SEAL: u64 = 946_684_800;

/// How long to wait before trying again to lease an object that is being looked at or removed.
const PAUSE: Duration = Duration::from_millis(2);

/// Publishes a complete file as the object `digest` and leases it. An object that is there already stays.
pub(crate) fn publish(layout: &Layout, staging: Staging, digest: Digest) -> io::Result<Lease> {
    let lease = lock_shared(layout, digest)?;
    let path = layout.object(digest);
    if is_sealed(&path)? {
        return Ok(lease);
    }
    let directory = path.parent().ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
    match fs::create_dir(directory) {
        Ok(()) => File::open(layout.objects())?.sync_all()?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let file = staging.file();
    file.set_permissions(Permissions::from_mode(0o444))?;
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(SEAL))?;
    file.sync_all()?;
    staging.rename(&path)?;
    File::open(directory)?.sync_all()?;
    Ok(lease)
}

/// Leases the object `digest`; `None` when there is none. An object whose seal is broken is read first, and
/// removed when it is not what its name says.
pub(crate) fn lease(layout: &Layout, digest: Digest) -> io::Result<Option<Lease>> {
    let path = layout.object(digest);
    if !path.exists() {
        return Ok(None);
    }
    loop {
        let lease = lock_shared(layout, digest)?;
        if is_sealed(&path)? {
            lease.touch()?;
            return Ok(Some(lease));
        }
        drop(lease);
        match Lock::try_acquire(&layout.lease(digest), Mode::Exclusive)? {
            Attempt::Held(lock) => {
                if !restore(&path, digest)? {
                    remove(layout, digest, lock)?;
                    return Ok(None);
                }
            }
            // Another job uses it, or reads it again just now. While it is in use nothing can be said about
            // it, and it must not be removed; who needs it gets a fresh one.
            Attempt::Busy if is_sealed(&path)? => {}
            Attempt::Busy => return Ok(None),
        }
    }
}

/// Removes the object `digest` unless it is in use; the bytes it took, or `None` when it is in use.
pub(crate) fn remove_unused(layout: &Layout, digest: Digest) -> io::Result<Option<u64>> {
    match Lock::try_acquire(&layout.lease(digest), Mode::Exclusive)? {
        Attempt::Held(lock) => remove(layout, digest, lock).map(Some),
        Attempt::Busy => Ok(None),
    }
}

/// Removes the object and then its lock file, which `lock` is.
fn remove(layout: &Layout, digest: Digest, lock: Lock) -> io::Result<u64> {
    let path = layout.object(digest);
    let bytes = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata.blocks() * 512,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    for path in [path, layout.lease(digest)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    drop(lock);
    Ok(bytes)
}

/// Takes the shared lock of an object, there or not. Only somebody who removes or reads it holds the lock
/// alone, which ends.
fn lock_shared(layout: &Layout, digest: Digest) -> io::Result<Lease> {
    loop {
        match Lock::try_acquire(&layout.lease(digest), Mode::Shared)? {
            Attempt::Held(lock) => return Ok(Lease::new(lock, digest)),
            Attempt::Busy => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether the object is there and was not written to since it was published.
fn is_sealed(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_file() && (found.mtime(), found.mtime_nsec()) == (SEAL.cast_signed(), 0)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads an object whose seal is broken and seals it again if it is what its name says.
fn restore(path: &Path, digest: Digest) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() || Digest::of_reader(&file)? != digest {
        return Ok(false);
    }
    file.set_permissions(Permissions::from_mode(0o444))?;
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(SEAL))?;
    Ok(true)
}
