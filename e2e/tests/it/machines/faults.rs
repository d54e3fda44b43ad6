#![expect(clippy::print_stdout, reason = "the seed and what came of it are told")]
//! Links cut for shorter and for longer than the lease, workers and the server killed at random points: every submitted job
//! has exactly one verdict, nothing of a log that was acknowledged is lost, and no process is left.
//!
//! `PUMICE_FAULTS` says how many (the suite's few where it is unset), `PUMICE_FAULT_SEED` which; the seed is printed.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};

use e2e::{Missing, Signal, need, skip_or_fail};
use fastrand::Rng;
use fs_err as fs;
use serde_json::{Value, json};

use super::rig::Lab;

/// The lease in the test, so that "longer than the lease" is soon over.
const LEASE: Duration = Duration::from_secs(4);
const WORKERS: u8 = 2;
const DEVICES: u8 = 2;
/// Faults where nobody asks for more.
const FEW: u32 = 8;

fn milliseconds(random: &mut Rng, range: Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// The device: a program that says what a guest would, and complains when the machine of its job already runs.
fn dictionary(directory: &Path) -> String {
    let script = format!(
        "exec 9>>{0}/lock.$1; flock -n 9 || echo $1 >> {0}/twice; echo login; echo begin; \
         for n in 1 2 3 4 5 6 7 8; do echo case_$n pass; sleep $2; done; echo end; exec sleep 1000",
        directory.display()
    );
    let script = script.replace('\'', "\\'");
    format!(
        "{{% extends 'command.jinja2' %}}\n{{% set command = {{'program': 'sh', 'arguments': ['-c', '{script}', 'job'], \
         'consoles': [{{'name': 'main', 'role': 'main', 'by': 'stdio'}}], \
         'stop': [{{'how': 'terminate', 'grace_seconds': 1}}]}} %}}\n"
    )
}

fn job(number: u32, pause: &str, image: &Path) -> String {
    format!(
        "job_name: fault {number}\ndevice_type: command\nvisibility: public\n\
         timeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}, connection: {{minutes: 1}}}}\nactions:\n\
         - deploy:\n    to: tmpfs\n    images:\n      token: {{url: 'file://{}', image_arg: 't{number} {pause}'}}\n\
         - boot: {{method: command, prompts: [login], parameters: {{kernel-start-message: ''}}}}\n\
         - test:\n    monitors:\n    - {{name: tiny, start: begin, end: end, \
         pattern: '(?P<test_case_id>case_\\d) (?P<result>pass)'}}\n",
        image.display()
    )
}

/// What a person saw of a job's log: it may only grow, as long as the job is not given anew.
#[derive(Default)]
struct Seen {
    giving: u64,
    log: String,
    verdict: Option<(Value, Value)>,
}

#[test]
fn every_job_has_one_verdict_whatever_is_cut_or_killed() {
    every_job_has_one_verdict(None, FEW);
}

#[test]
fn every_job_has_one_verdict_on_postgresql() {
    let postgres = match pumice_testkit::Postgres::start() {
        Ok(postgres) => postgres,
        Err(reason) => return skip_or_fail(&Missing::set_up(format!("PostgreSQL: {reason}"))),
    };
    every_job_has_one_verdict(Some(&postgres.fresh("faults")), FEW / 2);
}

fn every_job_has_one_verdict(database: Option<&str>, few: u32) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("PUMICE_FAULT_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let faults = number("PUMICE_FAULTS").and_then(|count| u32::try_from(count).ok()).unwrap_or(few);
    println!("PUMICE_FAULT_SEED={seed}");
    let mut random = Rng::with_seed(seed);

    let lease = LEASE.as_secs().to_string();
    let mut words = vec!["--lease", lease.as_str()];
    words.extend(database.iter().flat_map(|database| ["--database", *database]));
    let mut lab = need!(Lab::new(WORKERS, &words));
    let marks = lab.sandbox.path().join("marks");
    fs::create_dir_all(&marks).unwrap();
    let image = lab.sandbox.write("token", "x");
    for worker in 1..=WORKERS {
        lab.start_worker(worker);
        lab.wait_for_worker(worker);
        for device in 1..=DEVICES {
            let name = format!("c{worker}{device}");
            let wanted = json!({"hostname": name, "device_type": "command", "worker_host": format!("w{worker}"), "health": "Good"});
            lab.post("devices/", &wanted);
            lab.post(&format!("devices/{name}/dictionary/"), &json!({"dictionary": dictionary(&marks)}));
        }
    }

    let mut jobs: BTreeMap<String, Seen> = BTreeMap::new();
    let mut submitted = 0;
    for fault in 0..faults {
        for _ in 0..=random.u64(..2) {
            submitted += 1;
            let pause = ["0", "0.05", "0.2", "0.6"][random.usize(..4)];
            let path = lab.sandbox.write("fault.yaml", job(submitted, pause, &image));
            let sent =
                lab.pumice(&["submit", path.to_str().unwrap(), "--format", "json"], Duration::from_secs(60));
            assert!(sent.status.success(), "{}", sent.stderr);
            let told: Value = serde_json::from_str(&sent.stdout).unwrap();
            jobs.insert(told["submitted"].to_string(), Seen::default());
        }
        std::thread::sleep(milliseconds(&mut random, 0..800));
        inject(&mut lab, fault, &mut random);
        look(&lab, &mut jobs);
    }

    let end = Instant::now() + Duration::from_secs(180);
    while jobs.values().any(|job| job.verdict.is_none()) {
        look(&lab, &mut jobs);
        let open: Vec<_> = jobs.iter().filter(|(_, job)| job.verdict.is_none()).map(|(id, _)| id).collect();
        assert!(Instant::now() < end, "no verdict for {open:?}\n{}", lab.said());
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (id, seen) in &jobs {
        *counts.entry(verdict(&lab, id, seen)).or_default() += 1;
    }
    println!("{faults} faults, {} jobs: {counts:?}", jobs.len());
    assert!(counts.contains_key("Complete"), "{counts:?}");
    let twice = fs::read_to_string(marks.join("twice")).unwrap_or_default();
    assert_eq!(twice, "", "machines of one job ran twice at once");

    for running in lab.workers.iter_mut().filter_map(Option::take).chain(lab.server.take()) {
        running.signal(Signal::TERM);
        let ended = running.wait(Duration::from_secs(60));
        assert!(ended.status.success(), "{}", ended.stderr);
    }
    drop(lab.network);
    lab.sandbox.is_empty_within(Duration::from_secs(10));
}

/// One fault, and its mending.
fn inject(lab: &mut Lab, fault: u32, random: &mut Rng) {
    let worker = random.u8(1..=WORKERS);
    let (what, pause) = match random.u64(..10) {
        0..=2 => ("short cut", milliseconds(random, 100..1500)),
        3 => ("long cut", LEASE + milliseconds(random, 2000..4000)),
        4..=6 => ("worker killed", milliseconds(random, 0..1500)),
        7 => ("worker killed for long", LEASE + milliseconds(random, 2000..4000)),
        _ => ("server killed", milliseconds(random, 0..1500)),
    };
    println!("fault {fault}: {what}, w{worker}, {pause:?}");
    match what {
        "short cut" | "long cut" => {
            lab.network.link(worker, false);
            std::thread::sleep(pause);
            lab.network.link(worker, true);
        }
        "server killed" => {
            kill(lab.server.take());
            std::thread::sleep(pause);
            lab.start_server();
        }
        _ => {
            kill(lab.workers[usize::from(worker)].take());
            std::thread::sleep(pause);
            lab.start_worker(worker);
        }
    }
}

fn kill(running: Option<e2e::Running>) {
    let running = running.unwrap();
    running.signal(Signal::KILL);
    drop(running.wait(Duration::from_secs(10)));
}

/// What a person sees now. A verdict stays what it was, and a log goes on where it was.
fn look(lab: &Lab, jobs: &mut BTreeMap<String, Seen>) {
    let listed = lab.ask(&["jobs", "--limit", "1000"]);
    for (id, seen) in jobs.iter_mut() {
        let Some(job) = listed.as_array().unwrap().iter().find(|job| job["id"] == id.parse::<u64>().unwrap())
        else {
            continue;
        };
        let is_over = job["state"] == "Finished";
        if let Some(verdict) = &seen.verdict {
            assert_eq!((&job["health"], &job["end_time"]), (&verdict.0, &verdict.1), "job {id} ended twice");
            continue;
        }
        let (giving, log) = log(lab, id);
        if giving == seen.giving {
            assert!(log.starts_with(&seen.log), "the log of job {id} lost what it had");
        }
        (seen.giving, seen.log) = (giving, log);
        if is_over {
            seen.verdict = Some((job["health"].clone(), job["end_time"].clone()));
        }
    }
}

/// The log of a job's last giving. The server keeps each giving's as it came; the test may look at it.
fn log(lab: &Lab, id: &str) -> (u64, String) {
    let thousands = id.parse::<u64>().unwrap() / 1000;
    let place = lab.sandbox.path().join(format!("state/pumice/lab/server/jobs/{thousands}/{id}"));
    let givings = fs::read_dir(&place).into_iter().flatten().flatten();
    let last = givings.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max();
    let Some(last) = last else { return (0, String::new()) };
    (last, fs::read_to_string(place.join(last.to_string()).join("output.yaml")).unwrap_or_default())
}

/// A job's verdict. One that is complete left everything exactly once.
fn verdict(lab: &Lab, id: &str, seen: &Seen) -> String {
    let health = seen.verdict.as_ref().unwrap().0.as_str().unwrap().to_owned();
    let results = lab.ask(&["results", id]);
    let results = results.as_array().unwrap();
    let ends = results.iter().filter(|case| case["suite"] == "lava" && case["name"] == "job").count();
    assert!(ends <= 1, "job {id} ended {ends} times");
    if health == "Complete" {
        assert_eq!(ends, 1, "job {id}");
        let mut cases: Vec<_> = results
            .iter()
            .filter(|case| case["suite"] == "0_tiny" || case["suite"] == "tiny")
            .map(|case| case["name"].to_string())
            .collect();
        cases.sort();
        let expected: Vec<_> = (1..=8).map(|n| format!("\"case_{n}\"")).collect();
        assert_eq!(cases, expected, "job {id}");
    } else {
        let why = lab.ask(&["why", id]);
        println!("job {id}: {health}: {}", why["failure"]["cause"]);
        let cause = why["failure"]["cause"].as_str().unwrap_or_default();
        assert_eq!((health.as_str(), cause), ("Incomplete", "lease-lost"), "job {id}: {why}");
    }
    health
}
