//! The measurements behind the promises in `SPECIFICATION.md`.

mod by_hand;
mod check;
mod figures;
mod job;
mod lab;
mod usage;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    program::{self, command},
    workspace::{root, target},
};

/// One measurement.
struct Benchmark {
    name: &'static str,
    /// What it measures, and against what.
    measures: &'static str,
    run: fn() -> Result<()>,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "console",
        measures: "console lines in a second of CPU time, on a stream of 1,000,000 lines",
        run: console,
    },
    Benchmark {
        name: "deploy",
        measures: "the second deploy of an image of 1 GiB against the first",
        run: deploy,
    },
    Benchmark {
        name: "job",
        measures: "a job of five cases against the same image booted by hand: time, our own CPU time and memory",
        run: job::run,
    },
    Benchmark {
        name: "lab",
        measures: "an idle lab's memory, submission to running, tiny jobs a minute and what each costs, cancel to nothing left",
        run: lab::run,
    },
    Benchmark {
        name: "lab-faults",
        measures: "200 links cut and processes killed in a lab on each database, after which every job has one verdict",
        run: lab_faults,
    },
    Benchmark {
        name: "large-log",
        measures: "the server's memory with a log of 1 GiB and 200 slow readers",
        run: large_log,
    },
    Benchmark {
        name: "queue",
        measures: "decisions, memory and throughput with 10,000 queued jobs on 1,000 devices",
        run: queue,
    },
    Benchmark {
        name: "seeds",
        measures: "100,000 simulated labs with faults, none of which may lose or double a job",
        run: seeds,
    },
    Benchmark { name: "check", measures: "CPU time of checking a job of 2,000 lines", run: check::run },
];

/// Runs the named measurements, or all; `--list` says which there are.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if names == ["--list"] {
        for benchmark in BENCHMARKS {
            println!("{:24} {}", benchmark.name, benchmark.measures);
        }
        return Ok(());
    }
    let known: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(*name)) {
        bail!("no benchmark is called {unknown}; there are: {}", known.join(", "));
    }
    BENCHMARKS
        .iter()
        .filter(|benchmark| names.is_empty() || names.contains(&benchmark.name))
        .try_for_each(|benchmark| (benchmark.run)())
}

fn console() -> Result<()> {
    example("pumice-console", "console_rate")
}

fn deploy() -> Result<()> {
    example("pumice-store", "second_deploy")
}

/// The suite's test with more faults. `PUMICE_FAULTS` and `PUMICE_FAULT_SEED` choose others; the seed is printed.
fn lab_faults() -> Result<()> {
    ["whatever_is_cut_or_killed", "on_postgresql"].iter().try_for_each(|database| {
        let name = format!("machines::faults::every_job_has_one_verdict_{database}");
        let words = ["test", "--locked", "--package", "e2e", "--test", "it", "--", "--exact", "--nocapture"];
        let mut test = command("cargo", words);
        if std::env::var_os("PUMICE_FAULTS").is_none() {
            test.env("PUMICE_FAULTS", "200");
        }
        program::run(test.arg(name))
    })
}

/// The suite's test with a longer log.
fn large_log() -> Result<()> {
    let name = "large::a_long_log_and_slow_readers_cost_little_memory";
    let words = ["test", "--release", "--locked", "--package", "pumice-server", "--test", "it", "--"];
    let mut test = command("cargo", words);
    program::run(test.args(["--exact", "--nocapture", name]).env("PUMICE_LOG_MIB", "1024"))
}

fn queue() -> Result<()> {
    example("pumice-sched", "decide")
}

fn seeds() -> Result<()> {
    example("pumice-sched", "simulate")
}

/// Builds our program as it is released, and says where it is.
fn program() -> Result<PathBuf> {
    program::run(&mut command("cargo", ["build", "--release", "--locked", "--package", "pumice"]))?;
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(target, |path| root().join(path));
    Ok(directory.join("release/pumice"))
}

/// Runs an example that prints its own figures.
fn example(package: &str, name: &str) -> Result<()> {
    let arguments = ["run", "--release", "--locked", "--package", package, "--example", name];
    program::run(&mut command("cargo", arguments))
}
