//! `deploy` blocks (lava-compat 1.5).

use std::num::NonZeroU32;

use pumice_types::{ByteSize, Spanned};
use pumice_yaml::Map;
use serde::Serialize;

use super::{Block, Container, Image};

/// A `deploy` block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deploy {
    /// What all blocks have.
    pub block: Block,
    /// Where to: a word of the table of the language.
    pub to: Spanned<String>,
    /// The operating system, which says how the test shell behaves.
    pub os: Option<Spanned<String>>,
    /// `authorize: ssh`: put the lab's public key into the overlay.
    pub authorize_ssh: bool,
    /// The files under `images`.
    pub images: Vec<Image>,
    /// The files that have a key of their own in the block: `kernel`, `nfsrootfs`, `fw_package`, …
    pub files: Vec<Image>,
    /// Whether each file gets a directory of its own. The default differs: see `to`.
    pub uniquify: Option<Spanned<bool>>,
    /// `type: monitor`: the image is run for what it prints and has no shell.
    pub is_monitor: bool,
    /// The container image to have at hand.
    pub container: Option<Container>,
    /// What is done to the files once they are here.
    pub postprocess: Option<Postprocess>,
    /// The installation to run.
    pub iso: Option<IsoInstall>,
    /// All keys as they were written, for what only one platform knows.
    #[serde(skip)]
    pub fields: Map,
}

/// Steps run in a container on files that were deployed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Postprocess {
    /// The container.
    pub container: Container,
    /// Shell commands, run in the directory of the files.
    pub steps: Vec<Spanned<String>>,
}

/// An installation from an ISO image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IsoInstall {
    /// The kernel's path in the image.
    pub kernel: Spanned<String>,
    /// The initial ramdisk's path in the image.
    pub initrd: Spanned<String>,
    /// The size of the disk to install to.
    pub installation_size: Spanned<ByteSize>,
    /// How many tries, where the job says so.
    pub tries: Option<Spanned<NonZeroU32>>,
}
