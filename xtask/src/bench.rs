//! The measurements behind the promises in `SPECIFICATION.md`.

use anyhow::{Result, bail};

/// One measurement.
struct Benchmark {
    name: &'static str,
    /// What it measures, and against what.
    measures: &'static str,
    run: fn() -> Result<()>,
}

const BENCHMARKS: &[Benchmark] = &[];

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
