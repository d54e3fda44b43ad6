//! Containers of jobs, each through `pumice run` and the stand-in for an engine, in which the commands really run.

mod rig;
mod services;

use std::time::Duration;

use e2e::{ContainerEngine, Guest, Sandbox, Signal, built, need};
use fs_err as fs;
use rig::{IMAGE, LIMIT, Rig, boot, job, test};

/// A shell whose prompt is known.
const SHELL: &str = "env \"PS1=standin# \" sh -i";

#[test]
fn a_container_boots_and_its_tests_report() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let steps = [
        "lava-test-case inside --shell test -d /lava-1/bin",
        "lava-test-case number --result pass --measurement 7",
    ];
    let ended = rig.run(&job("docker", &[&boot(SHELL), &test(&steps, "")]));
    ended.passed(&["0_cases/inside pass", "0_cases/number pass"]);
    assert_eq!(ended.results.measurement("number"), Some(7.0));
    let calls = rig.engine.calls();
    let begun = calls.lines().find(|line| line.starts_with("docker run ")).unwrap();
    assert!(begun.contains(" --pull=never ") && begun.contains(" --label pumice.run="), "{begun}");
    assert!(calls.contains(&format!("docker pull {IMAGE}")), "{calls}");
    assert!(calls.contains("docker rm --force --volumes pumice-"), "{calls}");
}

#[test]
fn podman_is_taken_where_docker_does_not_answer() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("podman");
    // A client without its engine, before whatever this machine has.
    let client = rig.sandbox.write("programs/docker", "#!/bin/sh\necho 'no daemon here' >&2\nexit 1\n");
    fs::set_permissions(client, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ended = rig.run(&job("docker", &[&boot(SHELL), &test(&["lava-test-case one --result pass"], "")]));
    ended.passed(&["0_cases/one pass"]);
    assert!(ended.log.contains("containers run in podman 1.0-stand-in"), "{}", ended.log);
}

#[test]
fn without_an_engine_the_failure_says_what_was_looked_for() {
    let sandbox = Sandbox::new();
    let client = sandbox.write("programs/docker", "#!/bin/sh\necho 'no daemon here' >&2\nexit 1\n");
    fs::set_permissions(&client, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = sandbox.write("job.yaml", job("docker", &[&boot(SHELL)]));
    let mut command = sandbox.command("pumice", ["run", "--output-dir", "out"]);
    command.arg(path).env("PATH", sandbox.path().join("programs"));
    let finished = sandbox.start(&mut command).wait(LIMIT);
    assert!(!finished.status.success());
    let all = format!("{}{}", finished.stdout, finished.stderr);
    for text in ["no container engine works on this host", "docker: no daemon here", "podman: not on PATH"] {
        assert!(all.contains(text), "no `{text}` in {all}");
    }
    let result = fs::read_to_string(sandbox.path().join("out/result.yaml")).unwrap();
    assert!(result.contains("error_type: \"Infrastructure\""), "{result}");
}

#[test]
fn an_image_that_cannot_be_pulled_is_the_infrastructures() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let text = job("docker", &[&boot(SHELL)]).replace(IMAGE, "registry.example/nothing");
    let ended = rig.run(&text);
    ended.failed("container-failed", "infrastructure", "registry.example/nothing cannot be pulled");
    assert!(ended.log.contains("manifest unknown"), "{}", ended.log);
    assert!(!rig.engine.calls().contains("docker run"), "{}", rig.engine.calls());
}

#[test]
fn a_private_image_is_pulled_with_the_jobs_login_which_nobody_sees() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let directory = rig.engine.publish("registry.example/private", &[]);
    fs::write(directory.join("private"), "").unwrap();
    let image =
        "{name: registry.example/private, login: {registry: registry.example, user: lab, password: $DOOR}}";
    let blocks = boot(SHELL).replace(&format!("'{IMAGE}'"), image);
    let text = job("docker", &[&blocks, &test(&["lava-test-case one --result pass"], "")])
        .replace("actions:", "secrets: {DOOR: open-sesame}\nactions:");
    let ended = rig.run(&text);
    ended.passed(&["0_cases/one pass"]);
    assert!(!rig.engine.calls().contains("open-sesame"), "{}", rig.engine.calls());
    assert!(!ended.log.contains("open-sesame"), "{}", ended.log);
    assert!(!rig.sandbox.path().join(".docker").exists(), "the user's own settings are not touched");
}

#[test]
fn a_local_image_is_not_pulled_again() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    fs::create_dir_all(rig.sandbox.path().join("engine/images").join(IMAGE.replace(['/', ':'], "_")))
        .unwrap();
    let local = boot(SHELL).replace(&format!("'{IMAGE}'"), &format!("{{name: '{IMAGE}', local: true}}"));
    rig.run(&job("docker", &[&local, &test(&["lava-test-case one --result pass"], "")]))
        .passed(&["0_cases/one pass"]);
    assert!(!rig.engine.calls().contains("docker pull"), "{}", rig.engine.calls());
}

#[test]
fn a_command_that_the_image_has_not_is_the_jobs_mistake() {
    need!(ContainerEngine::find());
    let ended = Rig::new("docker").run(&job("docker", &[&boot("nothing-like-it"), &test(&["true"], "")]));
    ended.failed("command-failed", "job", "exec nothing-like-it failed");
}

#[test]
fn a_container_that_dies_in_a_test_ends_the_job_with_the_reason() {
    need!(ContainerEngine::find());
    let steps = ["lava-test-case one --result pass", "kill -KILL -1; sleep 60"];
    let ended = Rig::new("docker").run(&job("docker", &[&boot(SHELL), &test(&steps, "")]));
    ended.failed("simulator-exited", "infrastructure", "the container ended while it was needed");
    assert!(ended.results.tests().contains(&"0_cases/one pass".to_owned()), "{:?}", ended.results.tests());
}

#[test]
fn a_cancelled_job_leaves_no_container() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let mut running = rig.start(&job("docker", &[&boot(SHELL), &test(&["sleep 600"], "")]));
    running.wait_for("lava-test-retry", LIMIT);
    running.signal(Signal::TERM);
    rig.end(running).failed("cancelled", "cancelled", "by a signal");
}

#[test]
fn kill_9_leaves_no_container() {
    need!(ContainerEngine::find());
    let rig = Rig::new("docker");
    let mut running = rig.start(&job("docker", &[&boot(SHELL), &test(&["sleep 600"], "")]));
    running.wait_for("lava-test-retry", LIMIT);
    assert_eq!(rig.engine.containers().len(), 1);
    running.signal(Signal::KILL);
    drop(running);
    rig.engine.is_empty_within(Duration::from_secs(20));
}

#[test]
fn downloads_are_worked_on_and_tested_beside_the_machine() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let file = rig.sandbox.write("original.txt", "one\n");
    let deploy = format!(
        "- deploy:\n    to: downloads\n    images: {{text: {{url: 'file://{}'}}}}\n    postprocess:\n      docker:\n        \
         image: '{IMAGE}'\n        steps: [cat original.txt original.txt > twice.txt, ln -s /etc/passwd away.txt]\n\
         - deploy: {{to: overlay}}\n",
        file.display()
    );
    let steps = [
        "lava-test-case made --shell test $(wc -l < /lava-downloads/twice.txt) = 2",
        "lava-test-case kept --shell \"! touch /lava-downloads/new\"",
        "lava-test-case told --shell test -n $LAVA_DEVICE_TYPE",
    ];
    let docker = format!("    docker: {{image: '{IMAGE}', local: true, container_name: driver}}\n");
    let ended = rig.run(&job("docker", &[&deploy, &test(&steps, &docker)]));
    ended.passed(&["0_cases/made pass", "0_cases/kept pass", "0_cases/told pass"]);
    assert_eq!(fs::read_to_string(file).unwrap(), "one\n", "the original is not touched");
    assert!(rig.engine.calls().contains("--name driver-pumice-"), "{}", rig.engine.calls());
}

#[test]
fn a_step_that_fails_and_a_link_that_leads_away_are_the_jobs_mistakes() {
    need!(ContainerEngine::find());
    let deploy = |steps: &str, url: &str| {
        format!(
            "- deploy:\n    to: downloads\n    images: {{}}\n    postprocess: {{docker: {{image: '{IMAGE}', steps: [{steps}]}}}}\n\
             - deploy: {{to: downloads, images: {{text: {{url: '{url}'}}}}}}\n"
        )
    };
    let blocks = deploy("echo before, 'false', echo after", "downloads://x");
    let ended = Rig::new("docker").run(&job("docker", &[&blocks]));
    ended.failed(
        "command-failed",
        "job",
        "`postprocess` in container image registry.example/tools:12 failed",
    );
    let blocks = deploy("ln -s /etc/passwd away.txt", "downloads://away.txt");
    let ended = Rig::new("docker").run(&job("docker", &[&blocks]));
    ended.failed("download-refused", "job", "no earlier block downloaded a file");
}

#[test]
fn a_model_runs_in_the_container_that_the_job_names() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    model_image(&rig);
    let text = model_job(&rig, "", "");
    let ended = rig.run(&text);
    assert!(ended.finished.status.success(), "{}{}", ended.finished.stdout, ended.finished.stderr);
    let numbers = ended.results.tests();
    assert!(numbers.contains(&"simulator/simulated-time pass".to_owned()), "not asked to stop: {numbers:?}");
    let calls = rig.engine.calls();
    assert!(calls.contains("--name model-pumice-"), "{calls}");
    assert!(calls.contains("/opt/model/FVP_Base_RevC-2xAEMvA -C bp.terminal_0.start_telnet=0"), "{calls}");
    assert!(ended.log.contains("Fast Models [11.31.28"), "{}", ended.log);
}

/// An image with the stand-in and a guest that logs in, and the job that runs it with `more` in its boot block.
fn model_image(rig: &Rig) {
    let models = rig.sandbox.path().join("image");
    fs::create_dir_all(&models).unwrap();
    // A name of its own for the stand-in: links would lead out of the image.
    fs::copy(built("model-standin"), models.join("FVP_Base_RevC-2xAEMvA")).unwrap();
    rig.sandbox.write(
        "image/guest.script",
        "say 0 \"Linux version 6.1\\r\\nguest login: \"\nexpect 0 \"root\"\nsay 0 \"root@guest:~# \"\n",
    );
    rig.engine.publish("registry.example/fvp:11.31", &[(&models, "/opt/model")]);
}

/// A job for a model in that image.
fn model_job(rig: &Rig, boot: &str, more: &str) -> String {
    let image = rig.sandbox.write("disk.img", vec![0_u8; 4096]);
    let blocks = format!(
        "- deploy:\n    to: fvp\n    images: {{disk: {{url: 'file://{}'}}}}\n\
         - boot:\n    method: fvp\n    timeout: {{seconds: 90}}\n    \
         docker: {{name: 'registry.example/fvp:11.31', container_name: model}}\n    \
         image: /opt/model/FVP_Base_RevC-2xAEMvA\n    \
         console_string: 'terminal_0: Listening for serial connection on port (?P<PORT>\\d+)'\n    \
         environment: ['MODEL_STANDIN=guest=script:/opt/model/guest.script']\n    arguments:\n    \
         - '-C bp.terminal_0.start_telnet=0 -C bp.virtioblockdevice.image_path={{DISK}} --stat'\n    \
         auto_login: {{login_prompt: 'login:', username: root}}\n    prompts: ['root@guest:~#']\n{boot}{more}",
        image.display()
    );
    job("fvp", &[&blocks])
}

#[test]
fn commands_run_beside_a_model_in_its_container_and_become_its_console() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    model_image(&rig);
    // What one command exports the next sees; they see the image, and not this host.
    let commands = "    commands:\n    - export SUITE=TEST\n    \
                    - test -e /opt/model/guest.script && ! test -e $OUTSIDE\n    \
                    - 'echo begins; echo \"$SUITE: send PASSED\"; echo \"$SUITE: receive FAILED\"; echo ends; cat'\n"
        .replace("$OUTSIDE", &rig.sandbox.path().join("disk.img").display().to_string());
    let monitors = "- test:\n    timeout: {seconds: 60}\n    monitors:\n    - name: beside\n      start: begins\n      \
                    end: ends\n      pattern: 'TEST: (?P<test_case_id>\\S+) (?P<result>PASSED|FAILED)'\n      \
                    fixupdict: {PASSED: pass, FAILED: fail}\n";
    let text = model_job(&rig, &commands, monitors);
    let ended = rig.run(&text);
    assert_eq!(ended.results.failure(), None, "{}{}", ended.finished.stdout, ended.finished.stderr);
    let tests = ended.results.tests();
    for case in ["beside/send pass", "beside/receive fail"] {
        assert!(tests.iter().any(|test| test.ends_with(case)), "{case}: {tests:?}\n{}", ended.log);
    }
    assert!(ended.log.contains("run-fvp-shell-commands"), "{}", ended.log);
}

#[test]
fn a_file_of_the_job_runs_beside_a_model_and_becomes_its_console() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    model_image(&rig);
    let app =
        "#!/bin/sh\necho begins; test -e /opt/model/guest.script && echo 'call PASSED'; echo ends; cat\n";
    let app = rig.sandbox.write("host_app", app);
    let monitors = "- test:\n    timeout: {seconds: 60}\n    monitors:\n    - name: app\n      start: begins\n      \
                    end: ends\n      pattern: '(?P<test_case_id>\\S+) (?P<result>PASSED|FAILED)'\n      \
                    fixupdict: {PASSED: pass, FAILED: fail}\n";
    let text = model_job(&rig, "    erpc_app: app\n", monitors)
        .replace("images: {disk:", &format!("images: {{app: {{url: 'file://{}'}}, disk:", app.display()));
    let ended = rig.run(&text);
    assert_eq!(ended.results.failure(), None, "{}{}", ended.finished.stdout, ended.finished.stderr);
    assert!(ended.results.tests().iter().any(|test| test.ends_with("app/call pass")), "{}", ended.log);
    assert!(ended.log.contains("run-fvp-erpc-app"), "{}", ended.log);
}

#[test]
fn qemu_runs_in_the_container_that_the_job_names() {
    need!(ContainerEngine::find());
    let guest = need!(Guest::find("arm64"));
    let mut rig = Rig::new("docker");
    let docker =
        format!("    docker: {{image: '{IMAGE}', binary: /usr/bin/qemu-system-aarch64}}\n    media: tmpfs\n");
    let text = e2e::Job::arm64(&guest).text().replace("    media: tmpfs\n", &docker);
    let ended = rig.run(&text);
    ended.passed(&["0_cases/one pass"]);
    assert!(rig.engine.calls().contains("/usr/bin/qemu-system-aarch64 -cpu"), "{}", rig.engine.calls());
}
