//! Brings the overlay to the machine: appended to an initramfs, on a disk of its own, or written into an image.

use std::path::Path;

use pumice_image::cpio::initramfs::{self, Placement};
use pumice_plan::{
    OverlayDelivery,
    deploy::{ApplyOverlay, ImageOverlays},
};
use pumice_types::{Blame as _, Cause, Failure};

use super::{BuiltOverlay, Deployed, Downloads, not_yet};
use crate::{cx::StepCx, host::RunHost};

/// Applies the overlay.
pub(crate) async fn run(
    plan: &ApplyOverlay,
    deployed: &mut Deployed,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let Some(overlay) = &deployed.overlay else { return Ok(()) };
        let tree = overlay.tree()?;
        match &plan.by {
            OverlayDelivery::Initramfs { label } => {
                let path = deployed.files.get(label).ok_or_else(|| missing(label))?;
                let appended = initramfs::append(path, &tree, None, Placement::OwnDirectories);
                let bytes = appended.map_err(|error| error.failure())?;
                cx.report().info(format!("the overlay is appended to `{label}` ({bytes} bytes)"));
            }
            OverlayDelivery::Disk => {
                let _ = host;
                return Err(not_yet("an overlay on a disk"));
            }
            _ => {}
        }
        cx.record(serde_json::json!({ "by": plan.by }));
        Ok(())
    })
    .await
}

/// Writes overlays into an image, as the job asks.
pub(crate) async fn into_image(
    plan: &ImageOverlays,
    image: &Path,
    overlay: Option<&BuiltOverlay>,
    host: &RunHost,
    downloads: &Downloads,
    cx: &StepCx,
) -> Result<(), Failure> {
    let _ = (image, overlay, host, downloads);
    cx.step(&plan.scope, Cause::StepTimeout, async |_| Err(not_yet("`overlays`"))).await
}

fn missing(label: &str) -> Failure {
    Failure::new(Cause::Bug, format!("the plan names `{label}`, which was not deployed"))
}
