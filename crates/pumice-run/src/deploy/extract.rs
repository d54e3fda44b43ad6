//! Takes files out of a disk image, as `extract` of an image asks: what linaro-media-create and its kin put into a
//! FAT or ext4 partition for the boot loader, found by path or pattern, without root.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pumice_image::{Limits, disk::Disk};
use pumice_plan::deploy::ExtractFiles;
use pumice_types::{Blame as _, ByteSize, Cause, Failure, InvalidFilePattern};
use serde_json::json;

use super::{apply::on_thread, download::cannot_make};
use crate::cx::StepCx;

/// Copies the files, each into a directory of its own below `directory`. Says where they are, by label.
pub(crate) async fn run(
    plan: &ExtractFiles,
    image: &Path,
    directory: &Path,
    cx: &StepCx,
) -> Result<Vec<(String, PathBuf)>, Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let (plan, image, directory) = (plan.clone(), image.to_owned(), directory.to_owned());
        let taken = on_thread(move || take(&plan, &image, &directory)).await?;
        let mut names = serde_json::Map::new();
        for file in &taken {
            cx.report().info(format!("{}: {} from {}", file.label, ByteSize(file.bytes), file.from));
            names.insert(file.label.clone(), json!(file.from));
        }
        cx.record(json!({ "files": names }));
        Ok(taken.into_iter().map(|file| (file.label, file.path)).collect())
    })
    .await
}

/// A file that was taken out.
struct Taken {
    label: String,
    path: PathBuf,
    from: String,
    bytes: u64,
}

fn take(plan: &ExtractFiles, image: &Path, directory: &Path) -> Result<Vec<Taken>, Failure> {
    let disk = Disk::open(image).map_err(|error| error.failure())?;
    let mut taken = Vec::new();
    for file in &plan.files {
        let label = file.label.value.clone();
        let explained = |mut failure: Failure| {
            failure.message = format!("no {label} is taken out of the image: {}", failure.message);
            failure
        };
        // Checked with the job, which is read the same way.
        let pattern = file.pattern.value.parse().map_err(|error: InvalidFilePattern| {
            explained(Failure::new(Cause::InvalidDefinition, error.to_string()))
        })?;
        let found = match plan.partition {
            Some(partition) => disk.volume(usize::try_from(partition).ok()).and_then(|mut volume| {
                let found = volume.find_one(&pattern, Limits::default())?;
                Ok((volume, found))
            }),
            None => disk.find(&pattern, Limits::default()),
        };
        let (mut volume, found) = found.map_err(|error| explained(error.failure()))?;
        let own = directory.join(&label);
        fs::create_dir_all(&own).map_err(|error| cannot_make(&own, &error))?;
        let path = own.join(found.path.rsplit('/').next().unwrap_or("file"));
        let bytes = volume.extract(&found, &path).map_err(|error| explained(error.failure()))?;
        taken.push(Taken { label, path, from: found.path, bytes });
    }
    Ok(taken)
}
