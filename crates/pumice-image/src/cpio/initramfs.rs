//! Adding files to an initramfs without unpacking it.
//!
//! The kernel's buffer-format document gives the grammar: an initramfs is any number of zero bytes, cpio
//! archives and compressed cpio archives, one after the other, an uncompressed archive beginning at a
//! multiple of 4 bytes. Files of a later archive replace those of an earlier one. So an overlay is *appended*,
//! in a time that depends on the overlay and not on the image, whatever the image is compressed with.
//!
//! There is one trap: an appended directory takes the place of what has its name, a symbolic link as well. An
//! overlay that puts `bin/x` into an image whose `bin` is a link to `usr/bin` would cut the guest off from its
//! programs. An overlay that is not in a directory of its own is therefore fitted to the image, which is read
//! for that, though not written.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use pumice_types::{Blame, Cause};

use super::{CpioError, Reader, padding, writer::write_some};
use crate::{
    Bounded, Compression, Entry, Limits, Meta, Node, Peek, Tree, TreePath, cause,
    compression::{UnpackError, decode_member, encode},
};

/// Files cannot be added to an initramfs.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// The file is something else.
    #[error("it is not an initramfs: {0}")]
    NotInitramfs(String),
    /// Directories of the overlay must be fitted to the image, which is packed in a way we cannot read.
    #[error(
        "it is packed with {0}, which we do not read, and the overlay puts files into directories of the image"
    )]
    Unreadable(&'static str),
    /// A part of it is damaged.
    #[error("the part that begins at byte {offset} is damaged")]
    Unpack {
        /// Where, in bytes from the begin of the file.
        offset: u64,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// An archive in it is damaged, or the overlay does not fit to it.
    #[error(transparent)]
    Cpio(#[from] CpioError),
    /// The file cannot be read or written.
    #[error("failed to read or write the initramfs")]
    Io(#[from] io::Error),
}

impl Blame for InitramfsError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Cpio(error) => error.root_cause(),
            Self::Unpack { source, .. } => source.root_cause(),
            Self::Io(error) => cause::of_io(error),
            _ => Cause::ImageUnusable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotInitramfs(_) => {
                Some("an overlay of the format `cpio.newc` goes into an initramfs; for a file system image use `ext4`".to_owned())
            }
            Self::Unreadable(_) => Some("pack the initramfs with gz, xz or zstd".to_owned()),
            _ => None,
        }
    }
}

/// Where in an image an overlay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Into directories that no image has, `/lava-7` for example: the image is not read, however it is packed.
    OwnDirectories,
    /// Among the files of the image, where a guest would look for them: directories of the image stay, and
    /// its links to directories are followed.
    AmongOthers(Limits),
}

/// Appends `overlay` to the initramfs at `path`, in place, as an archive of its own packed with `compression`
/// (`None` is understood by every kernel). Gives the bytes that were added.
///
/// The file must be the caller's own: it grows. When this fails it has its old length again.
pub fn append(
    path: &Path,
    overlay: &Tree,
    compression: Option<Compression>,
    placement: Placement,
) -> Result<u64, InitramfsError> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let begin = peek_begin(&mut file)?;
    if let Some(what) = stranger(&begin) {
        return Err(InitramfsError::NotInitramfs(what));
    }
    let mut base = Tree::new();
    let mut merged = None;
    if let Placement::AmongOthers(limits) = placement {
        base = skeleton(&mut file, limits)?;
        let mut tree = base.clone();
        tree.merge(overlay.clone()).map_err(CpioError::from)?;
        merged = Some(tree);
    }
    let tree = merged.as_ref().unwrap_or(overlay);
    let is_new = |path: &TreePath, entry: &Entry| base.get(path) != Some(entry);
    let before = file.seek(SeekFrom::End(0))?;
    let result = write_part(&mut file, before, compression, |output| write_some(tree, output, is_new));
    if result.is_err() {
        file.set_len(before)?;
    }
    result
}

fn write_part(
    file: &mut File,
    before: u64,
    compression: Option<Compression>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), CpioError>,
) -> Result<u64, InitramfsError> {
    let mut output = io::BufWriter::with_capacity(64 << 10, &mut *file);
    output.write_all(&[0; 3][..padding(before)])?;
    let mut encoder = encode(compression, output)?;
    write(&mut encoder)?;
    let file = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    // The next archive may be appended by somebody who does not count.
    let after = file.stream_position()?;
    file.write_all(&[0; 3][..padding(after)])?;
    Ok(file.stream_position()? - before)
}

/// The directories and symbolic links of an initramfs: what decides where a file lands.
pub fn skeleton(input: impl Read + Seek, limits: Limits) -> Result<Tree, InitramfsError> {
    let mut input = input;
    input.seek(SeekFrom::Start(0))?;
    let mut input = Peek::new(input);
    let mut tree = Tree::new();
    loop {
        let offset = input.position();
        let begin = input.peek(8)?;
        let Some(first) = begin.first() else { return Ok(tree) };
        if *first == 0 {
            io::copy(&mut input.by_ref().take(1), &mut io::sink())?;
        } else if begin.starts_with(b"0707") {
            read_skeleton(&mut input, &mut tree, limits)?;
        } else if let Some(compression) = Compression::from_magic(begin) {
            let part = decode_member(compression, &mut input)
                .map_err(|source| InitramfsError::Unpack { offset, source })?;
            let mut part = Peek::new(Bounded::new(part, limits.bytes));
            while let Some(byte) = part.peek(1)?.first() {
                if *byte == 0 {
                    io::copy(&mut part.by_ref().take(1), &mut io::sink())?;
                } else {
                    read_skeleton(&mut part, &mut tree, limits)?;
                }
            }
        } else if let Some(name) = unreadable(begin) {
            return Err(InitramfsError::Unreadable(name));
        } else {
            let what = format!("byte {offset} begins with `{}`", begin.escape_ascii());
            return Err(InitramfsError::NotInitramfs(what));
        }
    }
}

fn read_skeleton(input: impl Read, tree: &mut Tree, limits: Limits) -> Result<(), InitramfsError> {
    let mut reader = Reader::new(input, limits);
    while let Some(header) = reader.next_entry()? {
        let node = match header.mode & 0o170_000 {
            0o040_000 => Node::Directory,
            0o120_000 => {
                let mut target = Vec::new();
                reader.by_ref().take(4096).read_to_end(&mut target)?;
                Node::Symlink(target)
            }
            _ => continue,
        };
        // What the kernel would not create there is no obstacle for us either.
        if let Ok(path) = TreePath::new(&header.name) {
            let _ = tree.insert(&path, Entry::new(Meta::new(header.mode), node));
        }
    }
    Ok(())
}

fn peek_begin(file: &mut File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut begin = Vec::new();
    (&*file).take(2048).read_to_end(&mut begin)?;
    Ok(begin)
}

/// The compressions a kernel reads and we do not, by their magic (lib/decompress.c).
fn unreadable(begin: &[u8]) -> Option<&'static str> {
    [(&b"\x02\x21\x4c\x18"[..], "lz4"), (b"\x89LZO", "lzo"), (b"\x5d\x00\x00", "lzma")]
        .into_iter()
        .find(|(magic, _)| begin.starts_with(magic))
        .map(|(_, name)| name)
}

/// What a file is that no kernel takes as an initramfs.
fn stranger(begin: &[u8]) -> Option<String> {
    let is_known = begin.starts_with(b"0707")
        || begin.starts_with(&[0])
        || unreadable(begin).is_some()
        || Compression::from_magic(begin).is_some_and(|found| found != Compression::Zip);
    let has_ext_magic = begin.get(1080..1082) == Some(&[0x53, 0xef]);
    if begin.is_empty() {
        Some("it is empty".to_owned())
    } else if has_ext_magic {
        Some("it is an ext2, ext3 or ext4 file system".to_owned())
    } else if begin.starts_with(&[0x27, 0x05, 0x19, 0x56]) {
        Some("it has a U-Boot header; give the initramfs that is inside".to_owned())
    } else if is_known {
        None
    } else {
        Some(format!("it begins with `{}`", begin[..begin.len().min(8)].escape_ascii()))
    }
}
