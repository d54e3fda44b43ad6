//! Processes of the machine, as `/proc` shows them.

use std::{fmt, path::Path};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

/// A process that is alive: not one that ended and waits to be reaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its arguments, joined by blanks.
    pub command_line: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.command_line)
    }
}

impl Process {
    /// Every process alive but this one.
    pub(crate) fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").unwrap();
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| *id != std::process::id()).filter_map(Self::read).collect()
    }

    /// `None` when it ended meanwhile. The fields of `stat` behind the name: `man proc_pid_stat`.
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let command_line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let command_line = String::from_utf8_lossy(&command_line).trim_end_matches('\0').replace('\0', " ");
        (!matches!(state, "Z" | "X")).then_some(Self { id, parent, command_line })
    }

    /// Whether its environment holds `token`, or its arguments or working directory lie in `directory`.
    pub(crate) fn belongs_to(&self, token: &str, directory: &Path) -> bool {
        let name = directory.to_string_lossy();
        let environment = fs::read(format!("/proc/{}/environ", self.id)).unwrap_or_default();
        self.command_line.contains(&*name)
            || fs::read_link(format!("/proc/{}/cwd", self.id)).is_ok_and(|path| path.starts_with(directory))
            || environment.windows(token.len()).any(|window| window == token.as_bytes())
    }

    /// Ends it at once. It may have ended already.
    pub fn kill(&self) {
        if let Some(id) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, Signal::KILL);
        }
    }
}
