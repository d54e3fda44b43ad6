//! Writes overlays into an image before it is booted, as the job's `overlays` asks (lava-compat 1.5).

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
};

use pumice_image::{
    Entry, Limits, Node, Tree, TreePath, android_sparse,
    cpio::initramfs::{self, Placement},
    disk::Disk,
    ext4,
    tar::{self, LinkPolicy},
};
use pumice_job::Format;
use pumice_plan::deploy::{ImageOverlays, OtherOverlay};
use pumice_types::{Blame as _, ByteSize, Cause, Failure};
use serde_json::json;

use super::{
    BuiltOverlay, Downloads,
    apply::{on_thread, unusable},
    download::{self, cannot_make},
};
use crate::{cx::StepCx, host::RunHost};

/// An image that overlays go into.
pub(crate) struct Target<'a> {
    /// The file, the job's own.
    pub(crate) path: &'a Path,
    /// Whether it is an Android sparse image. It is expanded: simulators read raw ones.
    pub(crate) is_sparse: bool,
}

/// Writes them.
pub(crate) async fn run(
    plan: &ImageOverlays,
    target: &Target<'_>,
    overlay: Option<&BuiltOverlay>,
    host: &RunHost,
    downloads: &Downloads,
    cx: &StepCx,
) -> Result<(), Failure> {
    let mut tree = Tree::new();
    if let (true, Some(overlay)) = (plan.lava, overlay) {
        tree.merge(overlay.tree()?).map_err(|error| error.failure())?;
    }
    // Kept until the image is written: trees name files and do not hold them.
    let mut artifacts = Vec::new();
    for other in &plan.others {
        let artifact = cx
            .step(&other.retry, Cause::DownloadFailed, async |cx| {
                cx.step(&other.scope, Cause::DownloadFailed, async |cx| {
                    let label = &other.file.name.value;
                    download::fetch(&other.file.resource, &other.scope, label, host, downloads, cx).await
                })
                .await
            })
            .await?;
        add(&mut tree, other, artifact.path())?;
        artifacts.push(artifact);
    }
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let files = tree.len();
        let job = Job {
            path: target.path.to_owned(),
            is_sparse: target.is_sparse,
            format: plan.format,
            partition: plan.partition,
            placement: if plan.others.is_empty() {
                Placement::OwnDirectories
            } else {
                Placement::AmongOthers(Limits::default())
            },
        };
        on_thread(move || job.write(&tree)).await?;
        cx.report().info(format!("{files} files are written into `{}`", target.path.display()));
        cx.record(json!({ "files": files }));
        Ok(())
    })
    .await
}

/// Puts a file, or the files of an archive, where the job wants them.
fn add(tree: &mut Tree, other: &OtherOverlay, file: &Path) -> Result<(), Failure> {
    let path = other.file.path.value.as_bytes();
    if !other.file.unpack {
        return tree.host_file(path, 0o644, file).map(drop).map_err(|error| error.failure());
    }
    let archive =
        tar::read_file(file, LinkPolicy::GuestRoot, Limits::default()).map_err(|error| error.failure())?;
    let part = below(&archive, path)?;
    tree.merge(part).map(drop).map_err(|error| error.failure())
}

/// The same tree, in the directory `path`.
fn below(tree: &Tree, path: &[u8]) -> Result<Tree, Failure> {
    let place = |own: &TreePath| {
        TreePath::new([path, b"/", own.as_bytes()].concat()).map_err(|error| unusable(&error))
    };
    let mut moved = Tree::new();
    // Another name of a file comes after the file.
    for wants_links in [false, true] {
        for (own, entry) in tree.iter() {
            let node = match &entry.node {
                Node::HardLink(target) if wants_links => Node::HardLink(place(target)?),
                node if !wants_links && !matches!(node, Node::HardLink(_)) => node.clone(),
                _ => continue,
            };
            let entry = Entry { node, ..entry.clone() };
            moved.insert(&place(own)?, entry).map_err(|error| error.failure())?;
        }
    }
    Ok(moved)
}

/// What a thread needs to write into an image.
struct Job {
    path: PathBuf,
    is_sparse: bool,
    format: Format,
    partition: Option<u32>,
    placement: Placement,
}

impl Job {
    fn write(&self, tree: &Tree) -> Result<(), Failure> {
        let path = &self.path;
        match self.format {
            Format::CpioNewc => {
                let appended = initramfs::append(path, tree, None, self.placement);
                appended.map(drop).map_err(|error| error.failure())
            }
            Format::Ext4 => {
                if self.is_sparse {
                    expand(path)?;
                }
                let partition = self.partition.and_then(|number| usize::try_from(number).ok());
                let disk = Disk::open(path).map_err(|error| error.failure())?;
                let region = disk.region(partition).map_err(|error| error.failure())?;
                ext4::write(&region, tree).map_err(|error| error.failure())
            }
            Format::Tar => {
                let mut all = tar::read_file(path, LinkPolicy::GuestRoot, Limits::default())
                    .map_err(|error| error.failure())?;
                all.merge(tree.clone()).map_err(|error| error.failure())?;
                replace(path, |file| tar::write(&all, BufWriter::new(file)).map_err(|error| error.failure()))
            }
        }
    }
}

fn expand(path: &Path) -> Result<(), Failure> {
    let input = File::open(path).map_err(|error| cannot_make(path, &error))?;
    let limit = ByteSize(Limits::default().bytes);
    replace(path, |mut file| {
        let expanded = android_sparse::expand(BufReader::new(input), &mut file, limit);
        expanded.map(drop).map_err(|error| error.failure())
    })
}

/// Writes a new file that then takes the place of the one at `path`, which is read meanwhile.
fn replace(path: &Path, write: impl FnOnce(File) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let file = File::create(&fresh).map_err(|error| cannot_make(&fresh, &error))?;
    write(file)?;
    std::fs::rename(&fresh, path).map_err(|error| cannot_make(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_goes_below_its_path_with_its_links() {
        let mut tree = Tree::new();
        tree.file("lib/b", 0o644, "b").unwrap();
        let link = Node::HardLink(TreePath::new("lib/b").unwrap());
        tree.insert(&TreePath::new("a").unwrap(), Entry::new(pumice_image::Meta::new(0o644), link)).unwrap();
        let moved = below(&tree, b"/opt/x").unwrap();
        let target = TreePath::new("opt/x/lib/b").unwrap();
        let entry = moved.get(&TreePath::new("opt/x/a").unwrap()).unwrap();
        assert_eq!(entry.node, Node::HardLink(target.clone()));
        assert!(moved.get(&target).is_some());
        assert_eq!(below(&tree, b"/").unwrap(), tree);
    }

    #[test]
    fn a_tar_image_keeps_its_files_and_gets_those_of_the_overlay() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("root.tar");
        let mut image = Tree::new();
        image.file("etc/hostname", 0o644, "guest").unwrap();
        image.file("etc/motd", 0o644, "old").unwrap();
        tar::write(&image, File::create(&path).unwrap()).unwrap();
        let mut overlay = Tree::new();
        overlay.file("etc/motd", 0o600, "new").unwrap();
        let job = Job {
            path: path.clone(),
            is_sparse: false,
            format: Format::Tar,
            partition: None,
            placement: Placement::OwnDirectories,
        };
        job.write(&overlay).unwrap();
        let read = tar::read_file(&path, LinkPolicy::GuestRoot, Limits::default()).unwrap();
        let text = |name: &str| match &read.get(&TreePath::new(name).unwrap()).unwrap().node {
            Node::File(content) => String::from_utf8(content.to_vec().unwrap()).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!((text("etc/hostname"), text("etc/motd")), ("guest".to_owned(), "new".to_owned()));
    }

    #[test]
    fn an_ext4_image_that_is_none_is_the_jobs_fault() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("root.ext4");
        std::fs::write(&path, vec![0; 1 << 20]).unwrap();
        let job = Job {
            path,
            is_sparse: false,
            format: Format::Ext4,
            partition: Some(1),
            placement: Placement::OwnDirectories,
        };
        let failure = job.write(&Tree::new()).unwrap_err();
        assert_eq!(failure.cause, Cause::ImageUnusable);
        assert_eq!(failure.message, "it has no partition 1: it is not divided into partitions");
    }
}
