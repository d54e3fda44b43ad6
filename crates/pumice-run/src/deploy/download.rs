//! Fetches one file into the store and gives the job its own view of it.
//!
//! Blame: a server that refuses and a wrong checksum are the job's; a server that cannot be reached is the
//! infrastructure's ([`pumice_store::FetchError`] says which).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pumice_image::Compression;
use pumice_job::{Algorithm, Resource};
use pumice_plan::{ImageUse, Scope, deploy::Download};
use pumice_store::{
    Artifact, Cancel, Checksum, Control, Origin, Progress, Request, View, ViewMethod, Viewed,
};
use pumice_types::{Blame as _, ByteSize, Cause, Deadline, Failure};
use serde_json::json;

use super::Deployed;
use crate::{cx::StepCx, host::RunHost, report};

/// Files that `deploy: to: downloads` fetched, by namespace and name: what `downloads://` reaches.
#[derive(Default)]
pub(crate) struct Downloads(BTreeMap<String, Downloaded>);

/// The downloads of one namespace.
#[derive(Default)]
struct Downloaded {
    files: BTreeMap<String, PathBuf>,
    /// The directories of its blocks, the last first: steps in a container may have made more files there.
    directories: Vec<PathBuf>,
}

impl Downloads {
    /// Keeps the files of a finished block.
    pub(crate) fn keep(&mut self, namespace: &str, directory: &Path, deployed: &Deployed) {
        let known = self.0.entry(namespace.to_owned()).or_default();
        known.directories.insert(0, directory.to_owned());
        for path in deployed.files.values() {
            if let Some(name) = path.file_name() {
                known.files.insert(name.to_string_lossy().into_owned(), path.clone());
            }
        }
    }

    /// Where the files of a namespace's last block are.
    pub(crate) fn directory(&self, namespace: &str) -> Option<PathBuf> {
        self.0.get(namespace)?.directories.first().cloned()
    }

    /// The file behind `downloads://NAME`, of this namespace or else of any.
    fn find(&self, namespace: &str, url: &str) -> Option<PathBuf> {
        let name = url.strip_prefix("downloads://").or_else(|| url.strip_prefix("downloads:"))?;
        let name = name.trim_start_matches('/');
        let here = self.0.get(namespace).and_then(|known| known.find(name));
        here.or_else(|| self.0.values().find_map(|known| known.find(name)))
    }
}

impl Downloaded {
    fn find(&self, name: &str) -> Option<PathBuf> {
        let made = || self.directories.iter().find_map(|directory| below(directory, name));
        self.files.get(name).cloned().or_else(made)
    }
}

/// The regular file `name` below a directory. Whoever made it may have made a link that leads elsewhere: that is none.
fn below(directory: &Path, name: &str) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    let path = directory.join(name).canonicalize().ok()?;
    (path.starts_with(&directory) && path.is_file()).then_some(path)
}

/// Where the files of a block go.
pub(crate) struct Place<'a> {
    /// The block's own directory.
    pub(crate) directory: &'a Path,
    /// Whether every file has a directory of its own.
    pub(crate) uniquify: bool,
}

/// A file of the job's own.
pub(crate) struct File {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether it is a qcow2 image whatever its name says.
    pub(crate) is_qcow2: bool,
    /// Keeps the artifact in the store.
    pub(crate) view: Option<Viewed>,
}

/// Fetches the file, trying again as the plan says.
pub(crate) async fn run(
    download: &Download,
    place: &Place<'_>,
    host: &RunHost,
    downloads: &Downloads,
    cx: &StepCx,
) -> Result<File, Failure> {
    cx.step_with_tries(&download.retry, Cause::DownloadFailed, async |cx| {
        cx.step(&download.scope, Cause::DownloadFailed, async |cx| {
            let resource = &download.resource;
            let artifact = fetch(resource, &download.scope, &download.label, host, downloads, cx).await?;
            let directory =
                if place.uniquify { place.directory.join(&download.label) } else { place.directory.into() };
            fs::create_dir_all(&directory).map_err(|error| cannot_make(&directory, &error))?;
            let path = directory.join(artifact.name());
            let view = match download.used {
                ImageUse::Read => View::ReadOnly,
                ImageUse::Write => View::Writable,
                ImageUse::Disk => View::Disk,
            };
            let view = host.store.view(&artifact, &path, view).map_err(|error| error.failure())?;
            cx.record(json!({
                "label": download.label,
                "size": artifact.source_bytes(),
                "sha256sum": artifact.source_sha256().to_string(),
            }));
            let is_qcow2 = view.method == ViewMethod::Qcow2;
            Ok(File { path: view.path.clone(), is_qcow2, view: Some(view) })
        })
        .await
    })
    .await
}

/// Fetches a resource into the store.
pub(crate) async fn fetch(
    resource: &Resource,
    scope: &Scope,
    label: &str,
    host: &RunHost,
    downloads: &Downloads,
    cx: &StepCx,
) -> Result<Artifact, Failure> {
    let mut url = resource.url.value.clone();
    if url.starts_with("downloads:") {
        let Some(path) = downloads.find(&scope.namespace, &url) else {
            let message = format!("no earlier block downloaded a file for {url}");
            return Err(Failure::new(Cause::DownloadRefused, message)
                .hint("name a file that `deploy: to: downloads` fetched before, as downloads://FILE"));
        };
        url = format!("file://{}", path.display());
    }
    cx.report().info(format!("fetching {}", pumice_store::shown_url(&url)));
    let mut request =
        Request::new(url).compression(resource.compression.as_ref().map(|word| compression(word.value)));
    request.headers = resource
        .headers
        .iter()
        .map(|header| (header.name.value.clone(), header.value.value.clone()))
        .collect();
    request.use_cache = resource.use_cache;
    for checksum in &resource.checksums {
        let algorithm = match checksum.algorithm {
            Algorithm::Md5 => pumice_store::Algorithm::Md5,
            Algorithm::Sha256 => pumice_store::Algorithm::Sha256,
            Algorithm::Sha512 => pumice_store::Algorithm::Sha512,
        };
        let checksum = Checksum::new(algorithm, &checksum.digest.value)
            .map_err(|error| Failure::new(Cause::InvalidDefinition, error.to_string()))?;
        request.checksums.push(checksum);
    }
    fetch_request(request, label, host, cx).await
}

/// Fetches on a thread of its own; dropping the future stops the fetch.
pub(crate) async fn fetch_request(
    request: Request,
    label: &str,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Artifact, Failure> {
    let artifact = on_thread(request, label, host, cx).await?;
    let how = match artifact.origin() {
        Origin::Fetched => "fetched",
        Origin::Unchanged => "unchanged since the last fetch, taken from the store",
        Origin::Known => "in the store already",
    };
    cx.report().info(format!("{label}: {} {how}", ByteSize(artifact.source_bytes())));
    Ok(artifact)
}

async fn on_thread(request: Request, label: &str, host: &RunHost, cx: &StepCx) -> Result<Artifact, Failure> {
    struct CancelOnDrop(Cancel);
    impl Drop for CancelOnDrop {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let cancel = Cancel::new();
    let _guard = CancelOnDrop(cancel.clone());
    let (store, deadline): (_, Deadline) = (Arc::clone(&host.store), cx.deadline().clone());
    let (reporter, label) = (cx.report().clone(), label.to_owned());
    let fetched = tokio::task::spawn_blocking(move || {
        let mut progress = |progress: Progress| match progress {
            Progress::Waiting => reporter.debug(format!("{label}: another job fetches it, waiting")),
            Progress::Received { bytes, total } => {
                reporter.progress(&report::Progress::Transfer { label: &label, done: bytes, total });
            }
            Progress::Retrying { reason, attempt, after } => reporter.warning(format!(
                "{label}: {reason}; attempt {attempt} failed, the next follows in {:.1} s",
                after.as_secs_f64()
            )),
        };
        let mut control = Control { deadline: &deadline, cancel: &cancel, progress: &mut progress };
        store.fetch(&request, &mut control)
    });
    match fetched.await {
        Ok(result) => result.map_err(|error| error.failure()),
        Err(error) => Err(Failure::new(Cause::Bug, format!("the thread that fetches ended: {error}"))),
    }
}

/// The job's word for a compression as the store takes it.
pub(crate) fn compression(word: pumice_job::Compression) -> Compression {
    use pumice_job::Compression as Word;
    match word {
        Word::Bz2 => Compression::Bzip2,
        Word::Gz => Compression::Gzip,
        Word::Xz => Compression::Xz,
        Word::Zip => Compression::Zip,
        Word::Zstd => Compression::Zstd,
    }
}

pub(crate) fn cannot_make(path: &Path, error: &std::io::Error) -> Failure {
    let cause =
        if error.kind() == std::io::ErrorKind::StorageFull { Cause::DiskFull } else { Cause::HostRefused };
    Failure::new(cause, format!("cannot make `{}`: {error}", path.display()))
}
