//! What a worker and the server say to each other. The normative text is `docs/protocol/worker.md`.
//!
//! The protocol states facts and never changes: a poll says what the worker holds, the answer says what it
//! should do, and either may be lost, repeated or late. Three numbers make that safe. The *epoch* names the
//! worker's session, so that a replaced agent is recognised. The *sequence* orders the polls of a session. The
//! *fence* names one giving of a job; who comes with an older one is refused.

use std::collections::BTreeMap;

use pumice_types::{Failure, JobId, Verdict, WorkerName};
use serde::{Deserialize, Serialize};

/// The versions of this protocol that this code speaks. The major one is also in [`PREFIX`].
pub const PROTOCOL: u32 = 1;

/// What every path of this protocol begins with.
pub const PREFIX: &str = "/api/worker/v1/";

/// The largest body of one piece of a log, file or channel, in bytes.
pub const MAX_PIECE_BYTES: usize = 1 << 20;

/// The response header of a piece read from a channel that says that nothing follows: `true`.
pub const CHANNEL_END_HEADER: &str = "pumice-channel-end";

/// Which giving of a job is meant. Grows each time a job is given to a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// Which session of a worker is meant. Grows each time the worker opens one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// One giving of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobRef {
    /// The job.
    pub job: JobId,
    /// Which giving of it.
    pub fence: Fence,
}

/// `POST register`, with a joining token: makes the worker known. Answer: [`Registered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The name it wants.
    pub name: WorkerName,
}

/// The worker's own token, shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The name it has.
    pub name: WorkerName,
    /// The token for everything else.
    pub token: String,
}

/// Never shows the token.
impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `POST session`: opens a session and closes the worker's earlier one. Answer: [`Welcome`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Random, made anew for each session: the same one again is a repetition, not a new session.
    pub session: String,
    /// The newest version of the protocol it speaks.
    pub protocol: u32,
    /// The program's version, for people.
    pub version: String,
    /// What the host has.
    pub host: HostFacts,
    /// How many jobs it takes at once; `None` for as many as fit.
    #[serde(default)]
    pub job_limit: Option<u32>,
    /// Devices it can make: the server adds or refreshes them where the operator allows it.
    #[serde(default)]
    pub devices: Vec<OfferedDevice>,
    /// What it still has of earlier sessions.
    #[serde(default)]
    pub held: Vec<Held>,
}

/// What a worker's host has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its own name, for people.
    pub hostname: String,
    /// `x86_64`, `aarch64`, …
    pub architecture: String,
    /// Processor cores that jobs may use.
    pub cores: u32,
    /// Memory that jobs may use, in MiB.
    pub memory_mib: u64,
    /// The platforms that work there, by name, with their version.
    #[serde(default)]
    pub platforms: Vec<Versioned>,
    /// The models of its library that can be started there, with their version.
    #[serde(default)]
    pub models: Vec<Versioned>,
}

/// A name and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// The name.
    pub name: String,
    /// The version; empty when unknown.
    #[serde(default)]
    pub version: String,
}

impl Versioned {
    /// The tag by which a job asks for this version of a model: `A15x1-11.27.19`. `None` when the version is unknown.
    pub fn tag(&self) -> Option<String> {
        (!self.version.is_empty()).then(|| format!("{}-{}", self.name, self.version))
    }
}

/// A virtual device that the worker can make without anybody writing a dictionary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedDevice {
    /// Its name; unique in the lab.
    pub name: String,
    /// Its type.
    pub device_type: String,
    /// How many may run at once.
    pub slots: u32,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// The terms of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The session's number.
    pub epoch: Epoch,
    /// The version of the protocol that is spoken from now on.
    pub protocol: u32,
    /// For how long a job is lent, in milliseconds, counted by the worker from when it *sent* the poll whose
    /// answer it received.
    pub lease_ms: u64,
    /// How long the server holds back the answer of a poll when there is nothing to say, at most.
    pub hold_ms: u64,
    /// The largest body the server takes, in bytes.
    pub max_piece_bytes: u64,
}

/// How far a job is on its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Taken, not started yet.
    Accepted,
    /// Its process runs.
    Running,
    /// Its process ended; its log and files are being sent.
    Shipping,
}

/// A job that the worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// Which giving of it.
    pub fence: Fence,
    /// How far it is.
    pub phase: Phase,
}

impl Held {
    /// Which giving of which job.
    pub fn job_ref(self) -> JobRef {
        JobRef { job: self.job, fence: self.fence }
    }
}

/// `POST poll`: says what is, asks what to do, and renews the lease of every job in `held`. Answer: [`Orders`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// The session.
    pub epoch: Epoch,
    /// Grows with each poll of the session, from 1. The server ignores one that does not.
    pub sequence: u64,
    /// Every job it has: taken, running or being shipped. A job leaves this list only after the server has
    /// acknowledged its `finish` or `return`, or has said `stop`.
    pub held: Vec<Held>,
    /// Why it takes no new job (no room on the disk, going down); `None` when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
    /// How long the answer may be held back when there is nothing to say; 0 for at once.
    #[serde(default)]
    pub wait_ms: u64,
    /// The orders it has seen last: the server answers at once when there are others.
    #[serde(default)]
    pub seen: OrdersSeen,
}

/// What of the last [`Orders`] the worker already acts on, so that the server need not repeat it at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersSeen {
    /// Cancellations it carries out.
    #[serde(default)]
    pub cancel: Vec<JobRef>,
    /// Channels it has opened.
    #[serde(default)]
    pub channels: Vec<String>,
}

/// What the worker should do. Said again until done; doing it twice is doing it once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Take these. A worker that has taken one lists it in its next poll, which it sends at once.
    #[serde(default)]
    pub offers: Vec<JobRef>,
    /// End these, gently. One that it does not have, it reports finished with [`Outcome::cancelled`], and never
    /// takes later.
    #[serde(default)]
    pub cancel: Vec<JobRef>,
    /// These are not its own any more: kill and forget them, and send nothing.
    #[serde(default)]
    pub stop: Vec<JobRef>,
    /// Connect these to their job's control socket.
    #[serde(default)]
    pub channels: Vec<OpenChannel>,
}

impl Orders {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.cancel.is_empty() && self.stop.is_empty() && self.channels.is_empty()
    }
}

/// A person wants to talk to a job's machines. The worker connects to the job's control socket and copies
/// bytes both ways (`channels/ID`); it does not look into them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenChannel {
    /// The channel's id, fit for a path.
    pub channel: String,
    /// The job.
    pub job: JobId,
    /// Which giving of it.
    pub fence: Fence,
}

/// `GET jobs/ID/package?fence=F`: all that the job's process needs. The texts are those of LAVA's worker
/// protocol (lava-compat 6.3), empty where there is none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPackage {
    /// The job definition, YAML, secrets filled in.
    pub definition: String,
    /// The device as rendered, YAML.
    pub device: String,
    /// The worker's settings, YAML.
    #[serde(default)]
    pub dispatcher: String,
    /// Environment of the job's process, YAML.
    #[serde(default)]
    pub env: String,
    /// Environment of the guest, YAML.
    #[serde(default)]
    pub env_dut: String,
    /// Whether it is a node of a MultiNode job, whose words are to be passed on (`jobs/ID/group`).
    #[serde(default)]
    pub is_node: bool,
    /// Of a node, the worker of every node of its group, its own among them: those of one worker may share a network.
    #[serde(default)]
    pub node_workers: BTreeMap<JobId, WorkerName>,
}

/// Never shows the definition: its secrets are filled in.
impl std::fmt::Debug for JobPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JobPackage({} bytes of definition)", self.definition.len())
    }
}

/// `POST jobs/ID/started`: the job's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Which giving of the job.
    pub fence: Fence,
}

/// The answer of `GET` and `PUT` on a log, a file or a channel: how many bytes the server has and will not lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The number of bytes; the next piece begins here.
    pub offset: u64,
    /// Whether it is whole and its digest was right. Only files ever are.
    #[serde(default)]
    pub complete: bool,
}

/// A file of the job, `PUT jobs/ID/files/NAME?fence=F&offset=N&size=S&sha256=D` piece by piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// Its name: a `pumice_types::Name`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// `POST jobs/ID/finish`: the job is over and everything was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finish {
    /// Which giving of the job.
    pub fence: Fence,
    /// How it ended.
    pub outcome: Outcome,
    /// The size of the whole log in bytes; the server refuses with `unfinished` when it has fewer.
    pub log_bytes: u64,
    /// The files that were sent; the server refuses with `unfinished` when one is not whole.
    #[serde(default)]
    pub files: Vec<JobFile>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The verdict. A job whose cases fail is complete (lava-compat 3.5).
    pub verdict: Verdict,
    /// Why it is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Outcome {
    /// Everything was done.
    pub fn complete() -> Self {
        Self { verdict: Verdict::Complete, failure: None }
    }

    /// Something went wrong.
    pub fn incomplete(failure: Failure) -> Self {
        Self { verdict: Verdict::Incomplete, failure: Some(failure) }
    }

    /// It was ended because somebody asked.
    pub fn cancelled() -> Self {
        Self { verdict: Verdict::Cancelled, failure: None }
    }
}

/// `POST jobs/ID/return`: the worker has not started the job and will not; another may have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Which giving of the job.
    pub fence: Fence,
    /// Why.
    pub failure: Failure,
}

/// `POST goodbye`: the worker goes down and has no job left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// The session.
    pub epoch: Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: Serialize + serde::de::DeserializeOwned>(text: &str) -> serde_json::Value {
        serde_json::to_value(serde_json::from_str::<T>(text).unwrap()).unwrap()
    }

    /// The examples of `docs/protocol/worker.md`, so that text and types cannot drift apart.
    #[test]
    fn the_examples_of_the_document_are_what_the_types_say() {
        let document = include_str!("../../../docs/protocol/worker.md");
        let mut seen = 0;
        for block in document.split("```json ").skip(1) {
            let (name, rest) = block.split_once('\n').unwrap();
            let text = rest.split("```").next().unwrap();
            let again = match name.trim() {
                "Registration" => round::<Registration>(text),
                "Registered" => round::<Registered>(text),
                "Hello" => round::<Hello>(text),
                "Welcome" => round::<Welcome>(text),
                "Poll" => round::<Poll>(text),
                "Orders" => round::<Orders>(text),
                "JobPackage" => round::<JobPackage>(text),
                "Started" => round::<Started>(text),
                "Position" => round::<Position>(text),
                "Finish" => round::<Finish>(text),
                "Return" => round::<Return>(text),
                "Goodbye" => round::<Goodbye>(text),
                "Problem" => round::<crate::Problem>(text),
                other => panic!("an example of an unknown type `{other}`"),
            };
            assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap(), "{name}");
            seen += 1;
        }
        assert_eq!(seen, 13);
    }

    #[test]
    fn a_field_of_the_future_is_ignored_and_an_absent_list_is_empty() {
        let orders: Orders = serde_json::from_str(r#"{"offers": [], "weather": "fine"}"#).unwrap();
        assert!(orders.is_empty());
    }

    #[test]
    fn secrets_are_not_shown_by_debug() {
        let package = JobPackage {
            definition: "secrets: {key: hunter2}".into(),
            device: String::new(),
            dispatcher: String::new(),
            env: String::new(),
            env_dut: String::new(),
            is_node: false,
            node_workers: BTreeMap::new(),
        };
        assert!(!format!("{package:?}").contains("hunter2"));
        let registered = Registered { name: "w".into(), token: "hunter2".into() };
        assert!(!format!("{registered:?}").contains("hunter2"));
    }
}
