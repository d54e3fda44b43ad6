//! Processes that a lab starts: what they cost, and whether one is left.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

/// How often processes are looked for.
const INTERVAL: Duration = Duration::from_millis(2);

/// Longer than any simulator of ours takes to come or go.
const PATIENCE: Duration = Duration::from_secs(60);

/// From now on processes that lose their parent are our children, so that what they cost is counted when they end.
pub(super) fn adopt_orphans() -> Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// CPU time of the lab's process and of all processes of its jobs that have ended, also of those that we adopted.
pub(super) fn spent(lab: u32) -> Result<Duration> {
    reap(lab);
    Ok(ticks(&lab.to_string(), 11..15)? + ticks("self", 13..15)?)
}

/// Ends of processes that we adopted.
fn reap(but: u32) {
    let own = std::process::id();
    let text = fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap_or_default();
    let children = text.split_whitespace().filter_map(|word| word.parse::<i32>().ok());
    for child in children.filter(|child| child.cast_unsigned() != but) {
        if let Some(pid) = rustix::process::Pid::from_raw(child) {
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

/// Fields of `/proc/PID/stat` behind the name, counted from 0, in ticks of 10 ms: 11 to 14 are the process's user and
/// system time, then those of its children that it waited for (`proc_pid_stat(5)`).
fn ticks(pid: &str, fields: std::ops::Range<usize>) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("no name in /proc/PID/stat")?;
    let numbers: Vec<u64> = rest.split(' ').map(|word| word.parse().unwrap_or_default()).collect();
    let sum: u64 = numbers.get(fields).context("too few fields")?.iter().sum();
    Ok(Duration::from_millis(sum * 10))
}

/// Waits until a process with that word in its arguments is there, or none is.
pub(super) fn wait_for(word: &str, is_there: bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while is_running(word)? != is_there {
        if Instant::now() > end {
            bail!("no process called {word} {} in time", if is_there { "came" } else { "went" });
        }
        sleep(INTERVAL);
    }
    Ok(())
}

fn is_running(word: &str) -> Result<bool> {
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
        if arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}
