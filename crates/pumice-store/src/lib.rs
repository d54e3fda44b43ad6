//! Artifacts: fetched once, verified, kept by digest, leased to jobs, evicted by age and size.
//!
//! All jobs of a host share one store, each from a process of its own, any of which may be killed at any
//! moment. There is no daemon and no database: the directory is the truth, and the kernel's `flock(2)`
//! says who is alive.
//!
//! # Layout, version 1
//!
//! ```text
//! version                  "pumice-store 1": refused when it says anything else
//! objects/ab/abcdef…       an artifact, named by the SHA-256 of its bytes; read-only, sealed (below)
//! leases/abcdef…           a lock file per object: shared while a job uses it, exclusive to remove it;
//!                          its modification time is the object's last use
//! sources/abcdef…          what is known of downloaded bytes with that SHA-256: their size, their other
//!                          digests, and which object they became under which transformation
//! urls/…, files/…          where bytes came from last time: validators of HTTP, identity of a host file
//! locks/…                  a lock file per URL or file: who holds it fetches, the others wait
//! tmp/…                    what is being written, each file locked by its writer
//! ```
//!
//! # What survives what
//!
//! * An object appears by `rename(2)` of a file that is complete, has the digest it is named by, and was
//!   written to disk (`fsync(2)` of file and directory). So an object is whole or absent, also after a power
//!   cut. Objects are only ever added and removed, never changed.
//! * An object is *sealed*: its modification time is a constant. A job that is given a hard link and writes
//!   through it breaks the seal; the object is then read again before anybody else gets it, and removed when
//!   it is not what its name says.
//! * `sources/`, `urls/` and `files/` are hints, written by rename and not synced. Whatever is unreadable or
//!   names an object that is gone counts as not there, and the bytes are fetched again.
//! * A lock is on an open file. The kernel releases it when its process dies, however it dies, so that a
//!   lease never outlives its job. No decision is made from a process id or the age of a lock.
//! * A file in `tmp/` whose lock can be taken belongs to nobody and is removed when a store is opened.
//! * An object is removed by whoever holds its lock exclusively; a lock file is removed only together with
//!   its object, and who waited for it finds that its inode is gone and starts over.

mod artifact;
mod cancel;
mod digest;
mod error;
mod fetch;
mod index;
mod layout;
mod lock;
mod object;
mod prune;
mod request;
mod staging;
mod store;
mod view;

pub use artifact::{Artifact, Lease, Origin};
pub use cancel::Cancel;
pub use digest::{Algorithm, Checksum, Digest, InvalidDigest};
pub use error::{FetchError, StoreError};
pub use fetch::shown_url;
pub use prune::{Prune, Pruned, Usage};
pub use request::{AddressPolicy, Control, Policy, Progress, Request};
pub use store::Store;
pub use view::{View, ViewError, ViewMethod, Viewed};
