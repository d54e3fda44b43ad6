//! What a guest has cost the host: read from `/proc` (proc(5)).

use std::time::Duration;

/// Host time and memory of a guest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Host time of each core's thread.
    pub(crate) cores: Vec<Duration>,
    /// The most memory it had at once.
    pub(crate) memory_bytes: u64,
}

impl Usage {
    /// Of a process, whose cores are these threads.
    pub(super) fn of(process: u32, threads: &[u64]) -> Self {
        let (user, system) = times(&format!("/proc/{process}/stat"));
        let cores = threads.iter().map(|thread| {
            let (user, system) = times(&format!("/proc/{process}/task/{thread}/stat"));
            user + system
        });
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let highest = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kibibytes: u64 = highest.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { user, system, cores: cores.collect(), memory_bytes: kibibytes << 10 }
    }

    /// Of this process itself.
    pub(crate) fn of_self() -> Self {
        Self::of(std::process::id(), &[])
    }

    /// Processor time in all.
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// User and system time of a `stat` file; fields 14 and 15, in clock ticks.
fn times(path: &str) -> (Duration, Duration) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_whitespace().skip(11).map(|field| field.parse::<u64>().unwrap_or(0));
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let mut next = || Duration::from_millis(fields.next().unwrap_or(0) * 1000 / per_second);
    (next(), next())
}

/// Processor time of another process, for `--cpulimit`.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let (user, system) = times(&format!("/proc/{process}/stat"));
    user + system
}
