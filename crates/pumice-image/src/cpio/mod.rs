//! cpio archives in the "newc" form, the one Linux unpacks as an initramfs.
//!
//! Source: Documentation/driver-api/early-userspace/buffer-format.rst and init/initramfs.c of the kernel.
//! A member is a header of 110 bytes in ASCII hexadecimal, its name with a closing NUL, padding to 4 bytes,
//! the contents, padding to 4 bytes. An archive ends with a member named `TRAILER!!!`.

mod header;
pub mod initramfs;
mod reader;
mod writer;

pub use header::{CpioError, Header};
pub use reader::Reader;
pub use writer::{Writer, write};

/// The name of the member that ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";

/// How many bytes bring `position` to the next multiple of 4.
fn padding(position: u64) -> usize {
    match position % 4 {
        0 => 0,
        1 => 3,
        2 => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
