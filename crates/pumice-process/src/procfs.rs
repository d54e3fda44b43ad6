//! What `/proc` says about processes (`proc_pid_stat(5)`, `proc_pid_environ(5)`).

use std::{
    fmt, fs,
    io::{self, Read as _},
};

use rustix::process::{Pid, PidfdFlags, Signal};

/// The environment variable that marks everything a run starts. Its value is the run's token and the child's
/// number, `TOKEN.N`; a run inside another run appends its own after a `:`.
pub const MARK: &str = "PUMICE_RUN";

/// An environment larger than this is not searched to its end. The kernel's own limit is a quarter of the
/// stack's, 2 MiB by default (`execve(2)`).
const ENVIRONMENT_LIMIT: u64 = 2 << 20;

/// One process as it was when looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The first 15 bytes of its program's name.
    pub name: String,
    /// `R`, `S`, `D`, `Z` and so on.
    pub state: char,
    /// The id of its parent.
    pub parent: i32,
    /// The id of its process group.
    pub group: i32,
    /// The id of its session.
    pub session: i32,
    /// When it started, in clock ticks since the host started. With the id it names one process for ever.
    pub start_ticks: u64,
}

impl Process {
    /// Reads one process; `None` when there is no such process.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Every process this user may see.
    pub(crate) fn all() -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::read)
            .collect()
    }

    /// The children of this process, zombies too: a few reads where the kernel keeps a list of them
    /// (`CONFIG_PROC_CHILDREN`), else a look at every process.
    pub(crate) fn children() -> Vec<Self> {
        let listed = || -> io::Result<Vec<Self>> {
            let mut children = Vec::new();
            for thread in fs::read_dir("/proc/self/task")? {
                let list = fs::read_to_string(thread?.path().join("children"))?;
                children
                    .extend(list.split_ascii_whitespace().filter_map(|pid| Self::read(pid.parse().ok()?)));
            }
            Ok(children)
        };
        listed().unwrap_or_else(|_| {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            Self::all().into_iter().filter(|process| process.parent == own).collect()
        })
    }

    /// Reads the text of `/proc/PID/stat`. The name stands in parentheses and may hold anything, so the last
    /// parenthesis ends it.
    fn parse(stat: &[u8]) -> Option<Self> {
        let open = stat.iter().position(|&byte| byte == b'(')?;
        let close = stat.iter().rposition(|&byte| byte == b')')?;
        let pid = std::str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?;
        let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(&stat[close + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Field 3 of proc_pid_stat(5) is the first here.
        let number = |field: usize| fields.get(field - 3)?.parse::<i32>().ok();
        Some(Self {
            pid,
            name,
            state: fields.first()?.chars().next()?,
            parent: number(4)?,
            group: number(5)?,
            session: number(6)?,
            start_ticks: fields.get(22 - 3)?.parse().ok()?,
        })
    }

    /// Whether it has ended and only waits for its parent to notice.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// Whether its environment carries `token`, or `token.N` for any child `N`.
    pub(crate) fn is_marked(&self, token: &str) -> bool {
        let Ok(file) = fs::File::open(format!("/proc/{}/environ", self.pid)) else { return false };
        let mut environment = Vec::new();
        if file.take(ENVIRONMENT_LIMIT).read_to_end(&mut environment).is_err() {
            return false;
        }
        environment
            .split(|&byte| byte == 0)
            .filter_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(':'))
            .any(|mark| mark.strip_prefix(token).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    /// Sends a signal to exactly this process: never to another that got the same id since.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let gone = || io::Error::from(rustix::io::Errno::SRCH);
        let pid = Pid::from_raw(self.pid).ok_or_else(gone)?;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        // The descriptor now pins the id; it is ours when the start time is still the one we saw.
        match Self::read(self.pid) {
            Some(now) if now.start_ticks == self.start_ticks => {
                Ok(rustix::process::pidfd_send_signal(&pidfd, signal)?)
            }
            _ => Err(gone()),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, state {})", self.pid, self.name.escape_debug(), self.state)
    }
}

/// What tells this boot of the host from every other (`random(4)`).
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// A fresh random UUID from the kernel (`random(4)`).
pub(crate) fn fresh_token() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read_whole() {
        let stat = b"42 (a) b (c) S 1 40 39 0 -1 4194560 1 0 0 0 7 8 0 0 20 0 1 0 123456 1 1";
        let expected = Process {
            pid: 42,
            name: "a) b (c".into(),
            state: 'S',
            parent: 1,
            group: 40,
            session: 39,
            start_ticks: 123_456,
        };
        assert_eq!(Process::parse(stat), Some(expected));
    }

    #[test]
    fn a_line_cut_short_is_no_process() {
        for text in ["", "1", "1 (x", "1 (x)", "1 (x) S 2 3", ") 1 ("] {
            assert_eq!(Process::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn this_process_is_seen_and_carries_no_mark() {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let process = Process::read(pid).unwrap();
        assert!(!process.is_marked("no-such-token"));
        let found = Process::all().into_iter().find(|other| other.pid == pid).unwrap();
        assert_eq!(found.start_ticks, process.start_ticks);
    }
}
