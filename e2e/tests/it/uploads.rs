//! Files that `pumice submit` sends: servers and clients that are killed meanwhile, and what is wrong with files.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use e2e::{Finished, Running, Sandbox, Signal};
use fs_err as fs;

const SHORT: Duration = Duration::from_secs(120);

/// A server without workers, and a job that names a file by path.
struct Lab {
    sandbox: Sandbox,
    server: Option<Running>,
    listen: String,
}

impl Lab {
    fn new(words: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let mut lab = Self { sandbox, server: None, listen: "127.0.0.1:0".to_owned() };
        lab.start(words);
        let address = fs::read_to_string(lab.sandbox.path().join("state/pumice/lab/address")).unwrap();
        address.trim().trim_start_matches("http://").clone_into(&mut lab.listen);
        lab.sandbox.write(
            "jobs/job.yaml",
            "job_name: sent\ndevice_type: fvp\nvisibility: public\n\
             timeouts: {job: {minutes: 5}, action: {minutes: 2}, connection: {minutes: 2}}\nactions:\n\
             - deploy:\n    to: fvp\n    images:\n      disk: {url: ../disk.img}\n      again: {url: 'file:../disk.img'}\n\
             - boot:\n    method: fvp\n    model: A15x1\n    prompts: ['#']\n",
        );
        lab
    }

    fn start(&mut self, words: &[&str]) {
        let listen = self.listen.clone();
        let mut command = self.sandbox.command("pumice", ["server", "--listen", &listen]);
        let mut server = self.sandbox.start(command.args(words));
        server.wait_for("the lab is at http://", SHORT);
        self.server = Some(server);
    }

    fn kill_server(&mut self) {
        let server = self.server.take().unwrap();
        server.signal(Signal::KILL);
        server.wait(SHORT);
    }

    /// A file of zeros, as long as one wants.
    fn disk(&self, mebibytes: u64) -> PathBuf {
        let path = self.sandbox.write("disk.img", b"");
        fs::File::options().write(true).open(&path).unwrap().set_len(mebibytes << 20).unwrap();
        path
    }

    fn submitting(&self) -> Running {
        self.sandbox.start(&mut self.sandbox.command("pumice", ["submit", "--upload", "jobs/job.yaml"]))
    }

    fn submit(&self) -> Finished {
        self.submitting().wait(SHORT)
    }

    /// Waits until the server has some of a file, and more than that is to come.
    fn wait_for_pieces(&self) {
        let parts = self.sandbox.path().join("state/pumice/lab/server/uploads/parts");
        let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let end = Instant::now() + SHORT;
        loop {
            let files = fs::read_dir(&parts).into_iter().flatten().flatten();
            if files.map(|file| length(&file.path())).max().unwrap_or(0) >= 8 << 20 {
                return;
            }
            assert!(Instant::now() < end, "no piece came");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_server_that_is_killed_while_a_file_comes_in_and_a_client_that_is_killed_lose_nothing() {
    let mut lab = Lab::new(&[]);
    lab.disk(200);
    let client = lab.submitting();
    lab.wait_for_pieces();
    lab.kill_server();
    lab.start(&[]);
    let ended = client.wait(SHORT);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains("disk.img: 200 MiB sent") && ended.stderr.contains("job 1 was submitted"));

    lab.disk(201);
    let client = lab.submitting();
    lab.wait_for_pieces();
    client.signal(Signal::KILL);
    client.wait(SHORT);
    let again = lab.submit();
    assert!(again.status.success(), "{}", again.stderr);
    assert!(again.stderr.contains("disk.img: 201 MiB sent, the first "), "{}", again.stderr);
    let known = lab.submit();
    assert!(known.stderr.contains("disk.img: 201 MiB, on the server already"), "{}", known.stderr);
    assert_eq!(known.stderr.matches("disk.img").count(), 1, "named twice, sent once: {}", known.stderr);

    let listed = lab.sandbox.pumice(["uploads", "--format", "json"], SHORT).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let sizes: Vec<_> =
        listed.as_array().unwrap().iter().map(|upload| upload["size"].as_u64().unwrap() >> 20).collect();
    assert_eq!(sizes, [201, 200]);
    let refused = lab.sandbox.pumice(["uploads", "remove", listed[0]["sha256"].as_str().unwrap()], SHORT);
    assert!(refused.stderr.contains("a job that has not ended needs `disk.img`"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_sent_is_said_in_words_that_help() {
    let mut lab = Lab::new(&["--upload-limit", "2 MiB"]);
    let check = |ended: &Finished, code: i32, words: &[&str]| {
        assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
        for text in words {
            assert!(ended.stderr.contains(text), "no `{text}` in {}", ended.stderr);
        }
    };
    check(&lab.submit(), 64, &["cannot read `jobs/../disk.img`"]);
    lab.disk(3);
    check(&lab.submit(), 66, &["`disk.img` has 3 MiB, and this server takes files of at most 2 MiB"]);
    let plain = lab.sandbox.pumice(["submit", "jobs/job.yaml"], SHORT);
    check(&plain, 64, &["`../disk.img` is a path, not a URL", "give --upload"]);
    lab.kill_server();
    check(
        &lab.submit(),
        66,
        &["no answer from http://127.0.0.1", "check the server's address, and that it is running"],
    );
}
