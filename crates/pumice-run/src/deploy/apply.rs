//! Brings the overlay to the machine: appended to an initramfs, on a disk of its own, or packed for the guest
//! to fetch.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use pumice_image::{
    Compression, Content, Entry, Meta, Node, Tree, TreePath,
    compression::encode,
    cpio::initramfs::{self, Placement},
    ext4::{self, CreateOptions, Kind},
    tar,
};
use pumice_plan::{OverlayDelivery, Scope, deploy::ApplyOverlay};
use pumice_types::{Blame as _, ByteSize, Cause, Failure};

use super::{BuiltOverlay, Deployed, download::cannot_make};
use crate::{cx::StepCx, host::RunHost};

/// The label of a disk that carries an overlay, as LAVA's has it (lava-compat 1.6).
const DISK_LABEL: &str = "LAVA";

/// The identity of such a disk. A machine has one at most, so that all can have the same.
const DISK_UUID: [u8; 16] =
    [0x70, 0x75, 0x6d, 0x69, 0x63, 0x65, 0x40, 0x6f, 0x80, 0x76, 0x65, 0x72, 0x6c, 0x61, 0x79, 0x21];

/// [`DISK_UUID`] as `/dev/disk/by-uuid` names it.
pub(crate) const DISK_UUID_TEXT: &str = "70756d69-6365-406f-8076-65726c617921";

/// Applies the overlay.
pub(crate) async fn run(
    plan: &ApplyOverlay,
    deployed: &mut Deployed,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let Some(overlay) = &deployed.overlay else { return Ok(()) };
        match &plan.by {
            OverlayDelivery::Initramfs { label } => {
                let path = deployed.files.get(label).ok_or_else(|| missing(label))?.clone();
                let tree = overlay.tree()?;
                let bytes = on_thread(move || {
                    let appended = initramfs::append(&path, &tree, None, Placement::OwnDirectories);
                    appended.map_err(|error| error.failure())
                })
                .await?;
                cx.report().info(format!("the overlay is appended to `{label}` ({})", ByteSize(bytes)));
            }
            OverlayDelivery::Disk => {
                let path = host.work_dir.join(format!("overlay-{}.ext2", plan.scope.level));
                deployed.overlay_disk = Some(disk(overlay, path, plan.disk_mib).await?);
                cx.report().info(format!("the overlay is on a disk of its own, {} MiB", plan.disk_mib));
            }
            // The image has it already, the guest fetches it, or the machine shares a directory.
            OverlayDelivery::Image { .. }
            | OverlayDelivery::Transfer
            | OverlayDelivery::Copied
            | OverlayDelivery::Directory => {}
        }
        cx.record(serde_json::json!({ "by": plan.by }));
        Ok(())
    })
    .await
}

/// Makes a disk whose root is the overlay's directory, so that it can be mounted there.
async fn disk(overlay: &BuiltOverlay, path: PathBuf, size_mib: u64) -> Result<PathBuf, Failure> {
    let tree = inside(&overlay.tree()?, &overlay.root)?;
    on_thread(move || {
        if path.exists() {
            fs::remove_file(&path).map_err(|error| cannot_make(&path, &error))?;
        }
        let options = CreateOptions {
            kind: Kind::Ext2,
            label: DISK_LABEL.to_owned(),
            uuid: DISK_UUID,
            size: Some(ByteSize(size_mib << 20)),
            ..CreateOptions::default()
        };
        ext4::create(&path, &tree, &options).map_err(|error| error.failure())?;
        Ok(path)
    })
    .await
}

/// The part of a tree below the directory `root`.
fn inside(tree: &Tree, root: &str) -> Result<Tree, Failure> {
    let root = root.trim_matches('/');
    let mut part = Tree::new();
    for (path, entry) in tree.iter() {
        let below = path.as_bytes().strip_prefix(root.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
        if let Some(below) = below
            && !matches!(entry.node, Node::HardLink(_))
        {
            let path = TreePath::new(below).map_err(|error| unusable(&error))?;
            part.insert(&path, entry.clone()).map_err(|error| error.failure())?;
        }
    }
    Ok(part)
}

/// Packs the overlay for the guest to fetch, with `files` beside the tests, each in a directory that is called as its
/// label. The name says which step made it, as LAVA's does
/// (lava-compat 1.6).
pub(crate) async fn pack(
    overlay: &BuiltOverlay,
    files: &BTreeMap<String, PathBuf>,
    scope: &Scope,
    host: &RunHost,
    cx: &StepCx,
) -> Result<PathBuf, Failure> {
    cx.step(scope, Cause::StepTimeout, async |cx| {
        let path = host.work_dir.join(format!("overlay-{}.tar.gz", scope.level));
        let mut tree = overlay.tree()?;
        for (label, file) in files {
            let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let place = TreePath::new(format!("{}/{label}/{name}", overlay.root))
                .map_err(|error| unusable(&error))?;
            let content = Content::host(file).map_err(|error| cannot_make(file, &error))?;
            let entry = Entry::new(Meta::new(0o644), Node::File(content));
            tree.insert(&place, entry).map_err(|error| error.failure())?;
        }
        let packed = on_thread(move || write_archive(&tree, &path).map(|()| path)).await?;
        cx.report().debug(format!("the overlay is packed in {}", packed.display()));
        Ok(packed)
    })
    .await
}

fn write_archive(tree: &Tree, path: &Path) -> Result<(), Failure> {
    let write = || -> std::io::Result<Result<(), tar::TarError>> {
        let output = BufWriter::new(File::create(path)?);
        let mut encoder = encode(Some(Compression::Gzip), output)?;
        if let Err(error) = tar::write(tree, &mut encoder) {
            return Ok(Err(error));
        }
        std::io::Write::flush(&mut encoder.finish()?)?;
        Ok(Ok(()))
    };
    write().map_err(|error| cannot_make(path, &error))?.map_err(|error| error.failure())
}

/// Does slow work with files where it holds up nothing else.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Failure::new(Cause::Bug, format!("the thread that writes an image ended: {error}")))
    })
}

pub(crate) fn unusable(error: &impl ToString) -> Failure {
    Failure::new(Cause::ImageUnusable, error.to_string())
}

fn missing(label: &str) -> Failure {
    Failure::new(Cause::Bug, format!("the plan names `{label}`, which was not deployed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_holds_what_is_below_the_directory_of_the_overlay() {
        let mut tree = Tree::new();
        tree.file("lava-7/bin/lava-test-runner", 0o755, "run").unwrap();
        tree.file("lava-77/other", 0o644, "no").unwrap();
        tree.file("root/.ssh/authorized_keys", 0o600, "key").unwrap();
        let part = inside(&tree, "/lava-7").unwrap();
        let paths: Vec<_> = part.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["/bin", "/bin/lava-test-runner"]);
    }

    #[test]
    fn the_identity_of_the_disk_reads_as_the_guest_sees_it() {
        let digits = DISK_UUID_TEXT.replace('-', "");
        let bytes = (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap());
        assert_eq!(bytes.collect::<Vec<_>>(), DISK_UUID);
    }
}
