//! Each machine in a network namespace of its own.

use std::fs;

use e2e::{Guest, Network, Results, Signal, need};

use super::{LIMIT, TRANSFER, World, reaches_beyond};

/// A job on a Fast Model whose guest fetches its tests from this host, asks a server beyond, serves a page with its
/// name on its port 8080, and then waits.
fn job(guest: &Guest, name: &str, port: u16) -> String {
    format!(
        "job_name: {name}\ndevice_type: fvp\nvisibility: public\n\
         timeouts: {{job: {{minutes: 12}}, action: {{minutes: 4}}, connection: {{minutes: 4}}}}\nactions:\n\
         - deploy:\n    to: fvp\n    images:\n      kernel: {{url: 'file://{}'}}\n      \
         initrd: {{url: 'file://{}'}}\n\
         - boot:\n    method: fvp\n    model: base-revc\n    timeout: {{minutes: 4}}\n    \
         network: {{mode: tap, forwards: [{{host_port: {port}, guest_port: 8080}}]}}\n{TRANSFER}    \
         prompts: ['root@guest:~#', 'root@guest:/tmp#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n\
         - test:\n    definitions:\n    - from: inline\n      name: page\n      path: inline/page.yaml\n      \
         repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: page}}\n        \
         run:\n          steps:\n          \
         - lava-test-case gateway --shell ping -c 2 172.20.51.1\n          - '{}'\n          \
         - lava-test-case own --shell \"wget -q -O - http://10.0.2.2:{port}/ 2>&1 | grep -e refused -e unreachable\"\n          \
         - mkdir /www && echo {name} > /www/index.html\n          \
         - lava-test-case {name} --shell httpd -p 8080 -h /www\n          - sleep 600\n",
        guest.kernel().display(),
        guest.initrd().display(),
        reaches_beyond(),
    )
}

#[test]
fn two_models_have_a_network_each_and_kill_9_leaves_nothing_after_the_next_start() {
    let guest = need!(Guest::find("arm64"));
    let world = need!(World::new());
    let mut running = [("one", 5081), ("two", 5082)].map(|(name, port)| {
        let path = world.sandbox.write(&format!("{name}.yaml"), job(&guest, name, port));
        (name, port, world.pumice(&["run", "--output-dir", name, path.to_str().unwrap()]))
    });
    for (name, _, one) in &mut running {
        one.wait_for(&format!("0_page/{name}"), LIMIT);
    }
    for (name, port, _) in &running {
        let log = fs::read_to_string(world.sandbox.path().join(name).join("logs.yaml")).unwrap();
        for case in ["gateway", "beyond", "own"] {
            assert!(log.contains(&format!(r#""case": "{case}", "result": "pass""#)), "{case}: {log}");
        }
        assert!(log.contains("http://172.20.51.1:"), "the tests came over the tap: {log}");
        // The addresses in both are the same: what answers is what the port leads to.
        assert_eq!(world.page(&format!("http://127.0.0.1:{port}/index.html")), *name);
    }
    let count = |word: &str| world.processes().iter().filter(|one| one.command_line.contains(word)).count();
    assert_eq!(["__network keep", "FVP_Base"].map(|word| count(word) >= 2), [true; 2]);
    let carriers = world.carriers();
    assert_eq!(carriers.len(), 2);
    assert_eq!(world.taps(), Vec::<String>::new(), "the host's own network has none");
    for (_, _, one) in &running {
        world.kill_with_its_watcher(one);
    }
    drop(running);
    world.next_start_leaves_nothing(2);
    World::are_gone(&carriers);
}

#[test]
fn a_model_in_a_namespace_takes_its_licence_from_a_server_beyond() {
    let world = need!(World::new());
    let there = Network::address(1);
    let script = world.sandbox.write(
        "guest.script",
        "say 0 \"Linux version 6.1\\r\\nguest login: \"\nexpect 0 \"root\"\nsay 0 \"root@guest:~# \"\n",
    );
    let disk = world.sandbox.write("disk.img", vec![0_u8; 4096]);
    let job = format!(
        "job_name: licence\ndevice_type: fvp\nvisibility: public\n\
         timeouts: {{job: {{minutes: 5}}, action: {{minutes: 1}}, connection: {{minutes: 1}}}}\nactions:\n\
         - deploy:\n    to: fvp\n    images: {{disk: {{url: 'file://{}'}}}}\n\
         - boot:\n    method: fvp\n    model: base-revc\n    timeout: {{seconds: 60}}\n    network: {{mode: tap}}\n    \
         license_variable: ARMLMD_LICENSE_FILE=8224@{there}\n    \
         environment: ['MODEL_STANDIN=licence=require,guest=script:{}']\n    prompts: ['root@guest:~#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n",
        disk.display(),
        script.display(),
    );
    let path = world.sandbox.write("job.yaml", &job);
    let path = path.to_str().unwrap();
    let run = |name: &str| {
        let finished = world.pumice(&["run", "-q", "-o", name, path]).wait(LIMIT);
        (Results::read(&world.sandbox.path().join(name)).failure(), finished.stderr)
    };
    // The links to the stand-in, and with them its licence server, are made by the first run.
    let config = world.sandbox.write("config/pumice/config.toml", "[networks]\nreach = []\n");
    world.sandbox.write("job.yaml", job.replace("seconds: 60", "seconds: 8"));
    let (failure, said) = run("without");
    assert!(failure.is_some_and(|(_, _, message)| message.contains("-15,570")), "{said}");
    fs::remove_file(config).unwrap();
    world.sandbox.write("job.yaml", &job);
    let words = ["--address", &there, "--port", "8224", "--vendor-port", "18224", "--seats", "1"];
    let server = world.sandbox.path().join("models/standin-lmgrd");
    let mut server = world.sandbox.start(&mut world.network.on(1, &world.sandbox.foreign(server, words)));
    server.wait_for("seats", LIMIT);
    let (failure, said) = run("with");
    assert_eq!(failure, None, "{said}");
}

#[test]
fn a_way_out_that_ends_while_the_machine_runs_ends_the_job_with_its_name() {
    let world = need!(World::new());
    // It never prompts: what ends the boot is the network.
    let script =
        world.sandbox.write("guest.script", "say 0 \"Linux version 6.1\\r\\nguest login: \"\nhalt\n");
    let disk = world.sandbox.write("disk.img", vec![0_u8; 4096]);
    let job = format!(
        "job_name: cut off\ndevice_type: fvp\nvisibility: public\n\
         timeouts: {{job: {{minutes: 5}}, action: {{minutes: 4}}, connection: {{minutes: 4}}}}\nactions:\n\
         - deploy:\n    to: fvp\n    images: {{disk: {{url: 'file://{}'}}}}\n\
         - boot:\n    method: fvp\n    model: base-revc\n    timeout: {{minutes: 4}}\n    network: {{mode: tap}}\n    \
         environment: ['MODEL_STANDIN=guest=script:{}']\n    prompts: ['root@guest:~#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n",
        disk.display(),
        script.display(),
    );
    let path = world.sandbox.write("job.yaml", &job);
    let mut run = world.pumice(&["run", "--console", "-o", "cut", path.to_str().unwrap()]);
    run.wait_for("Linux version", LIMIT);
    let carriers = world.carriers();
    let [carrier] = carriers[..] else { panic!("{carriers:?}") };
    let carrier = rustix::process::Pid::from_raw(carrier.try_into().unwrap()).unwrap();
    rustix::process::kill_process(carrier, Signal::KILL).unwrap();
    let said = run.wait(LIMIT).stderr;
    let failure = Results::read(&world.sandbox.path().join("cut")).failure();
    let (cause, _, message) = failure.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(cause, "network-lost", "{message}");
    assert!(message.contains("slirp4netns was ended by SIGKILL"), "{message}");
}
