//! Services beside a job: a git repository with a composition, the stand-in for its client, and a machine that sees
//! both.

use std::path::Path;

use e2e::{ContainerEngine, Finished, Results, Sandbox, git_repository, need};
use fs_err as fs;

use super::rig::{LIMIT, Rig};

/// A job on a shell of this host with two services, of which the machine looks for the engine's note.
fn job(repository: &Path, path: &str, blocks: &str) -> String {
    format!(
        "job_name: services\ndevice_type: command\nvisibility: public\n\
         timeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}, connection: {{minutes: 1}}}}\nactions:\n\
         - boot: {{method: command, prompts: ['root@guest:~#']}}\n\
         - test:\n    services:\n    - {{name: web, from: git, repository: '{0}', path: '{path}', service: front}}\n    \
         - {{name: data, from: git, repository: '{0}', path: '{path}'}}\n{blocks}",
        repository.display()
    )
}

fn device(sandbox: &Sandbox, parameters: &str) -> String {
    let text = format!(
        "hostname: shell\ndevice_type: command\nparameters: {parameters}\nactions:\n  deploy: {{methods: {{image: null}}}}\n  \
         boot:\n    connections: {{serial: null}}\n    methods:\n      command:\n        parameters:\n          \
         program: sh\n          arguments:\n          - -c\n          - |\n            \
         echo 'Linux version 0'; printf 'root@guest:~# '\n            \
         while IFS= read -r line; do eval \"$line\"; printf 'root@guest:~# '; done\n"
    );
    sandbox.write("device.yaml", text).display().to_string()
}

/// Runs the job; says how it ended.
fn run(rig: &mut Rig, device: &str, text: &str) -> (Finished, Results) {
    let job = rig.sandbox.write("job.yaml", text);
    let mut command = rig.sandbox.command("pumice", ["run", "-o", "out", "--device", device]);
    rig.engine.serve(command.arg(job));
    let running = rig.sandbox.start(&mut command);
    let finished = running.wait(LIMIT);
    assert!(rig.engine.compositions().is_empty(), "{:?}\n{}", rig.engine.compositions(), rig.engine.calls());
    (finished, Results::read(&rig.sandbox.path().join("out")))
}

#[test]
fn services_run_beside_the_job_until_it_ends_or_ends_them() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let source = rig.sandbox.path().join("source");
    git_repository(&source, &[("web/compose.yaml", "services: {front: {image: web}}\n")]);
    let device = device(&rig.sandbox, "{allow_test_services: true}");
    let projects = rig.sandbox.path().join("engine/projects");
    let count = |number: u32| {
        format!("- test: {{commands: ['test $(ls {} | wc -l) = {number}']}}\n", projects.display())
    };
    let blocks = [count(2), "- command: {name: stop_test_services}\n".to_owned(), count(0)].concat();
    // Two are ended by the block, and the first block's again by the end of the job.
    let again = job(&source, "web/compose.yaml", &blocks) + &count(0);
    let (finished, results) = run(&mut rig, &device, &again);
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    let cases = results.cases();
    for step in ["git-repo-action", "docker-compose-service", "user-command"] {
        assert!(cases.contains(&format!("lava/{step} pass")), "no {step} in {cases:?}");
    }
    let calls = rig.engine.calls();
    let ups: Vec<_> = calls.lines().filter(|line| line.contains(" up --detach")).collect();
    assert!(
        ups[0].starts_with("docker compose --project-name pumice-") && ups[0].ends_with("front"),
        "{calls}"
    );
    assert!(ups[1].ends_with("/web/compose.yaml up --detach"), "{calls}");
    let log = fs::read_to_string(rig.sandbox.path().join("out/logs.yaml")).unwrap();
    assert!(log.contains("front of compose.yaml in "), "what a service said is not in the log: {log}");
}

#[test]
fn services_that_nobody_ended_are_ended_with_the_job() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let source = rig.sandbox.path().join("source");
    git_repository(&source, &[("compose.yaml", "services: {front: {image: web}}\n")]);
    let device = device(&rig.sandbox, "{allow_test_services: true}");
    let (finished, results) = run(&mut rig, &device, &job(&source, "./compose.yaml", ""));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    assert_eq!(rig.engine.calls().matches("down --volumes --timeout 10").count(), 2);
}

#[test]
fn a_service_that_does_not_start_is_told_as_its_engine_tells_it() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let source = rig.sandbox.path().join("source");
    git_repository(&source, &[("compose.yaml", "services: {front: {image: refuse-to-start}}\n")]);
    let device = device(&rig.sandbox, "{allow_test_services: true}");
    let (finished, results) = run(&mut rig, &device, &job(&source, "compose.yaml", ""));
    let (cause, fault, message) = results.failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("container-failed", "infrastructure"), "{message}");
    assert!(message.contains("service `web`"), "{message}");
    assert!(finished.stderr.contains("dependency failed to start"), "{}", finished.stderr);
}

#[test]
fn a_file_that_leads_out_of_its_repository_is_not_there() {
    need!(ContainerEngine::find());
    let mut rig = Rig::new("docker");
    let source = rig.sandbox.path().join("source");
    git_repository(&source, &[("compose.yaml", "services: {}\n")]);
    let device = device(&rig.sandbox, "{allow_test_services: true}");
    let (_, results) = run(&mut rig, &device, &job(&source, "../../device.yaml", ""));
    let (cause, _, message) = results.failure().unwrap();
    assert_eq!(cause, "invalid-definition", "{message}");
    assert!(message.contains("has no file `../../device.yaml`"), "{message}");
}

#[test]
fn a_device_that_allows_no_services_refuses_the_job_at_its_line() {
    let sandbox = Sandbox::new();
    let device = device(&sandbox, "{pass: null}");
    let path = sandbox.write("job.yaml", job(Path::new("/nowhere"), "compose.yaml", ""));
    let finished = sandbox.pumice(["plan", "--device", &device, path.to_str().unwrap()], LIMIT);
    assert!(!finished.status.success());
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(said.contains("not-on-this-device") && said.contains("job.yaml:9:"), "{said}");
    assert!(said.contains("allow_test_services"), "{said}");
}
