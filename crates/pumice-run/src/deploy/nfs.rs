//! A root file system served over NFS, from the archive as it lies in the store: nothing is unpacked.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use pumice_image::{
    Limits, Tree,
    tar::{self, LinkPolicy},
};
use pumice_nfs::{Files, Server};
use pumice_plan::Scope;
use pumice_types::{Blame as _, Cause, Failure};
use serde_json::json;

use super::{Deployed, apply::on_thread};
use crate::{cx::StepCx, host::RunHost};

/// The archive of the root file system, and one of modules that belong into it.
const ARCHIVES: [&str; 2] = ["nfsrootfs", "modules"];

/// Serves it. The overlay of the tests is part of it.
pub(super) async fn run(
    scope: &Scope,
    deployed: &mut Deployed,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(scope, Cause::StepTimeout, async |cx| {
        let archives = ARCHIVES.iter().filter_map(|label| deployed.files.get(*label).cloned()).collect();
        let overlay = deployed.overlay.as_ref().map(super::BuiltOverlay::tree).transpose()?;
        let written = host.work_dir.join(format!("nfs{}", scope.level));
        let files = on_thread(move || files(archives, overlay, written)).await?;
        let export = export().map_err(|error| cannot_serve(&error))?;
        let server = Server::start(files, export).map_err(|error| cannot_serve(&error))?;
        cx.report().info(format!("the root file system is served on port {} of this host", server.port()));
        cx.record(json!({ "success": "the root file system is served" }));
        deployed.nfs = Some(server);
        Ok(())
    })
    .await
}

fn files(archives: Vec<PathBuf>, overlay: Option<Tree>, written: PathBuf) -> Result<Files, Failure> {
    let mut tree = Tree::new();
    for path in archives {
        let archive = tar::read_file(&path, LinkPolicy::GuestRoot, Limits::default());
        let archive = archive.map_err(|error| {
            error.failure().hint(format!(
                "`{}` must be a tar archive once it is unpacked; say how it is packed with `compression`",
                path.file_name().unwrap_or_default().to_string_lossy()
            ))
        })?;
        tree.merge(archive).map_err(|error| error.failure())?;
    }
    if let Some(overlay) = overlay {
        tree.merge(overlay).map_err(|error| error.failure())?;
    }
    Files::new(&tree, written).map_err(|error| Failure::new(Cause::ImageUnusable, error.to_string()))
}

/// A name that nobody guesses: whoever knows it may read and write what is served.
fn export() -> std::io::Result<String> {
    let path = Path::new("/dev/urandom");
    let mut random = [0; 16];
    File::open(path)?.read_exact(&mut random)?;
    Ok(random.iter().fold("/".to_owned(), |name, byte| format!("{name}{byte:02x}")))
}

fn cannot_serve(error: &std::io::Error) -> Failure {
    Failure::new(Cause::HostRefused, format!("the root file system cannot be served: {error}"))
}
