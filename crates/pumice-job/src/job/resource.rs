//! Files that a job names (lava-compat 1.5, the resource object).

use pumice_types::{Span, Spanned};
use serde::Serialize;

use super::Variable;

/// A file with the label it goes by in the block: `{label}` in arguments stands for its path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Image {
    /// The key it stands under.
    pub label: Spanned<String>,
    /// The file.
    pub resource: Resource,
}

/// A file and how it is fetched and used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// `http`, `https`, `file`, `scp`, `rclone` or `downloads`. `{KEY}` is replaced from the device's `static_info`.
    pub url: Spanned<String>,
    /// HTTP headers.
    pub headers: Vec<Variable>,
    /// What is to be undone while it is fetched.
    pub compression: Option<Spanned<Compression>>,
    /// `archive: tar`
    pub is_tar: bool,
    /// What its bytes must add up to.
    pub checksums: Vec<Checksum>,
    /// Whether a cache may answer for the server. True unless the job says otherwise.
    pub use_cache: bool,
    /// The argument that hands it to the simulator, `{label}` standing for the path.
    pub image_arg: Option<Spanned<String>>,
    /// What kind of image it is.
    pub format: Option<Spanned<Format>>,
    /// Which partition holds the root file system, from 0.
    pub partition: Option<Spanned<u32>>,
    /// Whether it is an Android sparse image.
    pub sparse: bool,
    /// What is to be put into it.
    pub overlays: Vec<Overlay>,
    /// Files to take out of it, a disk image: label, and path or pattern. Not in LAVA.
    pub extract: Vec<Variable>,
    /// The file system that is made of it, an archive. Not in LAVA.
    pub filesystem: Option<Spanned<FileSystem>>,
    /// `apply-overlay: true`, the older word for `overlays: {lava: true}` of boards.
    pub apply_overlay: bool,
    /// The path it has inside a package, or the root partition: fields few blocks have.
    pub storage_file: Option<Spanned<String>>,
    /// Which partition holds the root file system, where a block calls it `root_partition`.
    pub root_partition: Option<Spanned<u32>>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// A file system that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// Without a journal.
    Ext2,
    /// As distributions make it.
    Ext4,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// bzip2
    Bz2,
    /// gzip
    Gz,
    /// xz
    Xz,
    /// A zip archive of one file.
    Zip,
    /// Zstandard
    Zstd,
}

/// What kind of image a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Format {
    /// A cpio archive, as of an initramfs.
    #[serde(rename = "cpio.newc")]
    CpioNewc,
    /// An ext4 file system, or a disk with one.
    #[serde(rename = "ext4")]
    Ext4,
    /// A tar archive.
    #[serde(rename = "tar")]
    Tar,
}

/// A digest a file must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checksum {
    /// Of which function.
    pub algorithm: Algorithm,
    /// In hexadecimal, as written.
    pub digest: Spanned<String>,
}

/// A digest function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// MD5
    Md5,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

/// Something to be put into an image before it is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlay {
    /// The overlay with the tests (`lava: true`).
    Lava,
    /// A file of the job.
    File(Box<OverlayFile>),
}

/// A file of the job to be put into an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverlayFile {
    /// The key it stands under.
    pub name: Spanned<String>,
    /// The file.
    pub resource: Resource,
    /// Whether it is a tar archive to be unpacked at `path`, and not a file to be put there.
    pub unpack: bool,
    /// Where it goes, an absolute path in the image.
    pub path: Spanned<String>,
}
