//! One command brings the files of a person's own machine to a worker's, and the result back.

use std::{path::Path, time::Duration};

use e2e::{Guest, need};

use super::rig::Lab;

/// How long a kernel may take on a machine that is busy.
const BOOT: Duration = Duration::from_secs(400);

#[test]
fn one_command_sends_kernel_and_tests_to_a_model_on_another_machine_and_tells_the_result() {
    let guest = need!(Guest::find("arm64"));
    let mut lab = need!(Lab::new(1, &[]));
    // Jobs may not read files of the worker's machine, and may talk to no private address: the lab's own server is allowed.
    lab.configure("[downloads]\nfiles = []\nprivate_addresses = false\n");
    lab.install_models(1);
    lab.start_worker(1);
    lab.wait_for_worker(1);

    let firmware = lab.sandbox.write("firmware.bin", "x").display().to_string();
    let images = ["bl1", "fip", "disk"].map(|label| format!("{label}={firmware}"));
    let (kernel, initrd) = (guest.kernel().display().to_string(), guest.initrd().display().to_string());
    let tests =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("library/tests").display().to_string();
    let mut words = vec!["submit", "--wait", "--model", "base-revc", "--tests", &tests, "--test", "smoke"];
    words.extend(images.iter().flat_map(|image| ["--image", image]));
    words.extend(["--kernel", &kernel, "--initrd", &initrd, "--prompt", "root@guest:~#", "--minutes", "4"]);
    words.extend(["--set", "cluster0.NUM_CORES=1", "--set", "cluster1.NUM_CORES=0"]);
    let ended = lab.pumice(&words, BOOT);
    assert_eq!(ended.status.code(), Some(0), "{}{}{}", ended.stdout, ended.stderr, lab.said());
    assert!(ended.stdout.contains("job 1: Complete"), "{}", ended.stdout);
    let passed = ended.stdout.lines().filter(|line| line.starts_with("pass") && line.contains(" 0_smoke/"));
    assert_eq!(passed.count(), 7, "{}", ended.stdout);
    assert_eq!(
        ended.stderr.matches("firmware.bin: ").count(),
        1,
        "named three times, sent once: {}",
        ended.stderr
    );

    let log = lab.pumice(&["logs", "1"], BOOT).stdout;
    let server = Lab::url();
    assert!(log.contains(&format!("fetching {server}/uploads/")) && !log.contains("fetching file:"), "{log}");
    assert!(!log.contains("capability="), "what opens the files is in no log");

    let stranger = lab.sandbox.write("own.yaml", super::models::job(&lab, "own", ""));
    let refused = lab.pumice(&["submit", "--wait", stranger.to_str().unwrap()], BOOT);
    assert!(refused.stderr.contains("download-refused"), "a file of the worker's: {}", refused.stderr);
}
