//! Seats of licences: counted on this host, shared by every run on it.
//!
//! A licence server refuses the run that comes too late, and the tool then gives up (fastmodels 5.1); so runs are
//! counted here and wait. A seat is the exclusive `flock(2)` of a file, `STATE/seats/STOCK/NUMBER`. The simulator's
//! process is given the same descriptor: the seat is taken as long as either lives, and the kernel gives it back
//! whichever way both end. Nothing has to be cleaned up after a crash.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pumice_types::{Cause, Failure};

use crate::cx::StepCx;

/// How often a run that waits looks for a free seat: nothing tells it when one is given back.
const POLL: Duration = Duration::from_millis(100);

/// A licence, as the operator describes it.
#[derive(Clone, Default)]
pub struct LicenceStock {
    /// How many runs may hold one at once; `None` does not count.
    pub seats: Option<u32>,
    /// Variables for the simulator; secrets.
    pub environment: BTreeMap<String, String>,
}

/// All licences of the operator's.
#[derive(Clone, Default)]
pub struct Licences {
    directory: PathBuf,
    stocks: BTreeMap<String, LicenceStock>,
}

/// A seat that is held. Dropping it gives it back, once the processes that have it are gone too.
#[derive(Debug)]
pub(crate) struct Seat(File);

impl Seat {
    /// A descriptor for a process that shall hold the seat too.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }
}

impl Licences {
    /// The stocks, counted below the directory `state`.
    pub fn new(state: &Path, stocks: BTreeMap<String, LicenceStock>) -> Self {
        Self { directory: state.join("seats"), stocks }
    }

    /// The variables for a simulator that takes these licences.
    pub(crate) fn environment(&self, names: &[String]) -> BTreeMap<String, String> {
        let stocks = names.iter().filter_map(|name| self.stocks.get(name));
        stocks.flat_map(|stock| stock.environment.clone()).collect()
    }

    /// Takes a seat of each, waiting for those that are taken. A licence that the operator has not described is
    /// not counted.
    pub(crate) async fn take(&self, names: &[String], cx: &StepCx) -> Result<Vec<Seat>, Failure> {
        // In the order of the names, so that two runs that need two each cannot wait for each other.
        let mut names: Vec<_> = names.iter().collect();
        names.sort();
        names.dedup();
        let mut held = Vec::new();
        for name in names {
            if let Some(count) = self.stocks.get(name).and_then(|stock| stock.seats) {
                held.push(self.take_one(name, count, cx).await?);
            }
        }
        Ok(held)
    }

    async fn take_one(&self, name: &str, count: u32, cx: &StepCx) -> Result<Seat, Failure> {
        let began = Instant::now();
        let mut cancel = cx.cancel();
        loop {
            if let Some(seat) = self.try_take(name, count)? {
                if began.elapsed() > POLL {
                    let waited = began.elapsed().as_secs_f32();
                    cx.report()
                        .info(format!("a seat of the licence `{name}` is free after {waited:.1} seconds"));
                }
                return Ok(seat);
            }
            if began.elapsed() < POLL {
                cx.report()
                    .info(format!("waiting for a seat of the licence `{name}`: all {count} are taken"));
            }
            if cx.deadline().is_over(Instant::now()) {
                let failure = Failure::timed_out(
                    Cause::LicenceUnavailable,
                    cx.deadline().owner(),
                    cx.deadline().limit(),
                    &format!("a seat of the licence `{name}`: all {count} are taken"),
                );
                return Err(failure.hint("give the job more time, or the host more seats"));
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                reason = cancel.requested() => return Err(reason),
            }
        }
    }

    fn try_take(&self, name: &str, count: u32) -> Result<Option<Seat>, Failure> {
        // A name may hold anything; a file's may not.
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let directory = self.directory.join(name.chars().map(plain).collect::<String>());
        let cannot = |path: &Path, error: &io::Error| {
            Failure::new(Cause::HostRefused, format!("cannot count seats in `{}`: {error}", path.display()))
        };
        fs::create_dir_all(&directory).map_err(|error| cannot(&directory, &error))?;
        for number in 1..=count {
            let path = directory.join(number.to_string());
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|error| cannot(&path, &error))?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(Seat(file))),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(cannot(&path, &error)),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_taken_until_the_last_descriptor_is_closed() {
        let state = tempfile::tempdir().unwrap();
        let licences = Licences::new(state.path(), BTreeMap::new());
        let take = || licences.try_take("a/b", 2).unwrap();
        let first = take().unwrap();
        let shared = first.share().unwrap();
        let _second = take().unwrap();
        assert!(take().is_none());
        drop(first);
        assert!(take().is_none(), "the process that shares it lives");
        drop(shared);
        assert!(take().is_some());
    }
}
