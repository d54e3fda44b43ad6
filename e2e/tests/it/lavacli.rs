//! The real `lavacli` submits jobs that boot, follows them and reads what came of them.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use e2e::{Guest, Job, Running, Sandbox, Signal, need, python_program};

const SHORT: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(500);
/// The worker of the lab; its device is called `qemu-bench`.
const WORKER: &str = "bench";

/// A lab on one host, and `lavacli` with the administrator's token.
struct Lab {
    sandbox: Sandbox,
    server: Running,
    lavacli: PathBuf,
    url: String,
    token: String,
}

impl Lab {
    fn start(lavacli: PathBuf) -> Self {
        let sandbox = Sandbox::new();
        let arguments = ["up", "--listen", "127.0.0.1:0", "--name", WORKER];
        let mut server = sandbox.start(&mut sandbox.command("pumice", arguments));
        server.wait_for("the lab is at http://127.0.0.1:", SHORT);
        let kept = |name: &str| {
            let path = sandbox.path().join("state/pumice/lab").join(name);
            std::fs::read_to_string(path).unwrap().trim().to_owned()
        };
        let (url, token) = (kept("address"), kept("admin.token"));
        Self { sandbox, server, lavacli, url, token }
    }

    /// A command of `lavacli`.
    fn lavacli(&self, words: &[&str]) -> Command {
        let uri = self.url.replace("http://", &format!("http://admin:{}@", self.token));
        let mut command = self.sandbox.foreign(&self.lavacli, ["--uri", &format!("{uri}/RPC2")]);
        command.args(words);
        command
    }

    /// What a command of `lavacli` printed; it must succeed.
    fn ask(&self, words: &[&str]) -> String {
        let finished = self.sandbox.start(&mut self.lavacli(words)).wait(LIMIT);
        assert_eq!(finished.status.code(), Some(0), "{words:?}: {}{}", finished.stdout, finished.stderr);
        finished.stdout
    }

    fn end(self) {
        self.server.signal(Signal::TERM);
        let ended = self.server.wait(SHORT);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        self.sandbox.is_empty_within(Duration::from_secs(2));
    }
}

#[test]
fn a_job_runs_and_lavacli_reads_its_results_and_its_log() {
    let guest = need!(Guest::find("arm64"));
    let lab = Lab::start(need!(python_program("lavacli")));
    let steps =
        ["lava-test-case good --result pass --measurement 42 --units ms", "lava-test-case bad --result fail"];
    let path = lab.sandbox.write("job.yaml", Job::arm64(&guest).steps(&steps).text());
    let said = lab.ask(&["jobs", "run", "--polling", "1", path.to_str().unwrap()]);
    assert!(said.contains("[lavacli] Job 1 submitted") && said.contains("Job finished correctly"), "{said}");

    let results = lab.ask(&["results", "1"]);
    assert!(results.contains("* 0_cases.good [pass]\n* 0_cases.bad [fail]\n"), "{results}");
    assert!(results.contains("* lava.job [pass]"), "{results}");
    assert_eq!(lab.ask(&["results", "1", "0_cases", "bad"]), "fail\n");
    let shown: serde_json::Value = serde_json::from_str(&lab.ask(&["jobs", "show", "1", "--json"])).unwrap();
    assert_eq!((&shown["state"], &shown["health"]), (&"Finished".into(), &"Complete".into()));
    assert_eq!(shown["device"], "qemu-bench");
    let log = lab.ask(&["jobs", "logs", "1", "--filters", "results", "--raw"]);
    assert!(log.lines().all(|line| line.contains("\"lvl\": \"results\"")), "{log}");
    let quiet = lab.ask(&["jobs", "logs", "1", "--quiet"]);
    assert!(quiet.contains("0_cases.good: pass (42"), "{quiet}");
    lab.ask(&["jobs", "config", "1", "--dest", "config"]);
    let device = std::fs::read_to_string(lab.sandbox.path().join("config/device.yaml")).unwrap();
    assert!(device.contains("available_architectures"), "{device}");
    lab.end();
}

/// The checks that pass on LAVA 2026.07, those with jobs that run. The others stand with the server's tests.
#[test]
fn lavas_own_answers_to_lavacli_are_ours() {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/lavacli/checks.sh");
    if !checks.exists() {
        println!("skipped: there is no {}", checks.display());
        return;
    }
    let guest = need!(Guest::find("arm64"));
    let lab = Lab::start(need!(python_program("lavacli")));
    let guests = lab.sandbox.path().join("guests");
    std::fs::create_dir(&guests).unwrap();
    symlink(guest.kernel(), guests.join("Image-arm64")).unwrap();
    symlink(guest.initrd(), guests.join("initrd-arm64.cpio.gz")).unwrap();
    let job = std::fs::read_to_string(checks.with_file_name("boot5.job.yaml")).unwrap();
    let job = job.replace("@GUEST@", guests.to_str().unwrap());
    let job = lab.sandbox.write("boot5.job.yaml", job);
    let mut command =
        lab.sandbox.foreign("bash", [checks.to_str().unwrap(), &lab.url, "admin", &lab.token, "run", "rest"]);
    command.env("LAVACLI", &lab.lavacli).env("CHECK_DEVICE", "qemu-bench").env("CHECK_JOB", job);
    let finished = lab.sandbox.start(&mut command).wait(Duration::from_secs(900));
    let failed: Vec<_> = finished.stdout.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert_eq!(finished.status.code(), Some(0), "{}\n{}", failed.join("\n"), finished.stderr);
    let passed =
        finished.stdout.lines().filter(|line| line.starts_with("ok ") && !line.contains("# SKIP")).count();
    assert!(passed >= 60, "only {passed} checks ran:\n{}", finished.stdout);
    lab.end();
}
