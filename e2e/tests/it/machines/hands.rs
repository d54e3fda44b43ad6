//! Hands on a machine that a worker elsewhere hosts: through the server, as a person uses them.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use e2e::{Finished, Running, Signal, need};
use fs_err as fs;
use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::{Value, json};

use super::rig::{Lab, PATIENCE, SERVER};

/// A machine whose guest is a shell of this host: what is typed is really done.
const DICTIONARY: &str = "{% extends 'command.jinja2' %}\n{% set command = {'program': 'sh', 'arguments': ['-i'], \
    'environment': {'PS1': 'root@guest:~# ', 'PATH': '/usr/bin:/bin'}, 'stdio': 'pty', \
    'consoles': [{'name': 'main', 'role': 'main', 'by': 'stdio'}], \
    'stop': [{'how': 'terminate', 'grace_seconds': 1}]} %}\n";

const JOB: &str = "job_name: a shell\ndevice_type: command\nvisibility: public\n\
    timeouts: {job: {minutes: 5}, action: {minutes: 2}, connection: {minutes: 1}}\nactions:\n\
    - deploy: {to: tmpfs, images: {blob: {url: 'file://BLOB'}}}\n\
    - boot: {method: command, prompts: ['root@guest:~# '], parameters: {kernel-start-message: ''}}\n\
    - test:\n    interactive:\n    - {name: left-out, prompts: ['# '], script: [{command: 'false'}]}\n";

struct Hands {
    lab: Lab,
    job: String,
}

impl Hands {
    fn machine(&self, words: &[&str]) -> Finished {
        let (verb, rest) = words.split_first().unwrap();
        self.lab.pumice(&[&["machine", verb, &self.job], rest].concat(), PATIENCE)
    }

    #[track_caller]
    fn must(&self, words: &[&str]) -> String {
        let finished = self.machine(words);
        assert!(finished.status.success(), "{words:?}: {}{}", finished.stdout, finished.stderr);
        finished.stdout
    }

    #[track_caller]
    fn refused(&self, words: &[&str], reason: &str) {
        let finished = self.machine(words);
        assert!(
            !finished.status.success() && finished.stderr.contains(reason),
            "{words:?}: {}",
            finished.stderr
        );
    }

    fn listed(&self) -> Value {
        serde_json::from_str(&self.must(&["list", "--format", "json"])).unwrap()
    }

    /// Follows the console; what is written to the answer's second half is typed.
    fn console(&self, more: &[&str]) -> (Running, File) {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let words = [&["machine", "console", &self.job], more].concat();
        let mut command = self.lab.network.on(SERVER, &self.lab.sandbox.command("pumice", words));
        (self.lab.sandbox.start(command.stdin(Stdio::from(reading))), File::from(writing))
    }
}

fn reserved() -> Result<Hands, e2e::Missing> {
    let mut lab = Lab::new(1, &[])?;
    lab.start_worker(1);
    lab.wait_for_worker(1);
    lab.post(
        "devices/",
        &json!({"hostname": "shell", "device_type": "command", "worker_host": "w1", "health": "Good"}),
    );
    lab.post("devices/shell/dictionary/", &json!({"dictionary": DICTIONARY}));
    let blob = lab.sandbox.write("blob", "x");
    let path = lab.sandbox.write("job.yaml", JOB.replace("BLOB", blob.to_str().unwrap()));
    let job = lab.ask(&["reserve", path.to_str().unwrap(), "--for", "4m", "--wait"])["job"].to_string();
    Ok(Hands { lab, job })
}

#[test]
fn a_reserved_machine_is_listed_used_stopped_started_and_given_back() {
    let hands = need!(reserved());
    let listed = hands.listed();
    assert_eq!(listed["machines"][0]["state"], "running", "{listed}");
    assert!(listed["held_seconds"].as_u64().is_some_and(|left| left <= 240), "{listed}");

    let ran = hands.machine(&["exec", "echo out; echo \"it's\" >&2; exit 3"]);
    assert_eq!((ran.status.code(), ran.stdout.as_str()), (Some(3), "out\nit's\n"), "{}", ran.stderr);
    assert!(hands.must(&["exec", "seq 1 20000"]).ends_with("19999\n20000\n"), "longer than a console keeps");

    hands.must(&["stop"]);
    assert_eq!(hands.listed()["machines"][0]["state"], "stopped");
    hands.refused(&["exec", "true"], "does not run");
    hands.must(&["start"]);
    let before = hands.must(&["exec", "echo $PPID"]);
    hands.must(&["restart"]);
    assert_ne!(hands.must(&["exec", "echo $PPID"]), before);

    hands.must(&["release"]);
    let show = || hands.lab.ask(&["show", &hands.job]);
    hands.lab.wait_until("the job ends", || show()["state"] == "Finished");
    assert_eq!(show()["health"], "Complete");
    hands.refused(&["list"], "");
    end(hands);
}

#[test]
fn files_go_both_ways_whole_over_a_link_that_breaks() {
    let hands = need!(reserved());
    let sandbox = hands.lab.sandbox.path().to_owned();
    let content: Vec<u8> =
        (0..60_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2..].to_vec()).collect();
    let local = sandbox.join("local file");
    fs::write(&local, &content).unwrap();
    let (there, back) = (sandbox.join("there's a file"), sandbox.join("back"));
    let words = ["machine", "push", &hands.job, local.to_str().unwrap(), there.to_str().unwrap()];
    let pushing = hands.lab.start(&words);
    for _ in 0..2 {
        hands.lab.network.link(1, false);
        std::thread::sleep(Duration::from_millis(500));
        hands.lab.network.link(1, true);
    }
    let pushed = pushing.wait(PATIENCE);
    assert!(pushed.status.success(), "{}", pushed.stderr);
    assert_eq!(fs::read(&there).unwrap(), content);
    hands.must(&["pull", there.to_str().unwrap(), back.to_str().unwrap()]);
    assert_eq!(fs::read(&back).unwrap(), content);
    hands.refused(&["pull", "/no/such"], "cannot read");
    end(hands);
}

/// A file as it is on its way into a job, on the worker's host.
fn staged(sandbox: &Path, sha256: &str) -> Option<PathBuf> {
    let mut directories = vec![sandbox.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).ok()?.flatten() {
            let path = entry.path();
            if path.file_name().is_some_and(|name| name == sha256) && path.parent()?.ends_with("hands") {
                return Some(path);
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(path);
            }
        }
    }
    None
}

#[test]
fn a_file_goes_on_where_it_was_cut_and_a_damaged_one_is_refused() {
    let hands = need!(reserved());
    let sandbox = hands.lab.sandbox.path().to_owned();
    let content = vec![7_u8; 48 << 20];
    let sha256 = pumice_store::Digest::of(&content).to_string();
    let local = sandbox.join("image");
    fs::write(&local, &content).unwrap();
    let words = ["push", local.to_str().unwrap(), "--image", "blob"];
    let push = ["machine", "push", &hands.job, words[1], words[2], words[3]];
    let pushing = hands.lab.start(&push);
    hands.lab.wait_until("the first bytes", || {
        staged(&sandbox, &sha256).is_some_and(|path| fs::metadata(path).unwrap().len() > 0)
    });
    // The link and the person's program are gone in the middle.
    hands.lab.network.link(1, false);
    pushing.signal(Signal::KILL);
    drop(pushing.wait(PATIENCE));
    hands.lab.network.link(1, true);
    let part = staged(&sandbox, &sha256).unwrap();
    assert!(fs::metadata(&part).unwrap().len() < content.len() as u64, "it was cut in the middle");

    // What came first is damaged where it lies: that shows, and the next try begins anew.
    let mut file = fs::OpenOptions::new().write(true).open(&part).unwrap();
    file.write_all(b"damaged").unwrap();
    let damaged = hands.machine(&words);
    assert!(!damaged.status.success(), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("are there already"), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("not those that were announced"), "{}", damaged.stderr);
    let pushed = hands.machine(&words);
    assert!(pushed.status.success(), "{}", pushed.stderr);
    assert!(!pushed.stderr.contains("are there already"), "{}", pushed.stderr);

    // The same the other way: half of a file is here, of the digest that stands beside it.
    let there = sandbox.join("there");
    let content: Vec<u8> = (0..40_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&there, &content).unwrap();
    let sha256 = pumice_store::Digest::of(&content).to_string();
    let back = sandbox.join("back");
    let pull = |begun: &[u8]| {
        fs::write(sandbox.join("back.pumice-part"), begun).unwrap();
        fs::write(sandbox.join("back.pumice-sha256"), &sha256).unwrap();
        hands.machine(&["pull", there.to_str().unwrap(), back.to_str().unwrap()])
    };
    let damaged = pull(&vec![0; content.len() / 2]);
    assert!(damaged.stderr.contains("the file arrived damaged"), "it went on there: {}", damaged.stderr);
    assert!(!back.exists());
    let pulled = pull(&content[..content.len() / 2]);
    assert!(pulled.status.success(), "{}", pulled.stderr);
    assert_eq!(fs::read(&back).unwrap(), content);
    end(hands);
}

#[test]
fn a_console_has_many_readers_and_one_writer() {
    let hands = need!(reserved());
    let (mut writer, mut keys) = hands.console(&[]);
    writer.wait_for("root@guest:~# ", PATIENCE);
    let mut readers = [hands.console(&["--read-only"]), hands.console(&["--read-only"])];
    for (reader, _) in &mut readers {
        reader.wait_for("root@guest:~# ", PATIENCE);
    }
    hands.refused(&["console"], "types");
    keys.write_all(b"echo answer-$((40 + 2))\n").unwrap();
    writer.wait_for("answer-42", PATIENCE);
    for (reader, _) in &mut readers {
        reader.wait_for("answer-42", PATIENCE);
    }
    drop((writer, keys, readers));
    end(hands);
}

fn end(hands: Hands) {
    let mut lab = hands.lab;
    drop(lab.pumice(&["cancel", &hands.job], PATIENCE));
    lab.wait_until("the job is over", || lab.ask(&["show", &hands.job])["state"] == "Finished");
    for running in lab.workers.iter_mut().filter_map(Option::take).chain(lab.server.take()) {
        running.signal(Signal::TERM);
        assert!(running.wait(PATIENCE).status.success());
    }
    drop(lab.network);
    lab.sandbox.is_empty_within(Duration::from_secs(10));
}
