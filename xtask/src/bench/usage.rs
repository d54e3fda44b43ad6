//! What our own processes use, without the simulators they start.

use std::{
    path::{Path, PathBuf},
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

/// What a program of ours used, with the processes of the same program that it started (its watcher) and without any
/// other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// In user and system mode, of all its threads.
    pub(crate) cpu: Duration,
    /// The same of its helpers, as last seen before their end.
    pub(crate) helper_cpu: Duration,
    /// The most memory it had resident, as last seen before its end; pages of its program file count.
    pub(crate) peak_kib: u64,
    /// The same of its helpers together.
    pub(crate) helper_peak_kib: u64,
}

/// How often a program is looked at, and its end noticed.
const INTERVAL: Duration = Duration::from_millis(2);

/// Waits for the end of `child`, which runs `program`, and says what it used. Its figures are read while it is a
/// zombie, so that nothing of it is missed. `each` is called at every look with the time since the start.
pub(crate) fn watch(
    child: &mut Child,
    program: &Path,
    started: Instant,
    mut each: impl FnMut(Duration),
) -> Result<Usage> {
    let pid = child.id();
    let program = program.canonicalize()?;
    let mut usage = Usage::default();
    let mut helpers: Vec<(u32, Duration, u64)> = Vec::new();
    loop {
        let is_over = state(pid)? == 'Z';
        if is_over {
            usage.wall = started.elapsed();
        }
        each(started.elapsed());
        usage.cpu = cpu_time(pid).context("no CPU time of the program")?;
        if is_over {
            usage.helper_cpu = helpers.iter().map(|helper| helper.1).sum();
            usage.helper_peak_kib = helpers.iter().map(|helper| helper.2).sum();
            return Ok(usage);
        }
        usage.peak_kib = memory(pid, "VmHWM:").unwrap_or(usage.peak_kib);
        for helper in children(pid) {
            let is_known = helpers.iter().any(|(known, ..)| *known == helper);
            if !is_known
                && fs::read_link(format!("/proc/{helper}/exe")).is_ok_and(|exe: PathBuf| exe == program)
            {
                helpers.push((helper, Duration::ZERO, 0));
            }
        }
        for (helper, cpu, peak) in &mut helpers {
            *cpu = cpu_time(*helper).unwrap_or(*cpu);
            *peak = memory(*helper, "VmHWM:").unwrap_or(*peak);
        }
        sleep(INTERVAL);
    }
}

/// The third field of `/proc/PID/stat` (`proc_pid_stat(5)`).
fn state(pid: u32) -> Result<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name in /proc/PID/stat")?;
    fields.chars().next().context("no state in /proc/PID/stat")
}

/// The processes that `pid` started and that it has not waited for.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A figure of `/proc/PID/status` in KiB: `VmRSS:` is what is resident, `VmHWM:` the most that ever was.
pub(crate) fn memory(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The CPU time of a process and all its threads, also of those that ended; nothing of its children. To the nanosecond,
/// where `/proc/PID/stat` counts clock ticks of 10 ms. It can be asked of a zombie.
#[expect(unsafe_code, reason = "no safe crate asks for the clock of another process")]
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls only write to the variable they are given a pointer to, which lives as long as the call.
    let done = unsafe {
        libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    done.then(|| Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
}
