//! The clock that deadlines are kept on: it counts the host's sleep and never jumps (`clock_gettime(2)`,
//! `CLOCK_BOOTTIME`). It means something within one boot of the host, and the same in every process.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the host was booted.
pub(crate) fn boot_millis() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let millis = now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or(0)
}

/// What tells this boot of the host from every other (`random(4)`); empty where the kernel does not say.
pub(crate) fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}
