//! Makes the overlay visible in a guest that runs: mounted from a disk, or fetched over HTTP.

use pumice_plan::boot::Unpack;
use pumice_types::{Cause, Failure};

use super::{Booted, serve::Served};
use crate::{
    cx::StepCx,
    deploy::{DISK_UUID_TEXT, Deployed},
};

/// Mounts the disk with the overlay, unless its files are there already.
pub(crate) async fn mount(deployed: &Deployed, booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    let (Some(overlay), Some(_)) = (&deployed.overlay, &deployed.overlay_disk) else { return Ok(()) };
    cx.report().info("mounting the disk with the tests");
    booted.must_run(&mount_line(&overlay.root), cx).await.map_err(|failure| {
        failure.hint(
            "the guest needs a driver for the disk and for ext2; or give an image `overlays: {lava: true}`",
        )
    })
}

/// One line that mounts the overlay at `root`: by its identity where the guest has names for that, else by
/// trying every disk. It succeeds if the overlay is there in the end, and mounts nothing twice.
fn mount_line(root: &str) -> String {
    let runner = format!("{root}/bin/lava-test-runner");
    format!(
        "[ -x {runner} ] || {{ mkdir -p {root}; for d in /dev/disk/by-uuid/{DISK_UUID_TEXT} /dev/vd? /dev/sd? \
         /dev/hd? /dev/mmcblk?; do [ -b $d ] && mount -t ext2 $d {root} 2>/dev/null || continue; \
         [ -x {runner} ] && break; umount {root}; done; [ -x {runner} ]; }}"
    )
}

/// Lets the guest fetch the overlay and unpack it, with the commands the job gives (lava-compat 1.6).
pub(crate) async fn fetch(
    plan: &Unpack,
    deployed: &Deployed,
    booted: &mut Booted,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let Some(archive) = &deployed.overlay_archive else { return Ok(()) };
        let served = Served::file(archive, booted.host.listen).await.map_err(|error| {
            Failure::new(Cause::HostRefused, format!("the overlay cannot be served to the guest: {error}"))
        })?;
        booted.machine.offer(served.port).await?;
        let url = format!("http://{}:{}{}", booted.host.seen, served.port, served.target);
        let file = served.target.rsplit('/').next().unwrap_or_default().to_owned();
        let transfer = &plan.transfer;
        booted.must_run(&format!("{} {url}", transfer.download_command.value), cx).await?;
        booted.must_run(&format!("{} {file}", transfer.unpack_command.value), cx).await?;
        cx.record(serde_json::json!({ "success": "the overlay is unpacked" }));
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

    use super::*;

    fn shell(line: &str) -> Option<i32> {
        Command::new("sh")
            .args(["-c", line])
            .env("PATH", "/nonexistent:/bin:/usr/bin")
            .status()
            .unwrap()
            .code()
    }

    #[test]
    fn nothing_is_mounted_over_an_overlay_that_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("lava-1");
        fs::create_dir_all(root.join("bin")).unwrap();
        let runner = root.join("bin/lava-test-runner");
        fs::write(&runner, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(shell(&mount_line(&root.to_string_lossy())), Some(0));
    }

    #[test]
    fn the_line_fails_where_no_disk_holds_the_overlay() {
        // Without devices to try: only what the line itself decides is looked at.
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("lava-1");
        let line = mount_line(&root.to_string_lossy()).replace("/dev/", "/nonexistent/");
        assert_eq!(shell(&line), Some(1));
    }
}
