//! Deploy blocks: bring files to where a machine can use them.

mod apply;
mod definitions;
mod download;
mod overlay;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use pumice_plan::deploy::{Deploy, DeployKind};
use pumice_store::Viewed;
use pumice_types::{Cause, Failure};

use crate::{cx::StepCx, host::RunHost};

pub(crate) use download::Downloads;
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
    /// Keeps the artifacts in the store.
    views: Vec<Viewed>,
}

impl Deployed {
    /// Adds what a later block of the same namespace deployed.
    pub(crate) fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.qcow2.extend(other.qcow2);
        self.views.extend(other.views);
        self.overlay = other.overlay.or(self.overlay.take());
        self.overlay_disk = other.overlay_disk.or(self.overlay_disk.take());
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
            deployed.overlay = Some(overlay::build(overlay, host, facts, cx).await?);
        }
        let directory = host.work_dir.join(format!("d{}", plan.scope.level));
        for download in &plan.downloads {
            let uniquify = match &plan.kind {
                DeployKind::Images { uniquify } | DeployKind::Downloads { uniquify, .. } => *uniquify,
                _ => true,
            };
            let place = download::Place { directory: &directory, uniquify };
            let file = download::run(download, &place, host, downloads, cx).await?;
            if let Some(overlays) = &download.overlays {
                apply::into_image(overlays, &file.path, deployed.overlay.as_ref(), host, downloads, cx)
                    .await?;
            }
            if file.is_qcow2 {
                deployed.qcow2.insert(download.label.clone());
            }
            deployed.files.insert(download.label.clone(), file.path);
            deployed.views.extend(file.view);
        }
        match &plan.kind {
            DeployKind::Images { .. } | DeployKind::Overlay => {}
            DeployKind::Downloads { postprocess, .. } => {
                if postprocess.is_some() {
                    return Err(not_yet("`postprocess`"));
                }
                downloads.keep(&plan.scope.namespace, &deployed);
            }
            DeployKind::Nfs { .. } => return Err(not_yet("deploying to `nfs`")),
            DeployKind::Container { .. } => return Err(not_yet("deploying to `docker`")),
            DeployKind::Ssh => return Err(not_yet("deploying to `ssh`")),
            DeployKind::IsoInstaller { .. } => return Err(not_yet("deploying to `iso-installer`")),
        }
        if let Some(apply) = &plan.apply {
            apply::run(apply, &mut deployed, host, cx).await?;
        }
        Ok(deployed)
    })
    .await
}

/// What a later version will do.
fn not_yet(what: &str) -> Failure {
    Failure::new(Cause::InvalidDefinition, format!("{what} is not supported yet"))
}
