//! The keeper: a small process beside each job that starts it, holds its lease, cancels it, and writes down how it
//! ended. It needs no agent and no server to do so.
//!
//! Signals: TERM cancels the job gently (asked at once and again after a minute, then killed), QUIT kills it at once.

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use fs_err as fs;
use pumice_process::{Child, Command, Guard, GuardOptions, Signal, Stdio};
use pumice_types::Deadline;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::{
    clock::boot_millis,
    job::{Cancel, Directory, Exit, ExitReason, KeeperRecord, StartRecord, read_json, write_json},
};

/// How long the last kill may take.
const KILL_TIME: Duration = Duration::from_secs(10);
/// When a cancelled job is asked again (lava-compat 6.4).
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// When a cancelled job is killed, where nobody says otherwise.
const KILL_AFTER: Duration = Duration::from_secs(120);
/// How often the lease is looked at. A timer does not run while the host sleeps, so that a long one could come too late.
const LOOK: Duration = Duration::from_secs(1);

/// The body of a keeper's process for the job in `directory`. `watcher` are the program and first arguments that call
/// [`pumice_process::watcher_main`]. To be called before anything starts a thread.
///
/// It ends with 0 when it kept the job, with 1 when the job has another keeper or cannot be kept; `keeper.log` says why.
#[expect(clippy::print_stderr, reason = "standard error is the keeper's log")]
pub fn keeper_main(directory: &Path, watcher: Vec<OsString>) -> ExitCode {
    // It fails where a shell has already made a session for us, which is as good.
    let _ = rustix::process::setsid();
    let directory = Directory::at(directory);
    match keep(&directory, watcher) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn keep(directory: &Directory, watcher: Vec<OsString>) -> io::Result<()> {
    be_the_one(directory)?;
    let exit = match run(directory, watcher) {
        Ok(exit) => exit,
        Err(error) => Exit { reason: ExitReason::NotStarted, status: error.to_string() },
    };
    directory.give_room();
    write_json(&directory.file("exit.json"), &exit).map_err(io::Error::other)
}

/// A job is started at most once from one directory: only one process can give `keeper.json` its name.
fn be_the_one(directory: &Directory) -> io::Result<()> {
    let own = directory.file(&format!("keeper-{}", std::process::id()));
    let record =
        KeeperRecord::myself().ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    write_json(&own, &record).map_err(io::Error::other)?;
    let linked = fs::hard_link(&own, directory.file("keeper.json"));
    fs::remove_file(&own)?;
    linked
}

fn run(directory: &Directory, watcher: Vec<OsString>) -> io::Result<Exit> {
    if !directory.lease().is_some_and(|lease| lease.is_valid()) {
        return Ok(Exit { reason: ExitReason::LeaseLost, status: String::new() });
    }
    let start: StartRecord = read_json(&directory.file("start.json"))
        .ok_or_else(|| io::Error::other("start.json does not say what to start"))?;
    let options = GuardOptions { state: directory.file("processes"), watcher, cgroups: true };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let guard = Guard::start(&options).map_err(io::Error::other)?;
        // Listened to before there is a job: a signal that came between would kill us.
        let signals = Signals::listen()?;
        let child = guard.spawn(&command(directory, &start)?).map_err(io::Error::other)?;
        let reason = watch(directory, &child, signals).await;
        let deadline = Deadline::after(Instant::now(), KILL_TIME, "keeper");
        let exit = child.kill_all(&deadline).await.map_err(io::Error::other)?;
        guard.finish(&deadline).await.map_err(io::Error::other)?;
        Ok(Exit { reason: reason?, status: exit.status.to_string() })
    })
}

fn command(directory: &Directory, start: &StartRecord) -> io::Result<Command> {
    let command = Command::from_argv(start.argv.clone())
        .ok_or_else(|| io::Error::other("start.json names no program"))?;
    let inherited = std::env::vars_os().filter(|_| !start.purge);
    Ok(command
        .envs(inherited)
        .envs(start.env.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .directory(directory.path())
        .stdout(Stdio::File(directory.file("stdout")))
        .stderr(Stdio::File(directory.file("stderr"))))
}

/// What tells a keeper to end its job.
struct Signals {
    cancel: Stream,
    kill: Stream,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { cancel: signal(SignalKind::terminate())?, kill: signal(SignalKind::quit())? })
    }
}

/// Waits for the job's end, or ends it. Says why it is over.
async fn watch(directory: &Directory, child: &Child, mut signals: Signals) -> io::Result<ExitReason> {
    let mut asked: Option<(Instant, Duration)> = None;
    let mut asked_again = false;
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = child.wait() => {
                return Ok(if stopping {
                    ExitReason::LeaseLost
                } else if asked.is_some() {
                    ExitReason::Cancelled
                } else {
                    ExitReason::Ended
                });
            }
            _ = signals.kill.recv() => return Ok(ExitReason::Cancelled),
            _ = signals.cancel.recv() => {
                let wish: Option<Cancel> = read_json(&directory.file("cancel.json"));
                let kill_after = wish.map_or(KILL_AFTER, |wish| Duration::from_millis(wish.kill_after_ms));
                asked.get_or_insert((Instant::now(), kill_after));
                child.signal(Signal::TERM)?;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Some((since, kill_after)) = asked {
            if since.elapsed() >= kill_after {
                return Ok(ExitReason::Cancelled);
            }
            if since.elapsed() >= ASK_AGAIN && !asked_again {
                asked_again = true;
                child.signal(Signal::TERM)?;
            }
        }
        // A lease that cannot be read is over: nobody could renew it.
        let (now, lease) = (boot_millis(), directory.lease());
        if lease.as_ref().is_none_or(|lease| now >= lease.kill_ms) {
            return Ok(ExitReason::LeaseLost);
        }
        if lease.is_some_and(|lease| now >= lease.stop_ms) && !stopping {
            stopping = true;
            child.signal(Signal::TERM)?;
        }
    }
}
