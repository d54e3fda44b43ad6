//! Deploy blocks: bring files to where a machine can use them.

mod apply;
mod definitions;
mod download;
mod extract;
mod filesystem;
mod git_repos;
mod installer;
mod into_image;
mod nfs;
mod overlay;
mod postprocess;
pub(crate) mod repository;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use pumice_plan::deploy::{Deploy, DeployKind};
use pumice_platform::Installation;
use pumice_store::Viewed;
use pumice_types::{Cause, Failure};

use crate::{container::bring_image, cx::StepCx, host::RunHost};

pub(crate) use apply::{DISK_UUID_TEXT, on_thread};
pub(crate) use download::{Downloads, cannot_make};
pub use overlay::BuiltOverlay;
pub(crate) use overlay::Facts;

/// What a deploy block leaves: files for the machines of its namespace.
#[derive(Default)]
pub struct Deployed {
    /// The files by label.
    pub files: BTreeMap<String, PathBuf>,
    /// Labels of those that became qcow2 images.
    pub qcow2: BTreeSet<String>,
    /// The overlay of the tests.
    pub overlay: Option<BuiltOverlay>,
    /// The disk that carries the overlay.
    pub overlay_disk: Option<PathBuf>,
    /// The overlay, packed for the guest to fetch.
    pub overlay_archive: Option<PathBuf>,
    /// The root file system that is served over NFS; it is served as long as this is kept.
    pub nfs: Option<pumice_nfs::Server>,
    /// What an installer works with.
    pub installation: Option<Installation>,
    /// Keeps the artifacts in the store.
    views: Vec<Viewed>,
}

impl Deployed {
    /// Adds what a later block of the same namespace deployed.
    pub(crate) fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.qcow2.extend(other.qcow2);
        self.views.extend(other.views);
        self.nfs = other.nfs.or(self.nfs.take());
        self.installation = other.installation.or(self.installation.take());
        self.overlay = other.overlay.or(self.overlay.take());
        self.overlay_disk = other.overlay_disk.or(self.overlay_disk.take());
        self.overlay_archive = other.overlay_archive.or(self.overlay_archive.take());
    }
}

/// Runs a deploy block.
pub(crate) async fn run(
    plan: &Deploy,
    host: &RunHost,
    facts: &Facts<'_>,
    downloads: &mut Downloads,
    cx: &StepCx,
) -> Result<Deployed, Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let mut deployed = Deployed::default();
        if let Some(overlay) = &plan.overlay {
            let built = overlay::build(overlay, host, facts, cx).await?;
            deployed.overlay = Some(built);
        }
        let directory = host.work_dir.join(format!("d{}", plan.scope.level));
        for download in &plan.downloads {
            let uniquify = match &plan.kind {
                DeployKind::Images { uniquify } | DeployKind::Downloads { uniquify, .. } => *uniquify,
                _ => true,
            };
            let place = download::Place { directory: &directory, uniquify };
            let mut file = download::run(download, &place, host, downloads, cx).await?;
            if let Some(make) = &download.filesystem {
                file.path = filesystem::run(make, &file.path, cx).await?;
            }
            if let Some(overlays) = &download.overlays {
                let overlay = deployed.overlay.as_ref();
                let target = into_image::Target { path: &file.path, is_sparse: download.resource.sparse };
                into_image::run(overlays, &target, overlay, host, downloads, cx).await?;
            }
            if let Some(extract) = &download.extract {
                let own = directory.join(format!("{}-files", download.label));
                deployed.files.extend(extract::run(extract, &file.path, &own, cx).await?);
            }
            if file.is_qcow2 {
                deployed.qcow2.insert(download.label.clone());
            }
            deployed.files.insert(download.label.clone(), file.path);
            deployed.views.extend(file.view);
        }
        match &plan.kind {
            DeployKind::Images { .. } | DeployKind::Overlay | DeployKind::Ssh => {}
            DeployKind::Nfs { extract } => nfs::run(extract, &mut deployed, host, cx).await?,
            DeployKind::IsoInstaller { iso, empty_image, pull } => {
                let steps = installer::Steps { iso, empty_image, pull };
                installer::run(&steps, &directory, &mut deployed, cx).await?;
            }
            DeployKind::Downloads { postprocess, .. } => {
                if let Some((scope, postprocess)) = postprocess {
                    postprocess::run(postprocess, scope, &directory, host, cx).await?;
                }
                downloads.keep(&plan.scope.namespace, &directory, &deployed);
            }
            DeployKind::Container { container } => {
                let engine = host.containers.engine(container.options.remote.as_deref(), host, cx).await?;
                let id = bring_image(&engine, &container.container, host, cx).await?;
                cx.record(serde_json::json!({ "image": container.container.image.value, "id": id }));
            }
        }
        let compress = plan.overlay.as_ref().and_then(|overlay| overlay.compress.as_ref());
        if let (Some(scope), Some(overlay)) = (compress, &deployed.overlay) {
            let files = if plan.kind == DeployKind::Ssh { deployed.files.clone() } else { BTreeMap::new() };
            deployed.overlay_archive = Some(apply::pack(overlay, &files, scope, host, cx).await?);
        }
        if let Some(apply) = &plan.apply {
            apply::run(apply, &mut deployed, host, cx).await?;
        }
        Ok(deployed)
    })
    .await
}

/// The plan holds what it should have refused.
pub(crate) fn unplanned(step: &str) -> Failure {
    Failure::new(Cause::Bug, format!("`{step}` was planned, and nothing here does it"))
}
