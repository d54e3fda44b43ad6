//! What checking a long job costs.

use std::{
    fmt::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use super::{
    figures::{Times, promised},
    program, usage,
};
use crate::{
    program::command,
    workspace::{root, target},
};

/// Lines of the job.
const LINES: usize = 2000;

/// How often it is checked; the median counts.
const ROUNDS: usize = 30;

/// Checks a job of so many lines with the whole program, from its start to its end.
pub(super) fn run() -> Result<()> {
    let program = program()?;
    let directory = target().join("bench");
    fs::create_dir_all(&directory)?;
    let job = directory.join("long.yaml");
    fs::write(&job, long_job(&fs::read_to_string(root().join("bench/five-cases.yaml"))?))?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let mut check = command(&program, ["check", "--device-type", "qemu"]);
        check.arg(&job).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = check.spawn().context("cannot start pumice")?;
        let usage = usage::watch(&mut child, &program, Instant::now(), |_| {})?;
        if !child.wait()?.success() {
            bail!("the job of the measurement is refused: {}", job.display());
        }
        times.push(usage.cpu);
    }
    let times: Times = times.into_iter().collect();
    let figure = format!("{times} of CPU time, the start of the program included");
    let is_kept = times.median() <= Duration::from_millis(10);
    promised(&format!("check: a job of {LINES} lines"), &figure, "at most 10 ms", is_kept);
    Ok(())
}

/// The job of the other measurement with test blocks added, until it is long enough.
fn long_job(short: &str) -> String {
    let mut text = short.trim_end().to_owned();
    text.push('\n');
    let mut lines = text.lines().count();
    let mut number = 0;
    while lines < LINES {
        number += 1;
        let block = format!(
            "\n- test:\n    timeout: {{minutes: 5}}\n    definitions:\n    - from: inline\n      name: more-{number}\n      \
             path: inline/more-{number}.yaml\n      parameters: {{LOOPS: '{number}', WHERE: /tmp/{number}}}\n      \
             repository:\n        metadata:\n          format: Lava-Test Test Definition 1.0\n          \
             name: more-{number}\n        run:\n          steps:\n          - lava-test-case a-{number} --shell true\n          \
             - lava-test-case b-{number} --result pass --measurement {number} --units s\n"
        );
        lines += block.lines().count();
        let _ = write!(text, "{block}");
    }
    text
}
