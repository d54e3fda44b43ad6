//! `tuxrun --runtime null`, unchanged, drives `lava-run` (clients.md 1).

use std::{os::unix::fs::symlink, time::Duration};

use e2e::{Guest, Sandbox, built, need, python_program};

#[test]
fn tuxrun_boots_a_guest_and_reads_its_results() {
    let guest = need!(Guest::find("arm64"));
    let tuxrun = need!(python_program("tuxrun"));
    let sandbox = Sandbox::new();
    let programs = sandbox.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    symlink(built("pumice"), programs.join("lava-run")).unwrap();
    // tuxrun looks at endings.
    let kernel = sandbox.path().join("Image");
    let rootfs = sandbox.path().join("rootfs.cpio.gz");
    symlink(guest.kernel(), &kernel).unwrap();
    symlink(guest.initrd(), &rootfs).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let arguments = ["--runtime", "null", "--device", "qemu-arm64", "--results", "results.json", "--kernel"];
    let mut command = sandbox.foreign(tuxrun, arguments);
    command.env("PATH", path).arg(&kernel).arg("--rootfs").arg(&rootfs).args(["--", "uname", "-a"]);
    let finished = sandbox.start(&mut command).wait(Duration::from_secs(280));
    assert_eq!(finished.status.code(), Some(0), "{}{}", finished.stdout, finished.stderr);
    let results = std::fs::read_to_string(sandbox.path().join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["lava"]["login-action"]["result"], "pass", "{results}");
    assert_eq!(results["lava"]["job"]["result"], "pass", "{results}");
    assert!(results.as_object().unwrap().len() > 1, "no suite of the tests: {results}");
    sandbox.is_empty_within(Duration::from_secs(2));
}
