//! How a process ended and what it used.

use std::{
    fmt, io,
    os::fd::{AsRawFd as _, BorrowedFd},
    time::Duration,
};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number (`signal(7)`).
        number: i32,
        /// Whether it left a core dump.
        core_dumped: bool,
    },
    /// Somebody else in this program collected the status before us.
    Unknown,
}

impl Status {
    /// Whether it exited with code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal { number, core_dumped } => {
                match signal_name(number) {
                    Some(name) => write!(f, "was ended by {name} (signal {number})")?,
                    None => write!(f, "was ended by signal {number}")?,
                }
                if core_dumped { f.write_str(" and left a core dump") } else { Ok(()) }
            }
            Self::Unknown => f.write_str("ended; how is not known"),
        }
    }
}

/// The signals that end programs in practice, by their Linux name (`signal(7)`).
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    })
}

/// What a process used, together with those of its own children that it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in its own code.
    pub user: Duration,
    /// CPU time in the kernel on its behalf.
    pub system: Duration,
    /// The most memory it had resident at once.
    pub max_resident_bytes: u64,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub status: Status,
    /// What it used.
    pub usage: Usage,
}

/// Whether looking at an ended process also lets the kernel forget it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It stays a zombie, so that its id, group and session cannot be given to another.
    Leave,
    /// It is gone afterwards.
    Reap,
}

/// How the child behind `pidfd` ended; `None` while it runs.
///
/// `waitid` as the kernel has it takes a fifth argument for the resources used, which the C library hides
/// (`waitid(2)`, "C library/kernel differences").
#[expect(unsafe_code, reason = "rustix has no call that returns a child's resources")]
pub(crate) fn look(pidfd: BorrowedFd<'_>, look: Look) -> Option<Exit> {
    let keep = if look == Look::Leave { libc::WNOWAIT } else { 0 };
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL | keep;
    // SAFETY: both structures hold only integers and pointers, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: the descriptor is open for the length of the call, and both pointers are to structures
        // of the size the kernel writes.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                pidfd.as_raw_fd(),
                &raw mut info,
                options,
                &raw mut usage,
            )
        };
        if result == 0 {
            break;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return Some(Exit { status: Status::Unknown, usage: Usage::default() });
        }
    }
    // SAFETY: after a successful waitid the fields of a child's end are filled in, or all zero.
    let (pid, value) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return None;
    }
    let status = match info.si_code {
        libc::CLD_EXITED => Status::Code(value),
        code => Status::Signal { number: value, core_dumped: code == libc::CLD_DUMPED },
    };
    Some(Exit { status, usage: Usage::from(usage) })
}

impl From<libc::rusage> for Usage {
    fn from(usage: libc::rusage) -> Self {
        let time = |time: libc::timeval| {
            Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
                + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
        };
        Self {
            user: time(usage.ru_utime),
            system: time(usage.ru_stime),
            // getrusage(2): in kilobytes.
            max_resident_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_as_the_end_of_a_sentence() {
        let shown = [
            Status::Code(3),
            Status::Signal { number: 9, core_dumped: false },
            Status::Signal { number: 11, core_dumped: true },
            Status::Signal { number: 40, core_dumped: false },
        ]
        .map(|status| status.to_string());
        assert_eq!(
            shown,
            [
                "exited with status 3",
                "was ended by SIGKILL (signal 9)",
                "was ended by SIGSEGV (signal 11) and left a core dump",
                "was ended by signal 40",
            ]
        );
    }
}
