//! What our own processes use, without the simulators they start.

use std::{
    fmt,
    path::Path,
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
    /// The most of that that was its own: no page of a file.
    pub(crate) own_peak_kib: u64,
    /// The same of its helpers together.
    pub(crate) helper_peak_kib: u64,
    /// CPU time of everything else that it started, above all the simulator, as last seen.
    pub(crate) others_cpu: Duration,
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
    let mut started_by_it: Vec<Started> = Vec::new();
    loop {
        let is_over = state(pid)? == 'Z';
        if is_over {
            usage.wall = started.elapsed();
        }
        each(started.elapsed());
        usage.cpu = cpu_time(pid).context("no CPU time of the program")?;
        if is_over {
            for one in &started_by_it {
                if one.is_helper {
                    usage.helper_cpu += one.cpu;
                    usage.helper_peak_kib += one.peak_kib;
                } else {
                    usage.others_cpu += one.cpu;
                }
            }
            return Ok(usage);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        usage.peak_kib = figure(&status, "VmHWM:").unwrap_or(usage.peak_kib);
        usage.own_peak_kib = usage.own_peak_kib.max(figure(&status, "RssAnon:").unwrap_or_default());
        for child in children(pid) {
            if !started_by_it.iter().any(|one| one.pid == child) {
                started_by_it.push(Started {
                    pid: child,
                    is_helper: false,
                    cpu: Duration::ZERO,
                    peak_kib: 0,
                });
            }
        }
        for one in &mut started_by_it {
            // Between `fork` and `exec` whatever it becomes is still the program itself: the last look counts.
            if let Ok(file) = fs::read_link(format!("/proc/{}/exe", one.pid)) {
                one.is_helper = file == program;
            }
            one.cpu = cpu_time(one.pid).unwrap_or(one.cpu);
            one.peak_kib = peak(one.pid).unwrap_or(one.peak_kib);
        }
        sleep(INTERVAL);
    }
}

/// A process that the program started.
struct Started {
    pid: u32,
    /// Whether it runs the same program.
    is_helper: bool,
    cpu: Duration,
    peak_kib: u64,
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

/// What a process has in memory now.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit is part of each name")]
pub(crate) struct Memory {
    /// All that is resident, pages of files included.
    resident_kib: u64,
    /// Its own part of that: no file has it.
    own_kib: u64,
    /// The same as the first, where a page that `n` processes share counts as a page divided by `n`.
    pub(crate) proportional_kib: u64,
}

impl Memory {
    /// Of a process that runs (`proc_pid_smaps(5)`).
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let figure = |key| figure(&text, key).with_context(|| format!("no {key} in /proc/PID/smaps_rollup"));
        Ok(Self {
            resident_kib: figure("Rss:")?,
            own_kib: figure("Anonymous:")?,
            proportional_kib: figure("Pss:")?,
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB resident, {} KiB of that no page of a file", self.resident_kib, self.own_kib)
    }
}

/// The most that ever was resident of a process, in KiB.
fn peak(pid: u32) -> Option<u64> {
    figure(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")
}

/// The number behind `key` at the start of a line.
fn figure(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
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
