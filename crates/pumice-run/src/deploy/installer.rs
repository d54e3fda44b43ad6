//! Makes ready what an installer works with: an empty disk, and its own kernel and ramdisk out of its image, with the
//! answers to its questions (lava-compat 1.5).

use std::{
    fs::{self, File},
    path::Path,
};

use pumice_image::{
    Content, Entry, Meta, Node, Tree, TreePath,
    cpio::initramfs::{self, Placement},
    iso9660,
};
use pumice_job::IsoInstall;
use pumice_plan::Scope;
use pumice_platform::{InstallStage, Installation};
use pumice_types::{Blame as _, Cause, Failure};
use serde_json::json;

use super::{Deployed, apply::on_thread, cannot_make};
use crate::cx::StepCx;

/// Where the installer looks for answers in its ramdisk (Debian Installation Guide, B.2.1).
const PRESEED: &str = "preseed.cfg";

/// The steps and what they work on.
pub(super) struct Steps<'a> {
    pub(super) iso: &'a IsoInstall,
    pub(super) empty_image: &'a Scope,
    pub(super) pull: &'a Scope,
}

/// Makes it ready in `directory`.
pub(super) async fn run(
    steps: &Steps<'_>,
    directory: &Path,
    deployed: &mut Deployed,
    cx: &StepCx,
) -> Result<(), Failure> {
    let disk = directory.join("installed.img");
    cx.step(steps.empty_image, Cause::StepTimeout, async |cx| {
        let size = steps.iso.installation_size.value;
        fs::create_dir_all(directory).map_err(|error| cannot_make(directory, &error))?;
        // A hole: it takes what is written to it.
        let made = File::create(&disk).and_then(|file| file.set_len(size.0));
        made.map_err(|error| cannot_make(&disk, &error))?;
        cx.report().debug(format!("an empty disk of {size}"));
        Ok(())
    })
    .await?;
    let [kernel, initrd] = ["installer-kernel", "installer-initrd"].map(|name| directory.join(name));
    cx.step(steps.pull, Cause::StepTimeout, async |cx| {
        let file = |label: &str| {
            let missing = || Failure::new(Cause::Bug, format!("no file `{label}` was deployed"));
            deployed.files.get(label).cloned().ok_or_else(missing)
        };
        let (image, preseed) = (file("iso")?, file("preseed")?);
        let wanted = [(&steps.iso.kernel, kernel.clone()), (&steps.iso.initrd, initrd.clone())];
        let wanted = wanted.map(|(path, target)| (path.value.clone(), target));
        let ramdisk = initrd.clone();
        on_thread(move || {
            let mut image = iso9660::Image::open(&image).map_err(|error| error.failure())?;
            for (path, target) in wanted {
                image.extract(&path, &target).map_err(|error| error.failure())?;
            }
            answer(&ramdisk, &preseed)
        })
        .await?;
        cx.record(json!({ "success": "kernel and ramdisk are out of the image" }));
        Ok(())
    })
    .await?;
    deployed.installation = Some(Installation { stage: InstallStage::default(), kernel, initrd, disk });
    Ok(())
}

/// Puts the answers into the ramdisk: an archive behind those that are there.
fn answer(ramdisk: &Path, preseed: &Path) -> Result<(), Failure> {
    let content = Content::host(preseed).map_err(|error| cannot_make(preseed, &error))?;
    let path = TreePath::new(PRESEED).map_err(|error| Failure::new(Cause::Bug, error.to_string()))?;
    let mut tree = Tree::new();
    let inserted = tree.insert(&path, Entry::new(Meta::new(0o644), Node::File(content)));
    inserted.map_err(|error| error.failure())?;
    let appended = initramfs::append(ramdisk, &tree, None, Placement::OwnDirectories);
    appended.map(drop).map_err(|error| error.failure())
}
