//! The watcher: a small process that outlives its run by a moment, when the run is killed.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::{
    reconcile::{Keep, open, reclaim_when_dead},
    spawn::close_others_on_exec,
};

/// The body of the watcher's process: waits for standard input to end, which happens when the run that holds
/// the other end is gone, then removes what the ledger lists. What needs more than the kernel (network
/// interfaces, seats) stays in the ledger for the next start.
///
/// The program calls it for the hidden subcommand named in [`crate::GuardOptions::watcher`], before it starts a
/// runtime or threads.
pub fn watcher_main(ledger: &Path) -> ExitCode {
    // Only for people who look at the process list.
    let _ = rustix::thread::set_name(c"pumice-watcher");
    // Opened now, so that it can be read whatever happens to its directory.
    let Ok(file) = open(ledger) else { return ExitCode::FAILURE };
    let mut input = io::stdin().lock();
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
            _ => {}
        }
    }
    match reclaim_when_dead(ledger, file, &mut Keep) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Starts the watcher in a session of its own, with nothing of ours but the pipe, deaf to the signals that end
/// a whole login or service politely. Returns its id and the end of the pipe that keeps it waiting.
pub(crate) fn start_watcher(program: &[OsString], ledger: &Path) -> io::Result<(i32, OwnedFd)> {
    let Some((program, arguments)) = program.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program was named"));
    };
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let ledger = std::path::absolute(ledger)?;
    let mut command = Command::new(program);
    command.args(arguments).arg(ledger).env_clear().current_dir("/");
    command.stdin(Stdio::from(File::from(reader))).stdout(Stdio::null()).stderr(Stdio::null());
    detach(&mut command);
    Ok((command.spawn()?.id().cast_signed(), writer))
}

/// Between `fork` and `exec`: a new session, and four signals ignored, which `exec` keeps so (`signal(7)`).
#[expect(unsafe_code, reason = "code between fork and exec cannot be written otherwise")]
fn detach(command: &mut Command) {
    let run = || {
        rustix::process::setsid()?;
        close_others_on_exec();
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            // SAFETY: ignoring a signal installs no handler; the call may be made after a fork.
            if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only and neither allocates nor takes a lock.
    unsafe { command.pre_exec(run) };
}
