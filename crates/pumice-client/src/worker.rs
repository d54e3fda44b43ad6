//! Our worker protocol, from the worker's side: one method a request. `docs/protocol/worker.md` says what they mean.

use std::time::Duration;

use pumice_api::worker::{
    CHANNEL_END_HEADER, Epoch, Finish, Goodbye, Hello, JobFile, JobPackage, JobRef, Orders, PREFIX, Poll,
    Position, Registered, Registration, Return, Started, Welcome,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ClientError, Connection,
    connection::{Body, encode},
};

/// A server as its workers see it.
#[derive(Clone, Debug)]
pub struct WorkerClient(Connection);

/// Bytes of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPiece {
    /// The bytes; none when none came in time.
    pub bytes: Vec<u8>,
    /// Whether nothing follows them.
    pub ended: bool,
}

const NO_WAIT: Duration = Duration::ZERO;

impl WorkerClient {
    /// A client; its credentials are [`crate::Credentials::Bearer`].
    pub fn new(connection: Connection) -> Self {
        Self(connection)
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        wait: Duration,
    ) -> Result<T, ClientError> {
        self.0.send("POST", &format!("{PREFIX}{path}"), Body::json(body), wait)?.json()
    }

    fn tell(&self, path: &str, body: &impl Serialize) -> Result<(), ClientError> {
        self.0.send("POST", &format!("{PREFIX}{path}"), Body::json(body), NO_WAIT).map(drop)
    }

    /// Makes the worker known; the credentials are a joining token.
    pub fn register(&self, registration: &Registration) -> Result<Registered, ClientError> {
        self.post("register", registration, NO_WAIT)
    }

    /// Opens a session.
    pub fn hello(&self, hello: &Hello) -> Result<Welcome, ClientError> {
        self.post("session", hello, NO_WAIT)
    }

    /// Says what is, asks what to do; may take as long as the poll allows.
    pub fn poll(&self, poll: &Poll) -> Result<Orders, ClientError> {
        self.post("poll", poll, Duration::from_millis(poll.wait_ms))
    }

    /// Says that the worker goes down.
    pub fn goodbye(&self, epoch: Epoch) -> Result<(), ClientError> {
        self.tell("goodbye", &Goodbye { epoch })
    }

    /// What a job's process needs.
    pub fn package(&self, job: JobRef) -> Result<JobPackage, ClientError> {
        let path = format!("{PREFIX}jobs/{}/package?fence={}", job.job, job.fence.0);
        self.0.send("GET", &path, Body::None, NO_WAIT)?.json()
    }

    /// Says that a job's process runs.
    pub fn started(&self, job: JobRef) -> Result<(), ClientError> {
        self.tell(&format!("jobs/{}/started", job.job), &Started { fence: job.fence })
    }

    /// How much of the job's log the server has.
    pub fn log_position(&self, job: JobRef) -> Result<Position, ClientError> {
        let path = format!("{PREFIX}jobs/{}/log?fence={}", job.job, job.fence.0);
        self.0.send("GET", &path, Body::None, NO_WAIT)?.json()
    }

    /// Sends the piece of the job's log that begins at `offset`.
    pub fn log(&self, job: JobRef, offset: u64, piece: &[u8]) -> Result<Position, ClientError> {
        let path = format!("{PREFIX}jobs/{}/log?fence={}&offset={offset}", job.job, job.fence.0);
        self.0.send("PUT", &path, Body::Bytes(piece), NO_WAIT)?.json()
    }

    /// How much of one of the job's files the server has.
    pub fn file_position(&self, job: JobRef, file: &JobFile) -> Result<Position, ClientError> {
        self.0.send("GET", &file_path(job, file, None), Body::None, NO_WAIT)?.json()
    }

    /// Sends the piece of a file that begins at `offset`.
    pub fn file(
        &self,
        job: JobRef,
        file: &JobFile,
        offset: u64,
        piece: &[u8],
    ) -> Result<Position, ClientError> {
        self.0.send("PUT", &file_path(job, file, Some(offset)), Body::Bytes(piece), NO_WAIT)?.json()
    }

    /// Says what a node of a MultiNode job says, from `offset` on; answers how much of it the server has. Whole lines are
    /// taken. An empty piece asks for the position.
    pub fn group_send(&self, job: JobRef, offset: u64, piece: &[u8]) -> Result<Position, ClientError> {
        let path = format!("{PREFIX}jobs/{}/group?fence={}&offset={offset}", job.job, job.fence.0);
        self.0.send("PUT", &path, Body::Bytes(piece), NO_WAIT)?.json()
    }

    /// Waits for what a node of a MultiNode job is told, from `offset` on; empty when nothing came in time.
    pub fn group_receive(&self, job: JobRef, offset: u64, wait: Duration) -> Result<Vec<u8>, ClientError> {
        let (fence, wait_ms) = (job.fence.0, wait.as_millis());
        let path = format!("{PREFIX}jobs/{}/group?fence={fence}&offset={offset}&wait_ms={wait_ms}", job.job);
        Ok(self.0.send("GET", &path, Body::None, wait)?.body)
    }

    /// Says that a job is over and everything was sent.
    pub fn finish(&self, job: JobRef, finish: &Finish) -> Result<(), ClientError> {
        self.tell(&format!("jobs/{}/finish", job.job), finish)
    }

    /// Hands a job back that was not started.
    pub fn hand_back(&self, job: JobRef, reason: &Return) -> Result<(), ClientError> {
        self.tell(&format!("jobs/{}/return", job.job), reason)
    }

    /// Sends bytes from a job to a person. May take long while the person does not read.
    pub fn channel_send(
        &self,
        epoch: Epoch,
        channel: &str,
        offset: u64,
        piece: &[u8],
        end: bool,
    ) -> Result<Position, ClientError> {
        let path =
            format!("{PREFIX}channels/{}?epoch={}&offset={offset}&end={end}", encode(channel), epoch.0);
        self.0.send("PUT", &path, Body::Bytes(piece), Duration::from_secs(60))?.json()
    }

    /// Waits for bytes from a person to a job, from `offset` on; all before it was delivered.
    pub fn channel_receive(
        &self,
        epoch: Epoch,
        channel: &str,
        offset: u64,
        wait: Duration,
    ) -> Result<ChannelPiece, ClientError> {
        let wait_ms = wait.as_millis();
        let path = format!(
            "{PREFIX}channels/{}?epoch={}&offset={offset}&wait_ms={wait_ms}",
            encode(channel),
            epoch.0
        );
        let reply = self.0.send("GET", &path, Body::None, wait)?;
        Ok(ChannelPiece { ended: reply.says(CHANNEL_END_HEADER), bytes: reply.body })
    }
}

fn file_path(job: JobRef, file: &JobFile, offset: Option<u64>) -> String {
    let JobFile { name, size, sha256 } = file;
    let offset = offset.map_or(String::new(), |offset| format!("&offset={offset}"));
    let (id, fence) = (job.job, job.fence.0);
    format!("{PREFIX}jobs/{id}/files/{}?fence={fence}&size={size}&sha256={sha256}{offset}", encode(name))
}
