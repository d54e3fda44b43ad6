//! A machine on a bridge that the operator names.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use e2e::{Guest, Job, Results, need, program};

use super::{LIMIT, POLL, TRANSFER, World, reaches_beyond};

/// Addresses of the bridge's network, as the operator's server gives them.
const LEASES: &str = "start 192.0.2.50\nend 192.0.2.59\ninterface eth0\nopt subnet 255.255.255.0\n";

#[test]
fn a_machine_joins_the_bridge_and_its_tap_goes_with_it_or_with_the_next_start() {
    let guest = need!(Guest::find("armhf"));
    let world = need!(World::new());
    let leases = world.sandbox.path().join("leases").display().to_string();
    fs::write(&leases, "").unwrap();
    let settings =
        world.sandbox.write("udhcpd.conf", format!("{LEASES}lease_file {leases}\npidfile {leases}.pid\n"));
    let words = ["udhcpd", "-f", settings.to_str().unwrap()];
    let busybox = program("busybox").unwrap();
    let _addresses = world.sandbox.start(&mut world.network.on(1, &world.sandbox.foreign(busybox, words)));
    let job = Job::armhf(&guest).steps(&[
        "lava-test-case address --shell \"ifconfig | grep -q 'inet addr:192.0.2.5'\"",
        "lava-test-case host --shell \"test $LAVA_DISPATCHER_IP = 192.0.2.1\"",
        &reaches_beyond(),
        "test -e /tmp/again || lava-test-case waits --shell sleep 1",
    ]);
    let network = format!("    method: qemu\n    network: {{mode: tap, bridge: switch}}\n{TRANSFER}");
    let text = job
        .text()
        .replace("    method: qemu\n", &network)
        .replace("prompts: ['root@guest:~#']", "prompts: ['root@guest:~#', 'root@guest:/tmp#']");
    let path = world.sandbox.write("job.yaml", &text);
    let path = path.to_str().unwrap();

    // Killed once it is on the bridge: nobody takes the tap away but the next start.
    let running = world.pumice(&["run", "--output-dir", "killed", path]);
    let end = Instant::now() + LIMIT;
    let is_on_it = || world.processes().iter().any(|one| one.command_line.contains("qemu-system"));
    while world.taps().is_empty() || !is_on_it() {
        assert!(Instant::now() < end, "{:?}", running.output());
        thread::sleep(POLL);
    }
    world.kill_with_its_watcher(&running);
    drop(running);
    assert_eq!(world.taps().len(), 1, "it is the host's own until somebody takes it away");
    world.next_start_leaves_nothing(1);

    let finished = world.pumice(&["run", "--output-dir", "whole", path]).wait(LIMIT);
    let results = Results::read(&world.sandbox.path().join("whole"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    assert_eq!(
        results.tests(),
        ["address", "host", "beyond", "waits"].map(|case| format!("0_cases/{case} pass"))
    );
    assert_eq!(world.taps(), Vec::<String>::new());

    // The operator's word is above the job's.
    let config = world.sandbox.write("config/pumice/config.toml", "[networks]\nbridges = [\"br-lab\"]\n");
    let finished = world.pumice(&["run", "--output-dir", "refused", path]).wait(LIMIT);
    assert!(finished.stderr.contains("lets no machine join the bridge `switch`"), "{}", finished.stderr);
    assert!(finished.stderr.contains("br-lab"), "{}", finished.stderr);
    fs::remove_file(config).unwrap();
    let elsewhere = world.sandbox.write("job.yaml", text.replace("bridge: switch", "bridge: lo"));
    let finished =
        world.pumice(&["run", "-o", "none", elsewhere.to_str().unwrap()]).wait(Duration::from_secs(60));
    assert!(finished.stderr.contains("this host has no bridge `lo`"), "{}", finished.stderr);
}
