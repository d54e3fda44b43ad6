//! A worker of a LAVA server, against one that behaves as LAVA's (lava-compat 6.3, 3.6).

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use pumice_client::{Address, Connection, Credentials, LavaWorkerClient, Options, PlainHttp};
use pumice_worker::{LavaAgent, LavaConfig, LavaStop, StopMode};
use serde_json::{Value, json};

use crate::{
    fake_server::{Answer, FakeServer, Request},
    world::{World, keeper, until},
};

/// A job that LAVA's server has, and what became of it.
#[derive(Clone, Debug, Default)]
struct LavaJob {
    /// `start`, `running` or `cancel`: where a ping lists it; nothing when it is finished.
    listed: &'static str,
    package: Value,
    lines: Vec<String>,
    /// The fields of FINISHED.
    finished: BTreeMap<String, String>,
}

#[derive(Default)]
struct Lava {
    jobs: BTreeMap<i64, LavaJob>,
    /// More lines at once than this are refused with 413.
    most_lines: usize,
    /// A line longer than this is refused with 413.
    longest_line: usize,
    pings: usize,
    /// The version that the server says it has; a ping must name it.
    version: String,
}

struct Server {
    lava: Arc<Mutex<Lava>>,
    http: FakeServer,
}

impl Server {
    fn start() -> Self {
        let lava = Lava {
            most_lines: usize::MAX,
            longest_line: usize::MAX,
            version: "2026.07".to_owned(),
            ..Lava::default()
        };
        let lava = Arc::new(Mutex::new(lava));
        let inside = Arc::clone(&lava);
        let http = FakeServer::start(move |request| Some(answer(&mut inside.lock().unwrap(), request)));
        Self { lava, http }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Lava) -> T) -> T {
        look(&mut self.lava.lock().unwrap())
    }

    fn list(&self, id: i64, listed: &'static str) {
        let package = json!({"definition": "job_name: x\n", "device": "d: 1\n", "dispatcher": "", "env": "", "env-dut": ""});
        self.with(|lava| lava.jobs.insert(id, LavaJob { listed, package, ..LavaJob::default() }));
    }

    #[track_caller]
    fn finished(&self, id: i64) -> BTreeMap<String, String> {
        until("FINISHED", || self.with(|lava| !lava.jobs[&id].finished.is_empty()));
        self.with(|lava| lava.jobs[&id].finished.clone())
    }

    fn worker(&self, world: &World) -> (LavaStop, thread::JoinHandle<()>) {
        let address = Address::parse(&self.http.url(), PlainHttp::Loopback).unwrap();
        let options = Options::new(address, Credentials::LavaToken("worker-token".to_owned()));
        let config = LavaConfig {
            name: "worker1".to_owned(),
            state: world.state(),
            job_program: world.job_program(),
            keeper: keeper(),
            ping_interval: Duration::from_millis(50),
            log_interval: Duration::from_millis(20),
        };
        let client = LavaWorkerClient::new(Connection::new(options).unwrap());
        let (agent, stop) = LavaAgent::new(config, client).unwrap();
        (stop, thread::spawn(move || agent.run().unwrap()))
    }
}

fn error(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({ "error": text }).to_string())
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let body = std::str::from_utf8(body).unwrap();
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decode(k), decode(v))).collect()
}

fn answer(lava: &mut Lava, request: &Request) -> Answer {
    if request.path == "/api/v0.2/system/version/" {
        return Answer::json(200, &json!({ "version": lava.version }).to_string());
    }
    let path = request.path.strip_prefix("/scheduler/internal/v1/").expect("a path of LAVA's");
    let words: Vec<_> = path.trim_end_matches('/').split('/').collect();
    let token = request.header("lava-token");
    match (request.method.as_str(), words.as_slice()) {
        ("GET", ["workers", "worker1"]) => {
            assert_eq!(token, Some("worker-token"));
            lava.pings += 1;
            if request.field("version") != Some(&lava.version) {
                return error(409, "Version mismatch");
            }
            let listed = |kind: &str| -> Vec<Value> {
                let jobs = lava.jobs.iter().filter(|(_, job)| job.listed == kind);
                jobs.map(|(id, _)| json!({"id": id, "token": format!("token-{id}")})).collect()
            };
            let orders =
                json!({"cancel": listed("cancel"), "running": listed("running"), "start": listed("start")});
            Answer::json(200, &orders.to_string())
        }
        (method, ["jobs", id, rest @ ..]) => {
            let (most, longest) = (lava.most_lines, lava.longest_line);
            let number: i64 = id.parse().unwrap();
            let Some(job) = lava.jobs.get_mut(&number) else {
                return error(404, &format!("Unknown job '{id}'"));
            };
            assert_eq!(token, Some(format!("token-{id}").as_str()));
            let fields = form(&request.body);
            match (method, rest) {
                ("GET", []) => Answer::json(200, &job.package.to_string()),
                ("POST", []) if fields["state"] == "RUNNING" => {
                    if job.listed == "start" {
                        job.listed = "running";
                    }
                    Answer::json(200, "{}")
                }
                ("POST", []) => {
                    job.listed = "";
                    job.finished = fields;
                    Answer::json(200, "{}")
                }
                ("POST", ["logs"]) => {
                    let lines: Vec<_> = fields["lines"].split('\n').map(str::to_owned).collect();
                    if lines.len() > most || lines.iter().any(|line| line.len() > longest) {
                        return error(413, "");
                    }
                    let index: usize = fields["index"].parse().unwrap();
                    assert!(index <= job.lines.len(), "a gap in the log");
                    let known = (job.lines.len() - index).min(lines.len());
                    job.lines.extend_from_slice(&lines[known..]);
                    Answer::json(200, &json!({ "line_count": lines.len() }).to_string())
                }
                other => panic!("the worker asked {other:?}"),
            }
        }
        other => panic!("the worker asked {other:?}"),
    }
}

/// A stand-in for LAVA's runner: checks its arguments, writes a log, a description and a result.
const RUNNER: &str = r#"
[ "$1" = --device ] && [ -s "$2" ] && [ "$3" = --dispatcher ] && [ "$5" = --env-dut ] && [ "$7" = --job-id ] || exit 1
[ "$9" = --output-dir ] || exit 1
shift 10
[ -s "$1" ] || exit 1
printf -- '- {"dt": "2026-01-01T00:00:00+00:00", "lvl": "info", "msg": "start"}\n' >> output/logs.yaml
printf -- '- {"dt": "2026-01-01T00:00:01+00:00", "lvl": "info", "msg": "end"}\n' >> output/logs.yaml
echo 'pipeline: []' > output/description.yaml
echo '{definition: lava, case: job, result: pass}' > output/result.yaml
"#;

#[test]
fn a_job_is_run_with_lavas_arguments_and_reported_in_lavas_words() {
    let (world, server) = (World::new(RUNNER), Server::start());
    server.list(49, "start");
    let (stop, thread) = server.worker(&world);
    let finished = server.finished(49);
    assert_eq!((finished["result"].as_str(), finished["error_type"].as_str()), ("pass", ""));
    assert_eq!(finished["description"], "pipeline: []\n");
    let lines = server.with(|lava| lava.jobs[&49].lines.clone());
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("- {\"dt\": \"2026-01-01T00:00:01+00:00\""), "{lines:?}");
    until("the job's directory is removed", || world.is_clean());
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

#[test]
fn a_cancelled_job_is_ended_and_reported_canceled() {
    let script = "trap 'exit 1' TERM; echo $$ > ../../../pid; sleep 1000 & wait";
    let (world, server) = (World::new(script), Server::start());
    server.list(5, "start");
    let (stop, thread) = server.worker(&world);
    until("the job runs", || world.process("pid").is_some());
    server.with(|lava| lava.jobs.get_mut(&5).unwrap().listed = "cancel");
    let finished = server.finished(5);
    assert_eq!((finished["result"].as_str(), finished["error_type"].as_str()), ("fail", "Canceled"));
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

#[test]
fn unknown_jobs_are_reported_and_never_started() {
    let (world, server) = (World::new("touch ../../../started"), Server::start());
    server.list(1, "cancel");
    server.list(2, "running");
    let (stop, thread) = server.worker(&world);
    assert_eq!(server.finished(1)["error_type"], "Canceled");
    assert_eq!(server.finished(2)["error_type"], "Infrastructure");
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
    assert!(!world.path("started").exists());
}

#[test]
fn a_job_that_the_server_deleted_is_killed_and_forgotten() {
    let script = "echo $$ > ../../../pid; while :; do echo '- {}' >> output/logs.yaml; sleep 0.02; done";
    let (world, server) = (World::new(script), Server::start());
    server.list(5, "start");
    let (stop, thread) = server.worker(&world);
    until("the job runs", || world.process("pid").is_some());
    server.with(|lava| lava.jobs.clear());
    until("nothing is left", || world.process("pid").is_none() && world.is_clean());
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

#[test]
fn batches_too_large_are_made_smaller() {
    let script = "i=0; while [ $i -lt 2500 ]; do echo \"- $i\"; i=$((i+1)); done > output/logs.yaml
        echo '{result: pass}' > output/result.yaml";
    let (world, server) = (World::new(script), Server::start());
    server.with(|lava| lava.most_lines = 450);
    server.list(5, "start");
    let (stop, thread) = server.worker(&world);
    assert_eq!(server.finished(5)["result"], "pass");
    let expected: Vec<_> = (0..2500).map(|line| format!("- {line}")).collect();
    assert_eq!(server.with(|lava| lava.jobs[&5].lines.clone()), expected);
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

#[test]
fn a_single_line_too_large_is_replaced_and_ends_the_job() {
    let script = "echo $$ > ../../../pid; echo '- short' >> output/logs.yaml
        head -c 5000 /dev/zero | tr '\\0' x >> output/logs.yaml; echo >> output/logs.yaml; sleep 1000";
    let (world, server) = (World::new(script), Server::start());
    server.with(|lava| lava.longest_line = 1_000);
    server.list(5, "start");
    let (stop, thread) = server.worker(&world);
    assert_eq!(server.finished(5)["result"], "fail");
    let lines = server.with(|lava| lava.jobs[&5].lines.clone());
    assert_eq!(lines[0], "- short");
    assert!(lines[1].contains("\"case\": \"log-upload\", \"result\": \"fail\""), "{lines:?}");
    assert_eq!(world.process("pid"), None);
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

#[test]
fn a_restarted_worker_goes_on_with_its_job_and_its_log() {
    let script = "echo '- one' >> output/logs.yaml; until [ -e ../../../go ]; do sleep 0.05; done
        echo '- two' >> output/logs.yaml; echo '{result: pass}' > output/result.yaml";
    let (world, server) = (World::new(script), Server::start());
    server.list(5, "start");
    let (stop, thread) = server.worker(&world);
    until("the first line", || server.with(|lava| lava.jobs[&5].lines == ["- one"]));
    stop.stop(StopMode::Detach);
    thread.join().unwrap();
    let (stop, thread) = server.worker(&world);
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(server.finished(5)["result"], "pass");
    assert_eq!(server.with(|lava| lava.jobs[&5].lines.clone()), ["- one", "- two"]);
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

#[test]
fn a_server_that_was_upgraded_is_asked_for_its_version_again() {
    let (world, server) = (World::new(""), Server::start());
    let (stop, thread) = server.worker(&world);
    until("the first ping", || server.with(|lava| lava.pings > 0));
    server.with(|lava| {
        lava.version = "2026.08".to_owned();
        lava.pings = 0;
    });
    server.list(5, "cancel");
    assert_eq!(server.finished(5)["error_type"], "Canceled");
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}

/// The exchange of one job between LAVA's worker and a real LAVA server, replayed: what LAVA's server answered, and that
/// what our worker asks is what LAVA's asked.
#[test]
fn the_recorded_exchange_of_a_real_server_is_served() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/api/worker.jsonl");
    let Ok(text) = fs::read_to_string(corpus) else {
        eprintln!("skipped: {corpus} is not there");
        return;
    };
    let exchanges: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |method: &str, path: &str, begins: &str| {
        let of = |exchange: &&Value| {
            exchange["method"] == method
                && exchange["path"] == path
                && exchange["req"].as_str().unwrap().starts_with(begins)
        };
        exchanges.iter().find(of).unwrap_or_else(|| panic!("{method} {path} was not recorded"))
    };
    let job = "/scheduler/internal/v1/jobs/49/";
    let package: Value = serde_json::from_str(find("GET", job, "")["resp"].as_str().unwrap()).unwrap();
    let script = "cp job.yaml device.yaml ../../..; trap 'exit 1' TERM; sleep 1000 & wait";
    let (world, server) = (World::new(script), Server::start());
    server.list(49, "start");
    server.with(|lava| lava.jobs.get_mut(&49).unwrap().package = package.clone());
    let (stop, thread) = server.worker(&world);
    until("the job has its files", || world.path("device.yaml").exists());
    assert_eq!(fs::read_to_string(world.path("job.yaml")).unwrap(), package["definition"].as_str().unwrap());
    until("RUNNING", || server.with(|lava| lava.jobs[&49].listed == "running"));
    server.with(|lava| lava.jobs.get_mut(&49).unwrap().listed = "cancel");
    let ours = server.finished(49);
    let theirs = form(find("POST", job, "state=FINISHED")["req"].as_str().unwrap().as_bytes());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for field in ["state", "result", "error_type"] {
        assert_eq!(ours[field], theirs[field], "{field}");
    }
    stop.stop(StopMode::Drain);
    thread.join().unwrap();
}
