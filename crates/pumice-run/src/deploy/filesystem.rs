//! Makes a file system of a tar archive, as `filesystem` of an image asks: no root, no mount.

use std::path::{Path, PathBuf};

use pumice_image::{
    Limits,
    ext4::{self, CreateOptions, Kind},
    tar::{self, LinkPolicy},
};
use pumice_job::FileSystem;
use pumice_plan::deploy::MakeFileSystem;
use pumice_types::{Blame as _, ByteSize, Cause, Failure};
use serde_json::json;

use super::apply::on_thread;
use crate::cx::StepCx;

/// How much is left free for the guest. The image is sparse: what is not used takes no room on the host.
const FREE: ByteSize = ByteSize(512 << 20);

/// The image that was made of `archive`, beside it.
pub(crate) async fn run(plan: &MakeFileSystem, archive: &Path, cx: &StepCx) -> Result<PathBuf, Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let target = archive.with_extension("img");
        let (from, to, kind) = (archive.to_owned(), target.clone(), plan.kind);
        let files = on_thread(move || {
            let tree = tar::read_file(&from, LinkPolicy::GuestRoot, Limits::default())
                .map_err(|error| error.failure())?;
            let kind = match kind {
                FileSystem::Ext2 => Kind::Ext2,
                FileSystem::Ext4 => Kind::Ext4,
            };
            let options = CreateOptions { kind, free: FREE, ..CreateOptions::default() };
            ext4::create(&to, &tree, &options).map_err(|error| error.failure())?;
            Ok(tree.len())
        })
        .await?;
        cx.report().info(format!("a file system with {files} files is made: `{}`", target.display()));
        cx.record(json!({ "files": files }));
        Ok(target)
    })
    .await
}
