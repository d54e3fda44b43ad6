//! What to start: a plain description, filled in by the caller.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
};

/// Where one of a child's three standard streams leads.
#[derive(Debug, Default)]
pub enum Stdio {
    /// To `/dev/null`: reads end at once, writes vanish.
    #[default]
    Null,
    /// Through a pipe to us.
    Piped,
    /// To the child's own pseudo-terminal, raw and without echo; the same for every stream that asks for it.
    Terminal,
    /// For standard error: wherever standard output leads.
    SameAsOutput,
    /// Appended to this file, which is created when it is not there. For standard input: read from it.
    File(PathBuf),
    /// To a descriptor of ours, which the child gets a copy of.
    Descriptor(OwnedFd),
}

/// What a child may use, enforced by the kernel (`getrlimit(2)`). `None` leaves what we have ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The size of a core dump; 0 by default, as a simulator's memory is a gigabyte nobody reads.
    pub core_bytes: Option<u64>,
    /// The size of any file it writes.
    pub file_bytes: Option<u64>,
    /// Its address space.
    pub address_space_bytes: Option<u64>,
    /// The number of its open files.
    pub open_files: Option<u64>,
    /// Its CPU time in seconds; SIGXCPU, and SIGKILL a second later.
    pub cpu_seconds: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            core_bytes: Some(0),
            file_bytes: None,
            address_space_bytes: None,
            open_files: None,
            cpu_seconds: None,
        }
    }
}

/// A program to start: argument vector, environment and streams, all of them explicit. Nothing is passed
/// through a shell, and nothing of our own environment is passed on by itself.
#[derive(Debug)]
pub struct Command {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
    pub(crate) inherited: Vec<OwnedFd>,
    pub(crate) limits: Limits,
}

impl Command {
    /// The first of `argv` is the program: a path, or a name that is looked for in the `PATH` of the
    /// environment the child gets (`/bin:/usr/bin` when it gets none). The environment is empty, the streams
    /// lead to `/dev/null`.
    pub fn new<S: Into<OsString>>(program: S) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            directory: None,
            stdin: Stdio::Null,
            stdout: Stdio::Null,
            stderr: Stdio::Null,
            inherited: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// The same from a whole argument vector; `None` when it is empty.
    pub fn from_argv<S: Into<OsString>>(argv: impl IntoIterator<Item = S>) -> Option<Self> {
        let mut argv = argv.into_iter();
        let program = argv.next()?;
        Some(Self::new(program).args(argv))
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With this variable in its environment; the last of two with one name counts.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// With these variables in its environment.
    #[must_use]
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Started in this directory instead of ours.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Where its standard input comes from.
    #[must_use]
    pub fn stdin(mut self, stdio: Stdio) -> Self {
        self.stdin = stdio;
        self
    }

    /// Where its standard output goes.
    #[must_use]
    pub fn stdout(mut self, stdio: Stdio) -> Self {
        self.stdout = stdio;
        self
    }

    /// Where its standard error goes.
    #[must_use]
    pub fn stderr(mut self, stdio: Stdio) -> Self {
        self.stderr = stdio;
        self
    }

    /// All three streams on the child's own pseudo-terminal, which is its controlling terminal.
    #[must_use]
    pub fn on_terminal(self) -> Self {
        self.stdin(Stdio::Terminal).stdout(Stdio::Terminal).stderr(Stdio::Terminal)
    }

    /// Hands a descriptor to the child. It has the same number there, the one that is returned, so that it
    /// can be named on the command line.
    pub fn inherit(&mut self, descriptor: OwnedFd) -> i32 {
        let number = descriptor.as_raw_fd();
        self.inherited.push(descriptor);
        number
    }

    /// With these limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The program's name without its directory, for messages.
    pub fn name(&self) -> &str {
        std::path::Path::new(&self.program).file_name().and_then(OsStr::to_str).unwrap_or("program")
    }
}

/// The argument vector, quoted so that it can be pasted into a POSIX shell.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in std::iter::once(&self.program).chain(&self.arguments).enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(&word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_a_shell_would_read_it() {
        let command = Command::new("/usr/bin/echo").args(["a b", "it's", "", "x=1,y"]);
        assert_eq!(command.to_string(), r"/usr/bin/echo 'a b' 'it'\''s' '' x=1,y");
        assert_eq!(command.name(), "echo");
    }

    #[test]
    fn an_empty_argument_vector_is_no_command() {
        assert!(Command::from_argv(Vec::<OsString>::new()).is_none());
    }
}
