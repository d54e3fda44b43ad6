//! What a deploy block will do.

use pumice_job::{Definition, FileSystem, Format, IsoInstall, OverlayFile, Postprocess, Resource};
use pumice_types::Spanned;
use serde::Serialize;

use crate::{
    container::ContainerPlan,
    machine::{HostSeen, ImageUse, OverlayDelivery},
    plan::OnTimeout,
    scope::Scope,
};

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
        /// What a container makes of them: `download-postprocess-docker`.
        postprocess: Option<(Scope, Postprocess)>,
    },
    /// A root file system served over NFS.
    Nfs {
        /// Its scope, `qemu-nfs-deploy`.
        extract: Scope,
    },
    /// A container image.
    Container {
        /// The image.
        container: Box<ContainerPlan>,
    },
    /// Nothing but the overlay.
    Overlay,
    /// Files for a machine that runs already, copied over SSH.
    Ssh,
    /// A system installed by its own installer.
    IsoInstaller {
        /// What is installed.
        iso: IsoInstall,
        /// Makes the empty disk, `prepare-empty-image`.
        empty_image: Scope,
        /// Takes kernel and initrd out of the ISO image, `pull-installer-files`.
        pull: Scope,
    },
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
    /// What to fetch. `{KEY}` of the device's `static_info` is replaced in its URL already.
    pub resource: Resource,
    /// What the machine will do with it.
    pub used: ImageUse,
    /// Makes a file system of the archive; `None` when the job asks for none.
    pub filesystem: Option<MakeFileSystem>,
    /// Overlays written into the file; `None` when the job asks for none.
    pub overlays: Option<ImageOverlays>,
    /// Files taken out of the image; `None` when the job asks for none.
    pub extract: Option<ExtractFiles>,
}

/// A file system made of an archive. Not in LAVA.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MakeFileSystem {
    /// `make-filesystem`.
    pub scope: Scope,
    /// Which one.
    pub kind: FileSystem,
}

/// Files taken out of a disk image. Not in LAVA.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExtractFiles {
    /// `extract-files`.
    pub scope: Scope,
    /// The partition that is looked in, from 0; all of them, those that firmware boots from first, when not given.
    pub partition: Option<u32>,
    /// The files.
    pub files: Vec<ExtractedFile>,
}

/// A file in a disk image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExtractedFile {
    /// The label it gets.
    pub label: Spanned<String>,
    /// Its path, or a pattern that one file fits.
    pub pattern: Spanned<String>,
}

/// Overlays written into an image before the boot (lava-compat 1.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageOverlays {
    /// `append-overlays`.
    pub scope: Scope,
    /// What kind of image it is.
    pub format: Format,
    /// The partition that holds the file system, from 0; `None` when the image is one.
    pub partition: Option<u32>,
    /// Whether the overlay of the tests is one of them.
    pub lava: bool,
    /// Further ones, each with its own download.
    pub others: Vec<OtherOverlay>,
}

/// A file or an archive written into an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OtherOverlay {
    /// Its own `download-retry`.
    pub retry: Scope,
    /// Its own download.
    pub scope: Scope,
    /// The file and where it goes.
    pub file: OverlayFile,
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
    /// Devices in the guest that may be the channel for signals.
    pub channel_devices: Vec<crate::ChannelDevice>,
    /// Where the guest sees this host: `LAVA_DISPATCHER_IP`.
    pub host: HostSeen,
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
    /// What the job says of it.
    pub definition: Definition,
    /// Fetches it: `inline-repo-action`, `git-repo-action` or `url-repo-action`.
    pub fetch: Scope,
    /// For an archive: `download-retry` and the download inside it.
    pub archive: Option<(Scope, Scope)>,
    /// `test-overlay`.
    pub overlay: Scope,
    /// `test-install-overlay`.
    pub install: Scope,
    /// `test-runscript-overlay`.
    pub runscript: Scope,
}

impl DefinitionPlan {
    /// The name of its run, `N_name`: the suite of its results.
    pub fn run_name(&self) -> String {
        format!("{}_{}", self.number, self.definition.name.value)
    }
}

/// Brings the overlay to the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApplyOverlay {
    /// `apply-overlay-guest`.
    pub scope: Scope,
    /// How.
    pub by: OverlayDelivery,
    /// The size of the disk in MiB, where it comes on one (lava-compat 2.4).
    pub disk_mib: u64,
}
