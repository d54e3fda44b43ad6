//! qcow2 images: a copy-on-write view of a disk in microseconds, and a look at what a job brings.
//!
//! Source: docs/interop/qcow2.rst of QEMU. All numbers are big-endian. We write the smallest image of version
//! 3 there is: a header that names its backing file, one refcount block, and a first-level table of zeros,
//! which means that every cluster is read from the backing file.

mod header;
mod overlay;

pub use header::{Header, Qcow2Error};
pub use overlay::{BackingFormat, create_overlay};

/// The first four bytes of an image.
pub const MAGIC: &[u8; 4] = b"QFI\xfb";

/// The header extension that names the format of the backing file.
const BACKING_FORMAT: u32 = 0xe279_2aca;
/// The header extension that names an external file with the data.
const DATA_FILE: u32 = 0x4441_5441;
/// The longest name of a backing file, in bytes.
const LONGEST_BACKING_NAME: usize = 1023;

#[cfg(test)]
mod tests;
