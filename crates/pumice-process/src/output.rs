//! Running a helper program to its end and keeping what it says.

use std::{io, time::Instant};

use pumice_types::{Blame, Cause, Deadline, Evidence};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::{
    command::{Command, Stdio},
    exit::Exit,
    guard::Guard,
    kill::LeftBehind,
    spawn::SpawnError,
};

/// What a helper program said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// The first bytes of its standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// The last bytes of its standard error, up to the limit.
    pub stderr: Vec<u8>,
    /// Whether standard output was longer than the limit.
    pub is_truncated: bool,
}

/// A helper program could not be run to its end. One that ends with an error is no error here.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its time is over.
    #[error("`{program}` did not end within the {} seconds of {owner}", limit.as_secs())]
    Timeout {
        /// Its name.
        program: String,
        /// Whose time it was.
        owner: String,
        /// How long that was.
        limit: std::time::Duration,
        /// What it last said on standard error.
        stderr: String,
    },
    /// It would not go.
    #[error(transparent)]
    LeftBehind(#[from] LeftBehind),
    /// Its streams could not be read.
    #[error("cannot read from `{program}`")]
    Read {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blame for OutputError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Spawn(error) => error.root_cause(),
            Self::Timeout { .. } => Cause::StepTimeout,
            Self::LeftBehind(error) => error.root_cause(),
            Self::Read { .. } => Cause::HostRefused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Spawn(error) => error.hint(),
            Self::LeftBehind(error) => error.hint(),
            Self::Timeout { .. } | Self::Read { .. } => None,
        }
    }

    fn evidence(&self) -> Option<Evidence> {
        match self {
            Self::Timeout { program, stderr, .. } if !stderr.trim().is_empty() => {
                Some(Evidence { from: program.clone(), text: stderr.clone() })
            }
            _ => None,
        }
    }
}

/// How long a helper that was told to end may take to be gone.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

impl Guard {
    /// Runs `command` to its end with nothing on standard input, and keeps at most `limit_bytes` of each
    /// stream. Both streams are read to the end all the same. Whatever it started is gone afterwards.
    pub async fn output(
        &self,
        command: Command,
        limit_bytes: usize,
        deadline: &Deadline,
    ) -> Result<Output, OutputError> {
        let command = command.stdout(Stdio::Piped).stderr(Stdio::Piped);
        let program = command.name().to_owned();
        let mut child = self.spawn(&command)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut head = Head { bytes: Vec::new(), limit: limit_bytes, is_truncated: false };
        let mut tail = Tail { bytes: Vec::new(), limit: limit_bytes };
        let finished = async {
            let exit = child.wait().await;
            // A daemon that keeps our pipe open must not keep us.
            let grace = Deadline::after(Instant::now(), GRACE, "the end of a helper");
            Ok::<_, OutputError>((exit, child.kill_all(&grace).await?))
        };
        let read = async { tokio::try_join!(drain(stdout, &mut head), drain(stderr, &mut tail)) };
        let both = async {
            let (ended, read) = tokio::join!(finished, read);
            read.map_err(|source| OutputError::Read { program: program.clone(), source })?;
            Ok::<_, OutputError>(ended?.0)
        };
        let Ok(exit) = tokio::time::timeout_at(deadline.at().into(), both).await else {
            let grace = Deadline::after(Instant::now(), GRACE, "the end of a helper");
            child.kill_all(&grace).await?;
            return Err(OutputError::Timeout {
                program: command.name().to_owned(),
                owner: deadline.owner().to_owned(),
                limit: deadline.limit(),
                stderr: String::from_utf8_lossy(&tail.bytes).into_owned(),
            });
        };
        Ok(Output { exit: exit?, stdout: head.bytes, stderr: tail.bytes, is_truncated: head.is_truncated })
    }
}

trait Sink {
    fn take(&mut self, bytes: &[u8]);
}

/// The first bytes.
struct Head {
    bytes: Vec<u8>,
    limit: usize,
    is_truncated: bool,
}

impl Sink for Head {
    fn take(&mut self, bytes: &[u8]) {
        let room = self.limit - self.bytes.len();
        self.is_truncated |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// The last bytes.
struct Tail {
    bytes: Vec<u8>,
    limit: usize,
}

impl Sink for Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(self.limit)..]);
        let excess = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..excess);
    }
}

async fn drain(stream: Option<impl AsyncRead + Unpin>, sink: &mut impl Sink) -> io::Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => sink.take(&buffer[..count]),
        }
    }
}
