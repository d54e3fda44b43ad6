//! Users without privilege have tap devices too, and models a network of their own.

use std::{fs, os::unix::fs::chown, path::Path, process::Command, time::Duration};

use e2e::{Finished, Guest, Job, Network, Results, built, need, program};

use super::{LIMIT, PORT, TRANSFER, World, reaches_beyond, serve};
use crate::roots;

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// Hands everything in a directory to that user.
fn hand_over(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path());
        }
    }
}

impl World {
    /// Runs a copy of `pumice` on the first machine as that user, who can read nothing of the clone.
    fn as_nobody(&self, words: &[&str], more: impl FnOnce(&mut Command)) -> Finished {
        let own = self.sandbox.path().join("pumice");
        if !own.exists() {
            fs::copy(built("pumice"), &own).unwrap();
        }
        hand_over(self.sandbox.path());
        let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
        let mut command = self.sandbox.foreign(program("setpriv").unwrap(), user);
        command.arg(own).args(words);
        more(&mut command);
        self.sandbox.start(&mut self.network.on(0, &command)).wait(LIMIT)
    }
}

#[test]
fn a_user_without_privilege_has_a_tap_with_the_way_out_that_the_operator_allows() {
    let guest = need!(Guest::find("arm64"));
    let world = need!(World::new());
    let own = need!(serve(&world.sandbox, &world.network, 0));
    world
        .sandbox
        .write("config/pumice/config.toml", format!("[networks]\nreach = [\"{}\"]\n", Network::address(1)));
    let job = Job::arm64(&guest).steps(&[
        "lava-test-case root --shell grep -q \" / nfs .*vers=3\" /proc/mounts",
        &reaches_beyond(),
        // The same page on a machine that is not allowed: this host itself.
        &format!(
            "lava-test-case elsewhere --shell \"wget -q -O - http://{}:{PORT}/index.html 2>&1 | grep unreachable\"",
            Network::address(0)
        ),
        "lava-test-case gateway --shell ping -c 2 172.20.51.1",
    ]);
    let kernel = world.sandbox.path().join("kernel");
    fs::copy(guest.kernel(), &kernel).unwrap();
    let blocks = roots::nfs_blocks(&world.sandbox, &guest, &kernel, "    network: {mode: tap}\n");
    let text = roots::with_blocks(&job.text(), "{arch: arm64, memory: 512M}", &blocks);
    let path = world.sandbox.write("job.yaml", text);
    let finished = world.as_nobody(&["run", "-q", "-o", "out", path.to_str().unwrap()], |_| {});
    let results = Results::read(&world.sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    let cases = ["root", "beyond", "elsewhere", "gateway"];
    assert_eq!(results.tests(), cases.map(|case| format!("0_cases/{case} pass")));
    drop(own);
    assert!(world.processes().is_empty(), "{:?}", world.processes());
}

#[test]
fn the_doctor_says_what_a_tap_lacks() {
    let world = need!(World::new());
    let check = |search: Option<&str>, expected: &str| {
        let finished = world.as_nobody(&["doctor"], |command| {
            if let Some(search) = search {
                command.env("PATH", search);
            }
        });
        let line = finished.stdout.lines().find(|line| line.contains("network mode tap"));
        assert!(line.is_some_and(|line| line.contains(expected)), "{line:?}, not {expected}");
    };
    check(None, "works in a user namespace, with a way out");
    check(Some("/nonexistent"), "`slirp4netns` is not on this host; install it: apt-get install slirp4netns");
    world.sandbox.write("config/pumice/config.toml", "[networks]\nreach = []\n");
    check(Some("/nonexistent"), "works in a user namespace, with no way out, as configured");
    fs::remove_file(world.sandbox.path().join("config/pumice/config.toml")).unwrap();
}

#[test]
fn a_host_that_allows_no_namespace_is_told_of_by_the_doctor_and_by_the_job() {
    let world = need!(World::new());
    // In a user namespace that may hold no other, and whose root has lost the right to make one of the network.
    let shell = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin \
         --inh-caps=-sys_admin {} \"$@\"",
        built("pumice").display()
    );
    let run = |words: &[&str]| {
        let unshare = program("unshare").unwrap();
        let mut command =
            world.sandbox.foreign(unshare, ["--user", "--map-root-user", "sh", "-c", &shell, "sh"]);
        command.args(words);
        world.sandbox.start(&mut command).wait(Duration::from_secs(60))
    };
    let expected = "this host allows no network namespace to this user";
    let doctor = run(&["doctor"]);
    let line = doctor.stdout.lines().find(|line| line.contains("network mode tap")).unwrap_or_default();
    assert!(line.contains(expected) && line.contains("user.max_user_namespaces"), "{line}");
    let guest = need!(Guest::find("arm64"));
    let text = Job::arm64(&guest).text();
    let text = text.replace("    method: qemu\n", "    method: qemu\n    network: {mode: tap}\n");
    let path = world.sandbox.write("job.yaml", text);
    let finished = run(&["run", "-o", "out", path.to_str().unwrap()]);
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    assert!(finished.stderr.contains("user.max_user_namespaces"), "{}", finished.stderr);
}

#[test]
fn a_guest_on_a_models_own_network_fetches_its_tests_from_this_host() {
    let guest = need!(Guest::find("arm64"));
    let world = need!(World::new());
    let job = format!(
        "job_name: own network\ndevice_type: fvp\nvisibility: public\n\
         timeouts: {{job: {{minutes: 12}}, action: {{minutes: 4}}, connection: {{minutes: 4}}}}\nactions:\n\
         - deploy:\n    to: fvp\n    images:\n      kernel: {{url: 'file://{}'}}\n      \
         initrd: {{url: 'file://{}'}}\n\
         - boot:\n    method: fvp\n    model: base-revc\n    timeout: {{minutes: 4}}\n    \
         network: {{mode: user}}\n{TRANSFER}    prompts: ['root@guest:~#', 'root@guest:/tmp#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n\
         - test:\n    definitions:\n    - from: inline\n      name: cases\n      path: inline/cases.yaml\n      \
         repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: cases}}\n        \
         run:\n          steps:\n          - '{}'\n          \
         - lava-test-case host --shell \"test $LAVA_DISPATCHER_IP = {}\"\n",
        guest.kernel().display(),
        guest.initrd().display(),
        reaches_beyond(),
        Network::address(0),
    );
    let path = world.sandbox.write("job.yaml", job);
    let finished = world.pumice(&["run", "-o", "out", path.to_str().unwrap()]).wait(LIMIT);
    let results = Results::read(&world.sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    let mut tests = results.tests();
    tests.retain(|test| !test.starts_with("simulator/"));
    assert_eq!(tests, ["0_cases/beyond pass", "0_cases/host pass"]);
}
