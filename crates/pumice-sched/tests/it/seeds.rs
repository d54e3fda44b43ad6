//! 1,000 labs under simulated time. `PUMICE_SIM_SEED=N` runs that one instead; `cargo run --release -p pumice-sched
//! --example simulate` runs many.

use crate::simulation;

/// What the caller wants instead of the usual seeds.
fn chosen_seed() -> Option<u64> {
    std::env::var("PUMICE_SIM_SEED").ok().map(|seed| seed.parse().expect("PUMICE_SIM_SEED is a number"))
}

#[track_caller]
fn check(seeds: std::ops::Range<u64>) {
    let seeds = chosen_seed().map_or(seeds, |seed| seed..seed + 1);
    let mut done = simulation::Report::default();
    for seed in seeds {
        match simulation::simulate(seed) {
            Ok(report) => {
                done.jobs += report.jobs;
                done.steps += report.steps;
            }
            Err(broken) => panic!("seed {seed}: {broken}\nreplay with PUMICE_SIM_SEED={seed}"),
        }
    }
    assert!(done.jobs > 0 && done.steps > 0, "nothing was simulated: {done:?}");
}

#[test]
fn promises_hold_in_labs_0_to_249() {
    check(0..250);
}

#[test]
fn promises_hold_in_labs_250_to_499() {
    check(250..500);
}

#[test]
fn promises_hold_in_labs_500_to_749() {
    check(500..750);
}

#[test]
fn promises_hold_in_labs_750_to_999() {
    check(750..1_000);
}
