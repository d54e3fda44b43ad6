//! From a [`Command`] to a running process: the part between `fork` and `exec`.

use std::{
    ffi::OsString,
    fs, io,
    os::{
        fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd},
        unix::process::CommandExt as _,
    },
    path::PathBuf,
    process,
};

use pumice_types::{Blame, Cause};
use rustix::{
    io::{Errno, FdFlags},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Resource, Rlimit, Signal},
};

use crate::{
    command::{Command, Limits, Stdio},
    ledger::LedgerError,
    procfs::MARK,
    terminal,
};

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// It is not there, or its interpreter is not.
    #[error("cannot start `{program}`: no such program")]
    Missing {
        /// What was to be started.
        program: String,
    },
    /// The directory it was to be started in is not there.
    #[error("cannot start `{program}` in {directory}: no such directory")]
    Directory {
        /// What was to be started.
        program: String,
        /// Where.
        directory: PathBuf,
    },
    /// One of its streams could not be set up.
    #[error("cannot start `{program}`: its {stream} cannot be opened")]
    Stream {
        /// What was to be started.
        program: String,
        /// `standard input` and so on, with the file where there is one.
        stream: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was started, could not be noted, and was killed again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The host refused.
    #[error("cannot start `{program}`")]
    Refused {
        /// What was to be started.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blame for SpawnError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Ledger(error) => error.root_cause(),
            _ => Cause::HostRefused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Missing { program } if program.contains('/') => {
                Some(format!("check that {program} exists, and that the interpreter it names does"))
            }
            Self::Missing { program } => Some(format!("install `{program}` or add its directory to PATH")),
            Self::Refused { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("make the file executable for this user".into())
            }
            _ => None,
        }
    }
}

/// Our ends of a child's streams.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    pub(crate) terminal: Option<OwnedFd>,
}

/// The child's ends.
struct Streams {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    controlling: bool,
}

/// A started process, not yet waited for.
pub(crate) struct Started {
    pub(crate) pid: i32,
    pub(crate) ends: Ends,
}

/// Starts the program in a new session, dying with this thread, marked with `mark`, and inside the cgroup
/// whose `cgroup.procs` is `entrance`.
pub(crate) fn spawn(command: &Command, mark: &str, entrance: Option<OwnedFd>) -> Result<Started, SpawnError> {
    let program = || command.program.to_string_lossy().into_owned();
    let (streams, ends) = open_streams(command)?;
    let birth = Birth {
        parent: rustix::process::getpid(),
        entrance,
        controlling: streams.controlling,
        inherited: command.inherited.iter().map(OwnedFd::as_raw_fd).collect(),
        limits: resource_limits(command.limits),
    };
    let mut child = process::Command::new(&command.program);
    child.args(&command.arguments).env_clear().envs(&command.environment).env(MARK, nested(mark));
    child.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    if let Some(directory) = &command.directory {
        child.current_dir(directory);
    }
    birth.attach(&mut child);
    match child.spawn() {
        // Dropping the standard library's handle neither waits nor kills.
        Ok(started) => Ok(Started { pid: started.id().cast_signed(), ends }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(match &command.directory {
            Some(directory) if !directory.is_dir() => {
                SpawnError::Directory { program: program(), directory: directory.clone() }
            }
            _ => SpawnError::Missing { program: program() },
        }),
        Err(source) => Err(SpawnError::Refused { program: program(), source }),
    }
}

/// The mark of a run inside another run names both.
fn nested(mark: &str) -> OsString {
    let mut value = std::env::var_os(MARK).unwrap_or_default();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(mark);
    value
}

/// Opens what the three streams lead to. All of it closes on `exec` but what becomes the child's own.
fn open_streams(command: &Command) -> Result<(Streams, Ends), SpawnError> {
    let failed = |stream: String| {
        let program = command.program.to_string_lossy().into_owned();
        move |source: io::Error| SpawnError::Stream { program, stream, source }
    };
    let mut ends = Ends::default();
    let wanted = [&command.stdin, &command.stdout, &command.stderr];
    let mut line = None;
    if wanted.iter().any(|stdio| matches!(stdio, Stdio::Terminal)) {
        let (ours, theirs) = terminal::allocate().map_err(failed("terminal".into()))?;
        ends.terminal = Some(ours);
        line = Some(theirs);
    }
    let open = |stdio: &Stdio, is_input: bool| -> io::Result<(OwnedFd, Option<OwnedFd>)> {
        let mut options = fs::OpenOptions::new();
        if is_input {
            options.read(true)
        } else {
            options.append(true).create(true)
        };
        Ok(match (stdio, &line) {
            (Stdio::File(path), _) => (options.open(path)?.into(), None),
            (Stdio::Descriptor(descriptor), _) => (descriptor.try_clone()?, None),
            (Stdio::Terminal, Some(line)) => (line.try_clone()?, None),
            (Stdio::Piped, _) => {
                let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
                if is_input { (reader, Some(writer)) } else { (writer, Some(reader)) }
            }
            _ => {
                let null = fs::OpenOptions::new().read(is_input).write(!is_input).open("/dev/null")?;
                (null.into(), None)
            }
        })
    };
    let named = |name: &str, stdio: &Stdio| match stdio {
        Stdio::File(path) => format!("{name} {}", path.display()),
        _ => name.to_owned(),
    };
    let stdin;
    (stdin, ends.stdin) =
        open(&command.stdin, true).map_err(failed(named("standard input", &command.stdin)))?;
    let stdout;
    (stdout, ends.stdout) =
        open(&command.stdout, false).map_err(failed(named("standard output", &command.stdout)))?;
    let stderr;
    (stderr, ends.stderr) = match &command.stderr {
        Stdio::SameAsOutput => stdout.try_clone().map(|descriptor| (descriptor, None)),
        other => open(other, false),
    }
    .map_err(failed(named("standard error", &command.stderr)))?;
    let controlling = matches!(command.stdin, Stdio::Terminal);
    Ok((Streams { stdin, stdout, stderr, controlling }, ends))
}

fn resource_limits(limits: Limits) -> Vec<(Resource, u64)> {
    [
        (Resource::Core, limits.core_bytes),
        (Resource::Fsize, limits.file_bytes),
        (Resource::As, limits.address_space_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Cpu, limits.cpu_seconds),
    ]
    .into_iter()
    .filter_map(|(resource, limit)| Some((resource, limit?)))
    .collect()
}

/// What a child does between `fork` and `exec`. Everything is prepared, because another thread may hold the
/// allocator's lock at the time of the fork: from there on only system calls are made.
struct Birth {
    parent: Pid,
    entrance: Option<OwnedFd>,
    controlling: bool,
    inherited: Vec<RawFd>,
    limits: Vec<(Resource, u64)>,
}

impl Birth {
    #[expect(unsafe_code, reason = "code between fork and exec cannot be written otherwise")]
    fn attach(self, child: &mut process::Command) {
        // SAFETY: `run` makes system calls only and neither allocates nor takes a lock.
        unsafe { child.pre_exec(move || self.run()) };
    }

    fn run(&self) -> io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(self.parent) {
            // The parent died before the line above; nobody will ever send that signal.
            return Err(Errno::SRCH.into());
        }
        if let Some(entrance) = &self.entrance {
            rustix::io::write(entrance, b"0")?;
        }
        rustix::process::setsid()?;
        if self.controlling {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        for &(resource, limit) in &self.limits {
            set_limit(resource, limit)?;
        }
        close_others_on_exec();
        for &number in &self.inherited {
            keep_open(number)?;
        }
        Ok(())
    }
}

/// Sets the soft limit, and the hard one where it was higher. CPU time has a second between the two, so that
/// the program sees SIGXCPU first.
fn set_limit(resource: Resource, limit: u64) -> io::Result<()> {
    let ceiling = if resource == Resource::Cpu { limit.saturating_add(1) } else { limit };
    let maximum = rustix::process::getrlimit(resource).maximum.map_or(ceiling, |now| now.min(ceiling));
    let current = Some(limit.min(maximum));
    Ok(rustix::process::setrlimit(resource, Rlimit { current, maximum: Some(maximum) })?)
}

/// Nothing but the three streams survives `exec`, whatever those who started us have left open. Before Linux
/// 5.11 what was left open stays open. May be called after a fork.
#[expect(unsafe_code, reason = "rustix has no close_range")]
pub(crate) fn close_others_on_exec() {
    // SAFETY: no descriptor is closed by the call, and none of ours is meant to outlive `exec`.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Lets a descriptor survive `exec`, in the child alone.
#[expect(unsafe_code, reason = "the closure that runs in the child can hold only the number")]
fn keep_open(number: RawFd) -> io::Result<()> {
    // SAFETY: `Command::inherited` owns the descriptor and outlives the call to `spawn` that forked us.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_setfd(descriptor, FdFlags::empty())?)
}
