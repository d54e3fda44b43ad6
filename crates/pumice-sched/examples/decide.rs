//! How long decisions take with 10,000 jobs in the queue of a lab of 1,000 devices:
//! `cargo run --release -p pumice-sched --example decide`.
#![expect(clippy::print_stdout, reason = "it is a program for people")]
#![expect(clippy::cast_precision_loss, reason = "a few digits are shown")]

use std::time::{Duration, Instant};

use pumice_api::worker::JobRef;
use pumice_sched::{Action, Device, Event, JobRequest, Lab, Policy, Size, Time, WorkerFacts};
use pumice_types::{JobId, Verdict, WorkerName};

const JOBS: i64 = 10_000;
const DEVICES: u32 = 1_000;
const WORKERS: u32 = 50;
const TYPES: [&str; 5] = ["qemu", "fvp-a15", "fvp-base", "fvp-rd", "gem5"];

fn main() {
    let mut lab = Lab::new(Policy::default(), Time(0));
    for number in 0..WORKERS {
        let name = format!("worker-{number}");
        let capacity = Some(Size { cores: 64, memory_mib: 262_144 });
        lab.step(Event::PutWorker(WorkerFacts { capacity, ..WorkerFacts::new(name.as_str()) }), Time(0));
    }
    for number in 0..DEVICES {
        let worker = WorkerName(format!("worker-{}", number % WORKERS));
        let device_type = TYPES[number as usize / 20 % TYPES.len()];
        lab.step(
            Event::PutDevice(Device::new(format!("device-{number:04}").as_str(), device_type, worker)),
            Time(0),
        );
    }
    lab.step(Event::PutLicence("fm".to_owned(), 900), Time(0));
    let began = Instant::now();
    for id in 0..JOBS {
        let submitter = format!("user-{}", id % 40);
        let mut job =
            JobRequest::new(JobId(id), submitter, Time(0), TYPES[usize::try_from(id % 5).unwrap_or(0)]);
        job.priority = [0, 50, 100][usize::try_from(id % 3).unwrap_or(0)];
        job.size = Size { cores: 2, memory_mib: 4_096 };
        job.licences = [("fm".to_owned(), 1)].into();
        lab.step(Event::Submit(vec![job]), Time(0));
    }
    println!(
        "submit, no worker there      {:>9.1?} each",
        began.elapsed() / u32::try_from(JOBS).unwrap_or(1)
    );

    let mut given = Vec::new();
    let mut slowest = Duration::ZERO;
    let began = Instant::now();
    for number in 0..WORKERS {
        let worker = WorkerName(format!("worker-{number}"));
        let step = Instant::now();
        let actions = lab.step(Event::WorkerHello { worker, session: "s".to_owned() }, Time(1));
        slowest = slowest.max(step.elapsed());
        given.extend(assigned(&actions));
    }
    println!(
        "{} jobs given as {WORKERS} workers appear  {:>9.1?} in all, {slowest:.1?} at most",
        given.len(),
        began.elapsed()
    );

    let mut times = Vec::new();
    let mut next = 0;
    while next < given.len() && times.len() < 5_000 {
        let job = given[next];
        next += 1;
        let step = Instant::now();
        let actions = lab.step(Event::JobFinished { job, verdict: Verdict::Complete, fault: None }, Time(2));
        times.push(step.elapsed());
        given.extend(assigned(&actions));
    }
    let spent: Duration = times.iter().sum();
    println!("throughput                   {:>9.0} jobs a second", times.len() as f64 / spent.as_secs_f64());
    report("a job ends, the next begins", times);

    let mut ticks = Vec::new();
    for second in 0..100 {
        let step = Instant::now();
        lab.step(Event::Tick, Time(1_000 + second * 100));
        ticks.push(step.elapsed());
    }
    report("tick, everything busy", ticks);

    let snapshot = lab.record();
    let everybody = Instant::now();
    let mut lab = Lab::restore(Policy::default(), snapshot, Time(20_000));
    println!("restore after a restart      {:>9.1?}", everybody.elapsed());
    for number in 0..WORKERS {
        let worker = WorkerName(format!("worker-{number}"));
        lab.step(Event::WorkerHello { worker, session: "t".to_owned() }, Time(20_000));
    }
    let waiting = lab.jobs().filter(|job| job.given.is_none()).count();
    let why = Instant::now();
    let id = lab.jobs().filter(|job| job.given.is_none()).last().map(pumice_sched::Job::id);
    let answer = id.and_then(|id| lab.why(id));
    println!(
        "why ({waiting} waiting)           {:>9.1?}, {} ahead",
        why.elapsed(),
        answer.map_or(0, |why| why.ahead)
    );
    println!("peak memory                  {:>9}", peak_memory().unwrap_or_default());
}

/// As the kernel tells it (`proc_pid_status(5)`).
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().to_owned())
}

fn assigned(actions: &[Action]) -> Vec<JobRef> {
    let job = |action: &Action| match action {
        Action::Assign { job, fence, .. } => Some(JobRef { job: *job, fence: *fence }),
        _ => None,
    };
    actions.iter().filter_map(job).collect()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| {
        times
            .get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what:<28} {:>9.1?} median, {:.1?} p99, {:.1?} at most ({} times)",
        at(50),
        at(99),
        at(100),
        times.len()
    );
}
