//! Child processes that leave nothing behind: groups, cgroups, limits, the ledger, the kill of a tree.
//!
//! A program that starts others starts one [`Guard`] first, then spawns every [`Command`] under it.
//!
//! ```text
//!  pumice ── pipe ──▶ watcher (own session, sees the pipe close when pumice dies, then reads the ledger)
//!    │
//!    ├─ ledger STATE/TOKEN.ledger      what was created, one line each; locked while pumice lives
//!    └─ child 1 (own session, own cgroup, PUMICE_RUN=TOKEN.1, killed when its parent dies)
//!         └─ whatever it starts
//! ```
//!
//! What ends what:
//!
//! * [`Child::kill_all`] ends one child with everything it started, also what daemonised, and verifies it.
//! * [`Guard::finish`] ends every child, removes what the ledger lists and closes the ledger.
//! * When pumice is killed, the kernel kills its direct children (`PR_SET_PDEATHSIG`), and the watcher the
//!   rest: by `cgroup.kill` where the host gives us cgroups, else by session, else by the mark
//!   [`MARK`] in the environment.
//! * A container is not below us: it is removed by name, through its engine's client ([`Thing::Container`]), by
//!   [`Guard::finish`], by the watcher or by [`reconcile`].
//! * When the watcher was killed too, [`reconcile`] does the same at the next start.
//!
//! What is not caught: on a host without cgroups, a process that daemonises *and* clears its environment,
//! when pumice and its watcher find it only after pumice's death.

mod cgroup;
mod child;
mod command;
mod container;
mod exit;
mod guard;
mod kill;
mod ledger;
mod lifeline;
mod output;
mod procfs;
pub mod readiness;
mod reconcile;
mod spawn;
mod terminal;
mod watcher;

pub use child::Child;
pub use command::{Command, Limits, Stdio};
pub use container::{EngineCall, composition_words};
pub use exit::{Exit, Status, Usage};
pub use guard::{Containment, Guard, GuardError, GuardOptions};
pub use kill::LeftBehind;
pub use ledger::{Ledger, LedgerError, Thing};
pub use lifeline::Lifeline;
pub use output::{Output, OutputError};
pub use procfs::{MARK, Process};
pub use reconcile::{Keep, Reclaim, Reclaimed, Report, reconcile};
pub use rustix::process::Signal;
pub use spawn::SpawnError;
pub use terminal::Terminal;
pub use watcher::watcher_main;
