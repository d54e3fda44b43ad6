//! Removing what dead runs have left.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{fs::FlockOperation, io::Errno};

use crate::{
    cgroup::Cgroup,
    kill::{Pauses, Search, Tree},
    ledger::{self, Header, Thing, VERSION, append_gone, identity, lock_state},
    procfs::{Process, boot_id},
};

/// How long to go on killing what a dead run left.
const PATIENCE: Duration = Duration::from_secs(5);

/// Removes the things this crate does not know how to remove: network interfaces, namespaces, seats.
pub trait Reclaim {
    /// Removes a [`Thing::Tap`], [`Thing::NetworkNamespace`] or [`Thing::Seat`]. `Ok(true)` when it is gone,
    /// also when it was before; `Ok(false)` to leave it for somebody who can.
    fn reclaim(&mut self, thing: &Thing) -> io::Result<bool>;
}

/// Leaves all such things in the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

impl Reclaim for Keep {
    fn reclaim(&mut self, _: &Thing) -> io::Result<bool> {
        Ok(false)
    }
}

/// What was done about one dead run.
#[derive(Debug, Default)]
pub struct Reclaimed {
    /// The run's token.
    pub run: String,
    /// The processes that were killed.
    pub killed: Vec<Process>,
    /// The things that were removed, processes aside.
    pub removed: Vec<Thing>,
    /// What is still there, with the reason. Its ledger is kept.
    pub left: Vec<(Thing, String)>,
}

/// What was found at a start.
#[derive(Debug, Default)]
pub struct Report {
    /// The runs that are alive.
    pub live: usize,
    /// The runs that were dead.
    pub reclaimed: Vec<Reclaimed>,
    /// The ledgers that could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Looks at every ledger in `state` and removes what the dead runs among them have left: processes, cgroups,
/// directories and files here, the rest through `reclaim`. Runs that are alive are not touched, and two
/// programs may do this at once. Errors only when `state` itself cannot be read; a state that does not exist
/// has nothing in it.
pub fn reconcile(state: &Path, reclaim: &mut dyn Reclaim) -> io::Result<Report> {
    let mut report = Report::default();
    for (path, file) in dead_ledgers(state, &mut report)? {
        match reclaim_locked(&path, file, reclaim) {
            Ok(reclaimed) => report.reclaimed.push(reclaimed),
            Err(error) => report.unreadable.push((path, error.to_string())),
        }
    }
    Ok(report)
}

/// Opens and locks every ledger whose run is dead.
fn dead_ledgers(state: &Path, report: &mut Report) -> io::Result<Vec<(PathBuf, File)>> {
    let entries = match fs::read_dir(state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let _lock = lock_state(state)?;
    let mut dead = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "ledger") {
            continue;
        }
        match open(&path).and_then(|file| Ok((lock_if_free(&file)?, file))) {
            Ok((true, file)) => dead.push((path, file)),
            Ok((false, _)) => report.live += 1,
            // Its run ended well in this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => report.unreadable.push((path, error.to_string())),
        }
    }
    Ok(dead)
}

fn lock_if_free(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a ledger for [`reclaim_locked`].
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).append(true).open(path)
}

/// Waits until the run of an open ledger is dead or has let go of it, then removes what is left. The file may
/// have been removed meanwhile: when the run ended well, or somebody else was faster, it also says so.
pub(crate) fn reclaim_when_dead(path: &Path, file: File, reclaim: &mut dyn Reclaim) -> io::Result<()> {
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    reclaim_locked(path, file, reclaim).map(drop)
}

/// Removes what one dead run has left, and its ledger when nothing remains.
fn reclaim_locked(path: &Path, mut file: File, reclaim: &mut dyn Reclaim) -> io::Result<Reclaimed> {
    let Some((header, things)) = ledger::read(&file)? else {
        // Nothing was made before the header was written.
        remove_ledger(path)?;
        return Ok(Reclaimed::default());
    };
    if header.version != VERSION {
        let message = format!("its format is version {}, ours is {VERSION}", header.version);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut reclaimed = Reclaimed { run: header.run.clone(), ..Reclaimed::default() };
    if things.is_empty() && !path.exists() {
        // The run ended well.
        return Ok(reclaimed);
    }
    let remaining = kill_processes(&header, &things, &mut reclaimed);
    // The last first: a directory after what was made in it.
    for thing in things.iter().rev() {
        match remove(thing, &remaining, reclaim) {
            Ok(true) => {
                append_gone(&mut file, thing)?;
                if !matches!(thing, Thing::Session { .. }) {
                    reclaimed.removed.push(thing.clone());
                }
            }
            Ok(false) => reclaimed.left.push((thing.clone(), "left for somebody who may remove it".into())),
            Err(error) => reclaimed.left.push((thing.clone(), error.to_string())),
        }
    }
    if reclaimed.left.is_empty() {
        remove_ledger(path)?;
    }
    Ok(reclaimed)
}

fn remove_ledger(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Kills the run's processes until none is found. Returns those that would not die.
fn kill_processes(header: &Header, things: &[Thing], reclaimed: &mut Reclaimed) -> Vec<Process> {
    if boot_id().ok().as_ref() != Some(&header.boot) {
        // The host was started anew: every process of that run is gone and the numbers mean others.
        return Vec::new();
    }
    let cgroups: Vec<Cgroup> = things
        .iter()
        .filter_map(|thing| match thing {
            Thing::Cgroup { path } => Some(Cgroup::existing(path.clone())),
            _ => None,
        })
        .collect();
    let mut pauses = Pauses::new();
    let end = Instant::now() + PATIENCE;
    loop {
        let mut rounds = Vec::new();
        for cgroup in cgroups.iter().map(Some).chain([None]) {
            let sessions = if cgroup.is_none() { live_sessions(things) } else { Vec::new() };
            let tree = Tree { cgroup, sessions, mark: &header.run, search: Search::Everywhere };
            rounds.extend(tree.strike());
        }
        for process in rounds.iter().flatten() {
            if !reclaimed.killed.iter().any(|other| other.pid == process.pid) {
                reclaimed.killed.push(process.clone());
            }
        }
        if rounds.is_empty() || Instant::now() > end {
            return rounds.concat();
        }
        thread::sleep(pauses.next());
    }
}

/// The sessions whose leader is the very process the ledger names. When the leader is gone, its number may
/// have gone to another, and the session's members are found by their mark instead.
fn live_sessions(things: &[Thing]) -> Vec<i32> {
    let is_live = |pid: i32, start_ticks: u64| {
        Process::read(pid).is_some_and(|now| now.start_ticks == start_ticks && now.session == pid)
    };
    things
        .iter()
        .filter_map(|thing| match thing {
            Thing::Session { pid, start_ticks, .. } if is_live(*pid, *start_ticks) => Some(*pid),
            _ => None,
        })
        .collect()
}

fn remove(thing: &Thing, remaining: &[Process], reclaim: &mut dyn Reclaim) -> io::Result<bool> {
    match thing {
        Thing::Session { pid, .. } => match remaining.iter().find(|process| process.session == *pid) {
            Some(process) => Err(io::Error::other(format!("process {process} could not be killed"))),
            None => Ok(true),
        },
        Thing::Cgroup { path } => Cgroup::existing(path.clone()).remove().map(|()| true),
        Thing::Directory { path, identity } | Thing::File { path, identity } => {
            remove_path(path, *identity).map(|()| true)
        }
        Thing::Container { engine, name } => engine.remove(name).map(|()| true),
        Thing::Composition { compose, project, file } => {
            compose.remove_composition(project, file).map(|()| true)
        }
        Thing::Tap { .. } | Thing::NetworkNamespace { .. } | Thing::Seat { .. } => reclaim.reclaim(thing),
    }
}

/// Removes what is at `path` when it is the very file or directory that was made; links are not followed.
pub(crate) fn remove_path(path: &Path, made: Option<(u64, u64)>) -> io::Result<()> {
    let removed = match (fs::symlink_metadata(path), made) {
        (Ok(metadata), None) if metadata.is_dir() => {
            // What is in it was not put there by the run, which died before.
            let _ = fs::remove_dir(path);
            return Ok(());
        }
        (Ok(_), None) => return Ok(()),
        (Ok(_), Some(made)) if identity(path)? != made => return Ok(()),
        (Ok(metadata), Some(_)) if metadata.is_dir() => fs::remove_dir_all(path),
        (Ok(_), Some(_)) => fs::remove_file(path),
        (Err(error), _) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
