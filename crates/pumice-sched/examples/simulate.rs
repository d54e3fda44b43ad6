//! Explores many seeds of the simulation: `cargo run --release -p pumice-sched --example simulate -- [COUNT [FIRST]]`.
//! Prints every seed that breaks a promise and ends with 1 if there was one. `PUMICE_SIM_SEED=N` replays one.
#![expect(clippy::print_stdout, reason = "it is a program for people")]

#[path = "../simulation/mod.rs"]
mod simulation;

use std::{process::ExitCode, thread, time::Instant};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap_or(0));
    let (mut count, mut first) = (arguments.next().unwrap_or(100_000), arguments.next().unwrap_or(1_000));
    if let Some(seed) = std::env::var("PUMICE_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        (count, first) = (1, seed);
    }
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let began = Instant::now();
    let explore = |thread: u64| {
        let (mut jobs, mut steps, mut broken) = (0, 0, 0);
        for seed in (first + thread..first + count).step_by(usize::try_from(threads).unwrap_or(1)) {
            match simulation::simulate(seed) {
                Ok(report) => {
                    jobs += report.jobs;
                    steps += report.steps;
                }
                Err(promise) => {
                    broken += 1;
                    println!("seed {seed}: {promise}");
                }
            }
        }
        (jobs, steps, broken)
    };
    let sums: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || explore(thread))).collect();
        handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
    });
    let complete = sums.len() as u64 == threads;
    let (jobs, steps, broken) =
        sums.iter().fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
    let seconds = began.elapsed().as_secs_f64();
    println!("{count} seeds, {jobs} jobs, {steps} scheduler steps, {broken} broken promises, {seconds:.1} s");
    if complete && broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
