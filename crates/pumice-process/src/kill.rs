//! Killing everything that belongs together, until nothing of it is left.
//!
//! A child's tree is what is in its cgroup. Without one it is what is in its session, what became our child and
//! carries its mark in the environment, and the descendants of these. One round finds and kills; rounds are repeated until one finds nothing,
//! because a process may fork while the others are killed.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pumice_types::{Blame, Cause, Evidence};
use rustix::process::{Pid, Signal, WaitIdOptions};

use crate::{cgroup::Cgroup, procfs::Process};

/// Processes that could not be killed in time: as a rule they wait in the kernel for a device.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} could not be killed: {}", count(.processes.len()), list(.processes))]
pub struct LeftBehind {
    /// Those that are still there.
    pub processes: Vec<Process>,
}

fn count(processes: usize) -> String {
    if processes == 1 { "1 process".into() } else { format!("{processes} processes") }
}

fn list(processes: &[Process]) -> String {
    processes.iter().map(Process::to_string).collect::<Vec<_>>().join(", ")
}

impl Blame for LeftBehind {
    fn root_cause(&self) -> Cause {
        Cause::HostRefused
    }

    fn hint(&self) -> Option<String> {
        Some("look at the state: `D` waits for a device or a file server, `Z` for its parent".into())
    }

    fn evidence(&self) -> Option<Evidence> {
        None
    }
}

/// The children this program started itself and has not collected yet, and the watchers. What the kernel
/// makes our child beside these was orphaned below us (`PR_SET_CHILD_SUBREAPER`).
static DIRECT: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

pub(crate) fn register(pid: i32) {
    DIRECT.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
}

pub(crate) fn unregister(pid: i32) {
    DIRECT.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
}

/// How long to wait between two rounds: short at first, as a kill takes a millisecond.
pub(crate) struct Pauses(u64);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(1)
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(self.0);
        self.0 = (self.0 * 2).min(32);
        pause
    }
}

/// What belongs together.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    /// Its cgroup, where there is one.
    pub(crate) cgroup: Option<&'a Cgroup>,
    /// Its sessions. Each must be known to be ours still.
    pub(crate) sessions: Vec<i32>,
    /// What marks its processes.
    pub(crate) mark: &'a str,
    /// Where else to look.
    pub(crate) search: Search,
}

/// Where to look for what belongs to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// Nowhere but in its cgroup, which nothing leaves without privilege.
    Cgroup,
    /// In its sessions, among the descendants, and for the mark among what became our children.
    Descendants,
    /// In every process of the host for the mark too: parents may be gone, or not be us.
    Everywhere,
    /// The same, and what became our child belongs to it without any mark.
    EverywhereAndAdopted,
}

impl Tree<'_> {
    /// Finds, kills, and collects what we adopted. Returns what was found alive; `None` when nothing was, and
    /// nothing is on its way out of the cgroup.
    pub(crate) fn strike(&self) -> Option<Vec<Process>> {
        let found = self.find();
        if found.is_empty() && !self.cgroup.is_some_and(Cgroup::is_populated) {
            return None;
        }
        if let Some(cgroup) = self.cgroup {
            // Where this fails (before Linux 5.14, or because it is gone), what follows does the same.
            drop(cgroup.kill());
        }
        for process in &found {
            // It may have ended by itself since.
            drop(process.signal(Signal::KILL));
        }
        Some(found)
    }

    /// What of it is alive. Collects adopted processes that have ended.
    pub(crate) fn find(&self) -> Vec<Process> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let contained: BTreeSet<i32> =
            self.cgroup.map(|cgroup| cgroup.processes().into_iter().collect()).unwrap_or_default();
        let adopted = adopted();
        let others = match self.search {
            Search::Cgroup => contained.iter().filter_map(|&pid| Process::read(pid)).collect(),
            _ => Process::all(),
        };
        let belongs = |process: &Process| {
            contained.contains(&process.pid)
                || self.sessions.contains(&process.session)
                || match self.search {
                    Search::Cgroup => false,
                    Search::Descendants => adopted.contains(&process.pid) && process.is_marked(self.mark),
                    Search::Everywhere => process.is_marked(self.mark),
                    Search::EverywhereAndAdopted => {
                        adopted.contains(&process.pid) || process.is_marked(self.mark)
                    }
                }
        };
        let alive = others.into_iter().filter(|process| !process.is_zombie() && process.pid != own);
        let (mut found, others): (Vec<_>, Vec<_>) = alive.partition(belongs);
        let mut members = found.iter().map(|process| process.pid).collect();
        add_descendants(&mut found, &mut members, others);
        found
    }
}

/// The processes that became our children because they were orphaned below us. Those that have ended are
/// collected and left out.
fn adopted() -> BTreeSet<i32> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    // Not `getsid(2)`: in a PID namespace the leader of our session may be outside, and its id is then 0, which
    // rustix takes for impossible. `/proc` says 0 of what shares that session too.
    let own_session = Process::read(own).map_or(0, |process| process.session);
    let direct = DIRECT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut adopted = BTreeSet::new();
    for process in Process::children() {
        // What shares our session was started by another part of this program, in its own way.
        if process.session == own_session || direct.contains(&process.pid) {
            continue;
        }
        if process.is_zombie() {
            collect(process.pid);
        } else {
            adopted.insert(process.pid);
        }
    }
    adopted
}

/// Moves from `others` to `found` whatever descends from a member.
fn add_descendants(found: &mut Vec<Process>, members: &mut BTreeSet<i32>, mut others: Vec<Process>) {
    loop {
        let before = found.len();
        others = others
            .into_iter()
            .filter_map(|process| {
                if members.contains(&process.parent) {
                    members.insert(process.pid);
                    found.push(process);
                    None
                } else {
                    Some(process)
                }
            })
            .collect();
        if found.len() == before {
            return;
        }
    }
}

/// Lets the kernel forget an ended process that we adopted.
fn collect(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        // Somebody else may have been faster.
        let _ = rustix::process::waitid(rustix::process::WaitId::Pid(pid), options);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, name: "x".into(), state: 'S', parent, group: pid, session: pid, start_ticks: 1 }
    }

    #[test]
    fn descendants_are_found_however_deep_and_in_any_order() {
        let mut found = vec![process(10, 1)];
        let mut members = BTreeSet::from([10]);
        let others = vec![process(13, 12), process(12, 11), process(20, 1), process(11, 10)];
        add_descendants(&mut found, &mut members, others);
        assert_eq!(members, BTreeSet::from([10, 11, 12, 13]));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn the_message_names_what_is_left() {
        let left = LeftBehind { processes: vec![process(7, 1)] };
        assert_eq!(left.to_string(), "1 process could not be killed: 7 (x, state S)");
    }
}
