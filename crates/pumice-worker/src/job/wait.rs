//! What a job's thread waits for: the keeper's end, something new in the output, the agent's bell.

use std::{os::fd::OwnedFd, path::Path, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify,
};

use super::{Directory, Keeper};
use crate::signal::{Bell, timespec};

/// What ended a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Woken {
    /// The keeper has ended.
    pub(crate) ended: bool,
    /// Something was written.
    pub(crate) written: bool,
    /// The bell rang.
    pub(crate) rang: bool,
}

/// Waits on behalf of one job.
#[derive(Debug)]
pub(crate) struct Wait {
    writes: Option<OwnedFd>,
}

impl Wait {
    /// Looks at the job's output directory.
    pub(crate) fn new(directory: &Directory) -> Self {
        Self::on(&directory.output())
    }

    /// Looks at a directory. Where the host has no watches left, it is looked at now and then.
    pub(crate) fn on(directory: &Path) -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let writes = inotify::init(flags).ok().filter(|watch| {
            let what =
                inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
            inotify::add_watch(watch, directory, what).is_ok()
        });
        Self { writes }
    }

    /// Waits for the end of `keeper`, a write, or the bell, but not longer than `limit`.
    pub(crate) fn until(&self, keeper: Option<&Keeper>, bell: &Bell, writes: bool, limit: Duration) -> Woken {
        let limit =
            if writes && self.writes.is_none() { limit.min(Duration::from_millis(200)) } else { limit };
        let mut fds = vec![PollFd::new(bell, PollFlags::IN)];
        let keeper_at = keeper.map(|keeper| {
            fds.push(PollFd::new(keeper, PollFlags::IN));
            fds.len() - 1
        });
        let writes_at = self.writes.as_ref().filter(|_| writes).map(|watch| {
            fds.push(PollFd::new(watch, PollFlags::IN));
            fds.len() - 1
        });
        // A signal that interrupts the wait only makes it shorter.
        let _ = poll(&mut fds, Some(&timespec(limit)));
        let came = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
        let woken = Woken {
            ended: came(keeper_at),
            written: came(writes_at) || writes && self.writes.is_none(),
            rang: came(Some(0)),
        };
        drop(fds);
        if woken.rang {
            bell.quiet();
        }
        if woken.written {
            self.forget_writes();
        }
        woken
    }

    /// Lets more lines come, for `time`. Who rings meanwhile ends that, and is heard by the next wait.
    pub(crate) fn gather(&self, keeper: &Keeper, bell: &Bell, time: Duration) {
        if self.until(Some(keeper), bell, false, time).rang {
            bell.ring();
        }
    }

    fn forget_writes(&self) {
        let Some(watch) = &self.writes else { return };
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(watch, &mut buffer).is_ok_and(|count| count > 0) {}
    }
}
