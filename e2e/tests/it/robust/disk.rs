//! Disks without room: of the server, of the worker, of the store, of a log. Each ends in a message that says so, nothing that was
//! acknowledged is lost, and the lab goes on when there is room again.

use std::{rc::Rc, time::Duration};

use e2e::{Sandbox, SmallDisk, need};
use fs_err as fs;
use serde_json::json;

use super::rig::{LEASE, Lab, PATIENCE, waits_for};

#[test]
fn a_server_without_room_refuses_keeps_what_it_had_and_goes_on_when_there_is_room() {
    let sandbox = Sandbox::new();
    let disk = Rc::new(need!(SmallDisk::new(&sandbox, "lab", 32)));
    let under = Rc::clone(&disk);
    let mut lab = Lab::new(sandbox).server_by(move |command| under.under(&command));
    lab.start();
    let go = lab.sandbox.path().join("go");
    let job = lab.submit("runs", &waits_for(&go));
    lab.wait_until("its first case", || lab.cases(&job) == ["case_before"]);

    disk.fill();
    let definition = lab.job("refused", "echo ready");
    let refused = lab.pumice(&["submit", definition.to_str().unwrap()]);
    assert!(!refused.status.success(), "{}", refused.stdout);
    assert!(refused.stderr.contains("no room left on its disk"), "{}", refused.stderr);
    let body = json!({"definition": fs::read_to_string(&definition).unwrap()}).to_string();
    let (status, said) = lab.curl("/api/v0.2/jobs/", &["-H", "Content-Type: application/json", "-d", &body]);
    assert_eq!(status, 503, "{said}");
    assert!(said.to_lowercase().contains("retry-after:"), "{said}");
    // Whoever only looks is served.
    assert_eq!(lab.ask(&["show", &job])["state"], "Running");

    // The job ends while nothing can be kept of its end.
    fs::write(&go, "").unwrap();
    lab.wait_until("the worker to find no room at the server", || {
        lab.said().contains("cannot be reported yet")
    });
    std::thread::sleep(Duration::from_secs(u64::from(LEASE) * 2));
    assert_eq!(lab.ask(&["show", &job])["state"], "Running");

    disk.free();
    assert_eq!(lab.health(&job), "Complete", "{}", lab.said());
    assert_eq!(lab.cases(&job), ["case_before", "case_after"]);
    let shown = lab.ask(&["jobs"]);
    assert_eq!(shown.as_array().unwrap().len(), 1, "what was refused is not there: {shown}");
    let next = lab.submit("next", &waits_for(&go));
    assert_eq!(lab.health(&next), "Complete");
    drop(disk);
    lab.end();
}

#[test]
fn a_worker_without_room_ends_the_job_that_filled_it_and_takes_the_next() {
    let sandbox = Sandbox::new();
    let disk = Rc::new(need!(SmallDisk::new(&sandbox, "worker", 24)));
    let under = Rc::clone(&disk);
    let mut lab = Lab::new(sandbox).worker_by(move |command| under.under(&command));
    lab.worker_words = vec!["--least-free".to_owned(), "1MiB".to_owned()];
    lab.start();

    // Leases go on though nothing can be written, and a job that writes nothing does not notice.
    let go = lab.sandbox.path().join("go");
    let quiet = lab.submit("quiet", &waits_for(&go));
    lab.wait_until("its first case", || lab.cases(&quiet) == ["case_before"]);
    disk.fill();
    std::thread::sleep(Duration::from_secs(u64::from(LEASE) * 2));
    assert_eq!(lab.ask(&["show", &quiet])["state"], "Running", "{}", lab.said());
    let why = lab.pumice(&["why", &lab.submit("waits", &waits_for(&go))]);
    assert!(why.stdout.contains("free"), "{}{}", why.stdout, why.stderr);
    disk.free();
    fs::write(&go, "").unwrap();
    assert_eq!(lab.health(&quiet), "Complete", "{}", lab.said());
    assert_eq!(lab.cases(&quiet), ["case_before", "case_after"]);
    assert_eq!(lab.health("2"), "Complete", "{}", lab.said());

    // One that floods its console fills the disk with its own log.
    let flood = "echo ready; echo begin; echo case_before pass; \
        yes 'a line of a console that floods and floods and floods' | head -c 200000000; echo end of it; sleep 1000\n";
    let floods = lab.submit("floods", flood);
    assert_eq!(lab.health(&floods), "Incomplete", "{}", lab.said());
    let why = lab.ask(&["why", &floods]);
    assert_eq!(why["failure"]["cause"], "disk-full", "{why}");
    assert_eq!(lab.cases(&floods), ["case_before"], "what was acknowledged stays");
    let next = lab.submit("next", &waits_for(&go));
    assert_eq!(lab.health(&next), "Complete", "{}", lab.said());
    drop(disk);
    lab.end();
}

/// Runs a job here and now whose machine runs `script`, with its output on `disk`; the exit code and what was said.
fn run_on(disk: &SmallDisk, sandbox: &Sandbox, job: &str, output: &str) -> (Option<i32>, String) {
    let device = sandbox.write("device.yaml", DEVICE);
    let job = sandbox.write("job.yaml", job);
    let mut command = sandbox.command("pumice", ["run", "--device"]);
    command.arg(device).arg("-o").arg(sandbox.path().join(output)).arg(job);
    let ran = sandbox.start(&mut disk.under(&command)).wait(PATIENCE * 2);
    (ran.status.code(), ran.stdout + &ran.stderr)
}

const DEVICE: &str = "device_type: command\nactions:\n  deploy: {methods: {image: null}, connections: {serial: null}}\n  \
    boot:\n    connections: {serial: null}\n    methods:\n      command:\n        parameters:\n          program: sh\n          \
    consoles: [{name: main, role: main, by: stdio}]\n          stop: [{how: terminate, grace_seconds: 1}]\n";

fn job(script: &str) -> String {
    format!(
        "job_name: small\ndevice_type: command\nvisibility: public\n\
         timeouts: {{job: {{minutes: 3}}, action: {{minutes: 2}}, connection: {{minutes: 2}}}}\nactions:\n\
         - deploy:\n    to: tmpfs\n    images:\n      script: {{url: 'file://{script}', image_arg: '{{script}}'}}\n\
         - boot: {{method: command, prompts: [ready], parameters: {{kernel-start-message: ''}}}}\n"
    )
}

#[test]
fn a_log_that_finds_no_room_ends_the_run_and_says_so() {
    let sandbox = Sandbox::new();
    let disk = need!(SmallDisk::new(&sandbox, "out", 4));
    let flood = "yes 'a line of a console that floods and floods and floods' | head -c 50000000; echo ready; sleep 1000";
    let script = sandbox.write("flood.sh", flood);
    let (code, said) = run_on(&disk, &sandbox, &job(&script.display().to_string()), "out/run");
    assert!(code.is_some_and(|code| code != 0), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    let log = fs::read_to_string(disk.path().join("run/logs.yaml")).unwrap();
    let whole = |line: &str| line.starts_with("- {\"dt\": ") && line.ends_with('}');
    assert!(log.ends_with('\n') && log.lines().all(whole), "the log has whole lines only");
    drop(disk);
    sandbox.is_empty_within(PATIENCE);
}

#[test]
fn a_store_that_finds_no_room_ends_the_job_and_says_so_and_takes_the_next() {
    let sandbox = Sandbox::new();
    let disk = need!(SmallDisk::new(&sandbox, "cache", 8));
    let small = sandbox.write("small.sh", "echo ready; sleep 1000");
    let mut large = b"echo ready; exec sleep 1000\n".to_vec();
    large.resize(32 << 20, b'#');
    let large = sandbox.write("large.sh", large);
    let packed = sandbox.path().join("large.sh.gz");
    let packing =
        sandbox.foreign("sh", ["-c", "gzip -1 < \"$1\" > \"$2\"", "gzip"]).arg(&large).arg(&packed).status();
    assert!(packing.unwrap().success());
    let text = job(&packed.display().to_string()).replace("image_arg", "compression: gz, image_arg");
    let (code, said) = run_on(&disk, &sandbox, &text, "large");
    assert!(code.is_some_and(|code| code != 0), "{said}");
    assert!(said.contains("room") && said.contains("cache"), "{said}");
    let (code, said) = run_on(&disk, &sandbox, &job(&small.display().to_string()), "small");
    assert_eq!(code, Some(0), "{said}");
    drop(disk);
    sandbox.is_empty_within(PATIENCE);
}
