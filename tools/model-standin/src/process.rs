//! The few system calls that neither `std` nor `rustix` offers: the mask of the two signals that ask a model
//! to stop, and what a child of ours must be told between `fork` and `exec`.
#![expect(unsafe_code, reason = "signal masks and the child's set-up have no safe form in std or rustix")]

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The signals a model answers by stopping in good order (reference, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// Ctrl-C, or SIGINT sent by a driver.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// The set of both stop signals.
fn stop_signals() -> libc::sigset_t {
    // SAFETY: `sigset_t` is plain data; `sigemptyset` initialises it wholly before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        set
    }
}

/// Blocks the stop signals in the calling thread and in every thread it starts from now on, so that
/// [`wait_for_stop_signal`] can collect them. Called first thing in `main`.
pub(crate) fn block_stop_signals() -> io::Result<()> {
    let set = stop_signals();
    // SAFETY: both pointers are valid or null as the call allows.
    let code = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// Sleeps until one of the blocked stop signals arrives.
pub(crate) fn wait_for_stop_signal() -> io::Result<StopSignal> {
    let set = stop_signals();
    let mut number = 0;
    // SAFETY: `set` is initialised and `number` is a valid place for the answer.
    let code = unsafe { libc::sigwait(&raw const set, &raw mut number) };
    match (code, number) {
        (0, libc::SIGTERM) => Ok(StopSignal::Terminate),
        (0, _) => Ok(StopSignal::Interrupt),
        (code, _) => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Ends the process as the signal ends one that does nothing about it.
pub(crate) fn die_of(signal: StopSignal) {
    let set = stop_signals();
    // SAFETY: both pointers are valid or null as the call allows.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
    let signal = match signal {
        StopSignal::Interrupt => rustix::process::Signal::INT,
        StopSignal::Terminate => rustix::process::Signal::TERM,
    };
    let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
}

/// Does nothing until somebody kills the process.
pub(crate) fn sleep_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Makes `command` a part of this process as far as anyone outside can see: it inherits `files` under the
/// numbers they have here, it dies with the thread that starts it (which must be the main thread), and a
/// Ctrl-C or SIGTERM sent to the whole process group does not reach it, because a model is one process and
/// decides for itself how it stops.
pub(crate) fn bind_child(command: &mut Command, files: &[OwnedFd]) {
    use std::os::fd::AsRawFd;
    let numbers: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let parent = std::process::id();
    // SAFETY: the closure runs in the forked child and calls only async-signal-safe functions.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            if u32::try_from(libc::getppid()) != Ok(parent) {
                // The parent died before the line above took effect.
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            for &number in &numbers {
                if libc::fcntl(number, libc::F_SETFD, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}
