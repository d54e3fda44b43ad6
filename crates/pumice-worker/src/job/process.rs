//! The keeper of a job, as a process that may have been started by an agent that is no more.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::Child,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Directory, KeeperRecord};
use crate::clock::boot_id;

/// A keeper that runs, or has just ended.
#[derive(Debug)]
pub(crate) struct Keeper {
    pidfd: OwnedFd,
    /// Ours to collect, when we started it.
    child: Option<Child>,
}

impl Keeper {
    /// The keeper that was just started.
    pub(crate) fn started(child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pidfd: pidfd_open(pid, PidfdFlags::empty())?, child: Some(child) })
    }

    /// The keeper that an earlier agent started; `None` when it is not there any more.
    pub(crate) fn adopt(directory: &Directory) -> Option<Self> {
        let record = directory.keeper()?;
        if record.boot_id != boot_id() {
            return None;
        }
        let pidfd = pidfd_open(Pid::from_raw(record.pid)?, PidfdFlags::empty()).ok()?;
        // Opened first and compared then: what we hold is what we looked at.
        (start_ticks(record.pid) == Some(record.start_ticks)).then_some(Self { pidfd, child: None })
    }

    /// Asks it to cancel the job.
    pub(crate) fn cancel(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to kill the job at once.
    pub(crate) fn kill_job(&self) {
        self.signal(Signal::QUIT);
    }

    /// Kills it; its watcher kills the job.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // It fails only when the keeper is gone, which is what we wait for anyway.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Collects it once it has ended.
    pub(crate) fn collect(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.wait());
        }
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl KeeperRecord {
    /// This very process.
    pub(crate) fn myself() -> Option<Self> {
        let pid = i32::try_from(std::process::id()).ok()?;
        Some(Self { pid, start_ticks: start_ticks(pid)?, boot_id: boot_id() })
    }
}

/// When a process started, in clock ticks since the boot: field 22 of `proc_pid_stat(5)`. The name before it stands in
/// parentheses and may hold anything, so fields are counted from the last one.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}
