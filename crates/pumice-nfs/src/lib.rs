//! Serves a root file system to one guest over NFS 3, without unpacking it and without privilege.
//!
//! The files come from a [`Tree`](pumice_image::Tree): those of an archive are read where they lie in it, and a file
//! is copied to a directory of the run's own when the guest writes to it. Owners, permissions and devices are kept in
//! memory, so that they are the archive's whoever runs this; no name of the guest's is ever a name on this host.
//!
//! ```text
//!  archive ──▶ Tree ──▶ Files (inodes, names) ◀── procedures ◀── RPC over TCP ◀── the guest's kernel
//!                         └─ contents: a range of the archive, or a file of the run's own once written
//! ```
//!
//! Sources: NFS 3 and MOUNT 3 are RFC 1813, the calls RFC 5531, the encoding RFC 4506. There is no port mapper: the
//! client is told both ports (`port=` and `mountport=` of `nfs(5)`), which are one here. The server trusts its client,
//! as NFS does, so that it serves one tree to one guest and listens on the loopback address only; the name of the
//! export is what a stranger would have to guess.

mod attributes;
mod change;
mod files;
mod inode;
mod look;
mod mount;
mod procedures;
mod rpc;
mod server;
mod xdr;

#[cfg(test)]
mod tests;

pub use files::{Files, FilesError};
pub use server::Server;
