//! Our worker at a real LAVA server (Debian 12 has 2023.01): its jobs run, are cancelled, and survive that the server and the worker
//! are killed meanwhile.

use std::time::{Duration, Instant};

use e2e::{Guest, Job, LavaServer, Missing, Running, Sandbox, Signal, need, skip_or_fail};
use serde_json::{Value, json};

/// LAVA's scheduler looks every 20 s, and guests under emulation take their time.
const PATIENCE: Duration = Duration::from_secs(300);

struct World {
    sandbox: Sandbox,
    server: LavaServer,
    token: String,
    worker: Option<Running>,
}

impl World {
    fn start_worker(&mut self) {
        let words =
            ["worker", "--lava-server", self.server.url(), "--name", "w1", "--token", &self.token, "--state"];
        let mut command = self.sandbox.command("pumice", words);
        self.worker = Some(self.sandbox.start(command.arg(self.sandbox.path().join("worker"))));
    }

    fn submit(&self, job: &Job) -> i64 {
        let body = json!({ "definition": job.text() }).to_string();
        let more = ["-H", "Content-Type: application/json", "-d", &body];
        let said = self.server.ask(&self.sandbox, "jobs/", &more);
        said["job_ids"][0].as_i64().unwrap_or_else(|| panic!("{said}"))
    }

    fn job(&self, id: i64) -> Value {
        self.server.ask(&self.sandbox, &format!("jobs/{id}/"), &[])
    }

    #[track_caller]
    fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            let said = || {
                format!("{}\n---\n{}", self.worker.as_ref().unwrap().output().concat(), self.server.said())
            };
            assert!(Instant::now() < end, "never came: {what}\n{}", said());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn log(&self, id: i64) -> String {
        self.server.text(&self.sandbox, &format!("jobs/{id}/logs/"), &[])
    }
}

#[test]
fn jobs_of_a_real_lava_server_are_run_whatever_is_killed_meanwhile() {
    let guest = need!(Guest::find("arm64"));
    let postgres = match pumice_testkit::Postgres::start() {
        Ok(postgres) => postgres,
        Err(reason) => return skip_or_fail(&Missing::set_up(format!("PostgreSQL: {reason}"))),
    };
    let database = postgres.fresh("lava");
    let (_, sockets) =
        need!(database.split_once("?host=").ok_or_else(|| Missing::rare("PostgreSQL on a socket")));
    let sandbox = Sandbox::new();
    let server = need!(LavaServer::start(&sandbox, sockets, "lava"));
    let token = server.device(&sandbox, "w1", "qemu", "qemu01");
    let mut world = World { sandbox, server, token, worker: None };
    world.start_worker();

    let steps = ["lava-test-case good --result pass", "lava-test-case bad --result fail"];
    let first = world.submit(&Job::arm64(&guest).steps(&steps));
    world.wait_until("the first job runs", || world.log(first).contains("Booting Linux"));
    world.server.kill_web();
    let worker = world.worker.take().unwrap();
    worker.signal(Signal::KILL);
    drop(worker.wait(PATIENCE));
    world.start_worker();
    world.server.start_web(&world.sandbox);
    world.wait_until("the first job ends", || world.job(first)["state"] == "Finished");
    let job = world.job(first);
    assert_eq!(job["health"], "Complete", "{job}\n{}", world.log(first));
    let tests = world.server.ask(&world.sandbox, &format!("jobs/{first}/tests/?limit=500"), &[]);
    let result = |name: &str| {
        let mut cases = tests["results"].as_array().unwrap().iter().filter(|case| case["name"] == name);
        let result = cases.next().map(|case| case["result"].clone());
        assert!(cases.next().is_none(), "{name} counts once");
        result
    };
    assert_eq!(
        (result("good"), result("bad"), result("job")),
        (Some(json!("pass")), Some(json!("fail")), Some(json!("pass")))
    );
    let log = world.log(first);
    for once in ["guest login:", "start: 0 validate", "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=good RESULT=pass>"]
    {
        assert!(log.matches(once).count() <= 1, "{once} came twice");
    }
    assert!(log.contains("guest login:"), "{log}");

    let second = world.submit(&Job::arm64(&guest).steps(&["sleep 1000"]));
    world.wait_until("the second job runs", || world.log(second).contains("Booting Linux"));
    world.server.text(&world.sandbox, &format!("jobs/{second}/cancel/"), &[]);
    world.wait_until("the second job ends", || world.job(second)["state"] == "Finished");
    assert_eq!(world.job(second)["health"], "Canceled");

    let worker = world.worker.take().unwrap();
    let jobs = world.sandbox.path().join("worker/jobs");
    world.worker = Some(worker);
    world.wait_until("nothing of the jobs is left", || std::fs::read_dir(&jobs).unwrap().next().is_none());
    let worker = world.worker.take().unwrap();
    worker.signal(Signal::TERM);
    assert!(worker.wait(PATIENCE).status.success());
    drop(world.server);
    world.sandbox.is_empty_within(Duration::from_secs(60));
}
