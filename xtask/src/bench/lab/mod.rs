//! A whole lab: how soon a job runs, how many a minute, what they and an idle lab cost, how soon nothing is left.

mod http;
mod processes;
mod running;

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    figures::{Times, milliseconds, promised},
    program,
    usage::Memory,
};
use crate::workspace::target;
use running::{Lab, Simulator};

/// Instant devices.
const DEVICES: usize = 4;

/// Jobs of one measurement of throughput.
const JOBS: usize = 50;

/// How often throughput is measured; the median counts.
const ROUNDS: usize = 5;

/// Jobs submitted one by one to the idle lab, and jobs cancelled.
const SINGLE: usize = 100;

/// How long a lab is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(5);

/// All measurements of a lab.
pub(super) fn run() -> Result<()> {
    let program = program()?;
    let directory = target().join("bench/lab");
    idle(&program, &directory)?;
    processes::adopt_orphans()?;
    let lab = Lab::up(&program, &directory)?;
    lab.add_devices(DEVICES)?;
    lab.simulate(DEVICES, Simulator::Instant)?;
    let warm_up = lab.submit()?;
    let first = lab.wait_for_state(warm_up, "Finished")?;
    if first["health"] != "Complete" {
        bail!("the first job did not pass: {first:#}");
    }
    let mut finished = 1;
    soon(&lab, &mut finished)?;
    many(&lab, &mut finished)?;
    println!("lab: memory of `pumice up` after {finished} jobs: {}", Memory::of(lab.server.id())?);
    cancelled(&lab)
}

/// What an idle lab keeps in memory. Both processes map one program file, so that what they share counts once.
fn idle(program: &Path, directory: &Path) -> Result<()> {
    let lab = Lab::apart(program, directory)?;
    sleep(IDLE);
    let server = Memory::of(lab.server.id())?;
    let worker = Memory::of(lab.worker.as_ref().context("no worker")?.id())?;
    let together = server.proportional_kib + worker.proportional_kib;
    let figure = format!("{together} KiB together; server {server}; worker {worker}");
    promised("lab: memory of an idle server and worker", &figure, "at most 30 MiB", together <= 30 * 1024);
    Ok(())
}

/// From the submission to the run, by the server's own clock, on a lab that has nothing else to do.
fn soon(lab: &Lab, finished: &mut usize) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let job = lab.submit()?;
        let job = lab.wait_for_state(job, "Finished")?;
        let time = |key: &str| job[key].as_str().and_then(seconds_of_day).context("no time");
        times.push(time("start_time")?.saturating_sub(time("submit_time")?));
        *finished += 1;
    }
    let times: Times = times.into_iter().collect();
    let late = times.percentile(99);
    let figure = format!("99 % within {}, half within {}", milliseconds(late), milliseconds(times.median()));
    promised(
        "lab: from submission to running",
        &figure,
        "99 % within 100 ms",
        late <= Duration::from_millis(100),
    );
    Ok(())
}

/// Throughput, and what a job costs with the server's part.
fn many(lab: &Lab, finished: &mut usize) -> Result<()> {
    let (mut walls, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let spent = processes::spent(lab.server.id())?;
        let began = Instant::now();
        for _ in 0..JOBS {
            lab.submit()?;
        }
        *finished += JOBS;
        lab.wait_for_finished(*finished)?;
        walls.push(began.elapsed());
        let more = processes::spent(lab.server.id())?.saturating_sub(spent);
        costs.push(more / u32::try_from(JOBS)?);
    }
    let (wall, cost) = (walls.into_iter().collect::<Times>().median(), costs.into_iter().collect::<Times>());
    let rate = 60.0 * f64::from(u32::try_from(JOBS)?) / wall.as_secs_f64();
    let what = format!("lab: {JOBS} tiny jobs on {DEVICES} instant devices");
    promised(&what, &format!("{rate:.0} jobs a minute"), "at least 2,000", rate >= 2000.0);
    let figure = format!("{cost}, simulators included");
    promised(
        "lab: CPU time of a tiny job",
        &figure,
        "at most 60 ms",
        cost.median() <= Duration::from_millis(60),
    );
    Ok(())
}

/// From the wish to cancel until no process of the job is left and the server says so.
fn cancelled(lab: &Lab) -> Result<()> {
    lab.simulate(DEVICES, Simulator::Endless)?;
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let job = lab.submit()?;
        lab.wait_for_state(job, "Running")?;
        processes::wait_for(Simulator::MARK, true)?;
        let began = Instant::now();
        lab.api.get(&format!("jobs/{job}/cancel/"))?;
        processes::wait_for(Simulator::MARK, false)?;
        lab.wait_for_state(job, "Finished")?;
        times.push(began.elapsed());
    }
    let times: Times = times.into_iter().collect();
    let late = times.percentile(99);
    let figure = format!("99 % within {}, half within {}", milliseconds(late), milliseconds(times.median()));
    promised(
        "lab: from a cancel to nothing left",
        &figure,
        "99 % within 1 s",
        late <= Duration::from_secs(1),
    );
    Ok(())
}

/// The time of day in `2026-11-22T10:00:00.123456Z`.
fn seconds_of_day(text: &str) -> Option<Duration> {
    let clock = text.split_once('T')?.1.trim_end_matches('Z');
    let mut parts = clock.splitn(3, ':');
    let mut next = || parts.next()?.parse::<f64>().ok();
    Some(Duration::from_secs_f64(next()? * 3600.0 + next()? * 60.0 + next()?))
}
