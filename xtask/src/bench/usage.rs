//! What one process used, without what it started.

use std::{
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

/// What a process used itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// In user and system mode, of all its threads; in steps of a clock tick.
    pub(crate) cpu: Duration,
    /// The most memory it had resident, as last seen before its end.
    pub(crate) peak_kib: u64,
}

/// The clock ticks of a second in `/proc/PID/stat` (`proc_pid_stat(5)`; 100 on every architecture of Linux we run on).
const TICKS_PER_SECOND: u64 = 100;

/// How often the memory is looked at, and the end noticed.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits for the end of `child` and says what it used. Its figures are read while it is a zombie, so that nothing
/// of it is missed and nothing of its children is counted.
pub(crate) fn watch(child: &mut Child, started: Instant) -> Result<Usage> {
    let pid = child.id();
    let mut usage = Usage::default();
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(") ").context("no name in /proc/PID/stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        if fields.first() == Some(&"Z") {
            usage.wall = started.elapsed();
            // Fields 14 and 15, counted from 1; the first two are cut off.
            let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
            usage.cpu = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
            return Ok(usage);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(number) = peak.and_then(|text| text.split_whitespace().next()) {
            usage.peak_kib = number.parse()?;
        }
        sleep(INTERVAL);
    }
}
