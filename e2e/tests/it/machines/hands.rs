//! Hands on a machine that a worker elsewhere hosts: through the server, as a person uses them.

use std::{fs::File, io::Write as _, process::Stdio, time::Duration};

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
    let path = lab.sandbox.write("job.yaml", JOB);
    let job = lab.ask(&["reserve", path.to_str().unwrap(), "--for", "4m", "--wait"])["job"].to_string();
    Ok(Hands { lab, job })
}

#[test]
fn a_reserved_machine_is_listed_used_stopped_started_and_given_back() {
    let hands = need!(reserved());
    let listed = hands.listed();
    assert_eq!((&listed["held"], &listed["machines"][0]["runs"]), (&json!(true), &json!(true)), "{listed}");

    let ran = hands.machine(&["exec", "echo", "out; echo 'it'\\''s' >&2; exit 3"]);
    assert_eq!((ran.status.code(), ran.stdout.as_str()), (Some(3), "out\nit's\n"), "{}", ran.stderr);
    assert!(hands.must(&["exec", "seq 1 20000"]).ends_with("19999\n20000\n"), "longer than a console keeps");

    hands.must(&["stop"]);
    assert_eq!(hands.listed()["machines"][0]["runs"], false);
    hands.refused(&["exec", "true"], "does not run");
    hands.must(&["start"]);
    hands.refused(&["start"], "runs already");
    let before = hands.must(&["exec", "echo $PPID-$$"]);
    hands.must(&["restart"]);
    assert_ne!(hands.must(&["exec", "echo $PPID-$$"]), before);

    hands.must(&["release"]);
    let show = || hands.lab.ask(&["show", &hands.job]);
    hands.lab.wait_until("the job ends", || show()["state"] == "Finished");
    assert_eq!(show()["health"], "Complete");
    hands.refused(&["list"], "");
    end(hands);
}

#[test]
fn files_go_both_ways_whole_and_go_on_where_they_broke_off() {
    let hands = need!(reserved());
    let sandbox = hands.lab.sandbox.path().to_owned();
    let content: Vec<u8> =
        (0..20_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()[2..].to_vec()).collect();
    let local = sandbox.join("local file");
    fs::write(&local, &content).unwrap();
    let (local, there) = (local.to_str().unwrap(), sandbox.join("there's a file"));
    let remote = there.to_str().unwrap();

    hands.must(&["push", local, remote]);
    assert_eq!(fs::read(&there).unwrap(), content);

    // What an earlier push left is gone on with; what is damaged of it is found out, and the next push begins anew.
    let digest = hands.must(&["exec", &format!("sha256sum < '{local}'")]);
    let part = format!("{remote}.pumice-{}", &digest[..12]);
    fs::write(&part, &content[..30_000]).unwrap();
    hands.must(&["push", local, remote]);
    assert_eq!(fs::read(&there).unwrap(), content);
    fs::write(&part, vec![7; 30_000]).unwrap();
    hands.refused(&["push", local, remote], "arrived damaged");
    assert_eq!(fs::read(&there).unwrap(), content, "what was there stays");
    hands.must(&["push", local, remote]);

    let back = sandbox.join("back");
    let pull = ["pull", remote, back.to_str().unwrap()];
    hands.must(&pull);
    assert_eq!(fs::read(&back).unwrap(), content);
    fs::write(sandbox.join("back.part"), &content[..12_345]).unwrap();
    hands.must(&pull);
    assert_eq!(fs::read(&back).unwrap(), content);
    fs::write(sandbox.join("back.part"), [1, 2, 3]).unwrap();
    hands.refused(&pull, "arrived damaged");
    hands.must(&pull);
    assert_eq!(fs::read(&back).unwrap(), content);
    hands.refused(&["pull", "/no/such"], "there is no file");
    end(hands);
}

#[test]
fn a_console_has_many_readers_and_one_writer() {
    let hands = need!(reserved());
    let (mut writer, mut keys) = hands.console(&["--write"]);
    writer.wait_for("root@guest:~# ", PATIENCE);
    let mut readers = [hands.console(&[]), hands.console(&[])];
    for (reader, _) in &mut readers {
        reader.wait_for("root@guest:~# ", PATIENCE);
    }
    hands.refused(&["console", "--write"], "somebody else types");
    keys.write_all(b"echo answer-$((40 + 2))\n").unwrap();
    writer.wait_for("answer-42", PATIENCE);
    for (reader, _) in &mut readers {
        reader.wait_for("answer-42", PATIENCE);
    }
    drop(keys);
    assert!(writer.wait(PATIENCE).status.success());
    // Whoever comes then may type.
    let (mut next, mut keys) = hands.console(&["--write"]);
    keys.write_all(b"echo next-$((1 + 1))\n").unwrap();
    next.wait_for("next-2", PATIENCE);
    keys.write_all(&[0x1d]).unwrap();
    assert!(next.wait(PATIENCE).status.success(), "Ctrl-] leaves");
    drop(readers);
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
