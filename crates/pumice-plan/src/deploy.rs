//! What a deploy block will do.

use std::{collections::BTreeMap, time::Duration};

use pumice_types::{Span, Spanned};
use pumice_yaml::Node;
use serde::Serialize;

use crate::{machine::OverlayDelivery, plan::OnTimeout, scope::Scope};

/// Brings files to where a machine can use them.
#[derive(Clone, Debug, Serialize)]
pub struct Deploy {
    /// The block's scope, for example `deployimages`.
    pub scope: Scope,
    /// What it makes of the files.
    pub kind: DeployKind,
    /// The overlay that is built; `None` when no test of the namespace needs one.
    pub overlay: Option<OverlayPlan>,
    /// The files it fetches, in the order of the job.
    pub downloads: Vec<Download>,
    /// How the overlay is applied; `None` when the boot does that, or nothing needs it.
    pub apply: Option<ApplyOverlay>,
    /// What to do when its time is over.
    pub on_timeout: OnTimeout,
}

/// What a deploy block makes of its files.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum DeployKind {
    /// Files for a machine of the same namespace.
    Images {
        /// Whether every file has a directory of its own.
        uniquify: bool,
    },
    /// Files for later blocks, reached as `downloads://`.
    Downloads {
        /// Whether every file has a directory of its own.
        uniquify: bool,
        /// What a container makes of them.
        postprocess: Option<Postprocess>,
    },
    /// A root file system served over NFS.
    Nfs {
        /// Its scope, `qemu-nfs-deploy`.
        extract: Scope,
    },
    /// A container image.
    Container {
        /// The job's `image`.
        image: Node,
    },
    /// Nothing but the overlay.
    Overlay,
    /// Files for a machine that runs already, copied over SSH.
    Ssh,
    /// A system installed by its own installer.
    IsoInstaller {
        /// The job's `iso`.
        iso: Node,
        /// Makes the empty disk, `prepare-empty-image`.
        empty_image: Scope,
        /// Takes kernel and initrd out of the ISO image, `pull-installer-files`.
        pull: Scope,
    },
}

/// What a container makes of downloaded files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Postprocess {
    /// Its scope, `download-postprocess-docker`.
    pub scope: Scope,
    /// The job's `docker`.
    pub docker: Node,
    /// The commands.
    pub steps: Vec<String>,
}

/// One file to fetch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Download {
    /// `download-retry`.
    pub retry: Scope,
    /// `http-download`, `file-download` or `pre-downloaded`.
    pub scope: Scope,
    /// The label in the job.
    pub label: String,
    /// What to fetch.
    pub resource: Resource,
    /// Overlays written into the file; `None` when the job asks for none.
    pub overlays: Option<ImageOverlays>,
}

/// A file somewhere else (lava-compat 1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Where it is: `http`, `https`, `file` or `downloads`.
    pub url: Spanned<String>,
    /// HTTP headers. Values may be secrets: they are not printed.
    #[serde(skip)]
    pub headers: BTreeMap<String, String>,
    /// How it is compressed: `gz`, `xz`, `bz2`, `zstd`, `zip`.
    pub compression: Option<String>,
    /// Whether it is a tar archive to be unpacked.
    pub is_archive: bool,
    /// The digests the job names: `md5`, `sha256`, `sha512`, in lower-case hexadecimal.
    pub checksums: BTreeMap<String, String>,
    /// Whether a cache may answer.
    pub use_cache: bool,
}

/// Overlays written into an image before the boot (lava-compat 1.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageOverlays {
    /// `append-overlays`.
    pub scope: Scope,
    /// `cpio.newc`, `ext4` or `tar`.
    pub format: String,
    /// The partition that holds the file system, from 0; `None` when the image is one.
    pub partition: Option<u32>,
    /// Whether the overlay of the tests is one of them.
    pub lava: bool,
    /// Further ones, by name: each its own download.
    pub others: Vec<OtherOverlay>,
}

/// A file or an archive written into an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OtherOverlay {
    /// Its name in the job.
    pub name: String,
    /// Its own `download-retry`.
    pub retry: Scope,
    /// Its own download.
    pub scope: Scope,
    /// What to fetch.
    pub resource: Resource,
    /// Whether it is an archive to be unpacked there, else a file.
    pub is_tar: bool,
    /// Where in the image.
    pub path: String,
}

/// The overlay of a namespace: the tests of all its shell test blocks (lava-compat 4.1).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverlayPlan {
    /// `lava-overlay`.
    pub scope: Scope,
    /// `test-definition`.
    pub definitions_scope: Scope,
    /// The definitions, in order.
    pub definitions: Vec<DefinitionPlan>,
    /// Packs it for the guest to fetch, `compress-overlay`; `None` when nothing fetches it.
    pub compress: Option<Scope>,
    /// The delay the helpers make before each signal on a console, in ms.
    pub signal_delay_ms: u64,
}

/// One test definition of an overlay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefinitionPlan {
    /// Which test block of the namespace uses it, from 0, counting shell test blocks only.
    pub stage: u32,
    /// Its number over all test blocks of the namespace, from 0.
    pub number: u32,
    /// The job's name for it.
    pub name: String,
    /// Where it comes from.
    pub source: DefinitionSource,
    /// Fetches it: `inline-repo-action`, `git-repo-action` or `url-repo-action`.
    pub fetch: Scope,
    /// `test-overlay`.
    pub overlay: Scope,
    /// `test-install-overlay`.
    pub install: Scope,
    /// `test-runscript-overlay`.
    pub runscript: Scope,
    /// The file inside the source.
    pub path: String,
    /// The job's parameters for it.
    pub parameters: BTreeMap<String, String>,
    /// Install parts to leave out: `keys`, `sources`, `deps`, `steps`, `git-repos`, `all`.
    pub skip_install: Vec<String>,
    /// Cases that must appear; overrides the definition's own list.
    pub expected: Option<Vec<String>>,
    /// Whether the signals go through the kernel's log.
    pub through_kmsg: bool,
    /// The longest the whole definition may run; then it is given up and the next one starts.
    #[serde(serialize_with = "crate::plan::optional_seconds", rename = "soft_timeout_s")]
    pub soft_timeout: Option<Duration>,
    /// Where the job names it.
    #[serde(skip)]
    pub span: Span,
}

/// Where a test definition comes from (lava-compat 4.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum DefinitionSource {
    /// The job holds it.
    Inline {
        /// The definition.
        definition: Node,
    },
    /// A git repository.
    Git {
        /// Its URL.
        url: String,
        /// The branch; `None` for the default one.
        branch: Option<String>,
        /// The commit; `None` for the branch's head.
        revision: Option<String>,
        /// Whether `.git` is kept.
        history: bool,
        /// Whether one commit is enough.
        shallow: bool,
        /// Whether submodules are fetched.
        recursive: bool,
    },
    /// A tar archive.
    Url(Box<ArchiveSource>),
}

/// A tar archive that holds a test definition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArchiveSource {
    /// `download-retry`.
    pub retry: Scope,
    /// The download inside it.
    pub scope: Scope,
    /// Where.
    pub resource: Resource,
    /// Leading path components to drop.
    pub strip_components: u32,
}

/// Brings the overlay to the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApplyOverlay {
    /// `apply-overlay-guest`.
    pub scope: Scope,
    /// How.
    pub by: OverlayDelivery,
}
