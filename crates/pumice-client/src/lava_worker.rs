//! LAVA's worker protocol, from the worker's side (lava-compat 6.3 and 3.6).

use std::time::Duration;

use pumice_types::JobId;
use serde::Deserialize;

use crate::{
    ClientError, Connection, Credentials,
    connection::{Body, encode, form},
};

/// What every path of LAVA's internal interface begins with.
const PREFIX: &str = "/scheduler/internal/v1/";

/// A LAVA server as its workers see it.
#[derive(Clone, Debug)]
pub struct LavaWorkerClient(Connection);

/// A job in the answer to a ping.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct LavaJob {
    /// Its number.
    pub id: JobId,
    /// The token for everything about it.
    pub token: String,
}

/// Never shows the token.
impl std::fmt::Debug for LavaJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LavaJob({})", self.id)
    }
}

/// The answer to a ping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LavaOrders {
    /// Jobs to end; each must be reported finished, also when it is unknown here.
    #[serde(default)]
    pub cancel: Vec<LavaJob>,
    /// Jobs that the server believes to run here.
    #[serde(default)]
    pub running: Vec<LavaJob>,
    /// Jobs to start. They stay listed until they are said to run.
    #[serde(default)]
    pub start: Vec<LavaJob>,
}

/// All that a job's process needs, as YAML; empty where there is nothing.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct LavaPackage {
    /// The job definition.
    pub definition: String,
    /// The device, rendered.
    pub device: String,
    /// The worker's settings.
    #[serde(default)]
    pub dispatcher: String,
    /// Environment of the job's process.
    #[serde(default)]
    pub env: String,
    /// Environment of the guest.
    #[serde(default, rename = "env-dut")]
    pub env_dut: String,
}

/// Never shows the definition: secrets are filled in.
impl std::fmt::Debug for LavaPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LavaPackage({} bytes of definition)", self.definition.len())
    }
}

/// How a job ended, in LAVA's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LavaResult {
    /// Whether it is complete.
    pub passed: bool,
    /// One of LAVA's error types (lava-compat 3.5); empty when it is complete.
    pub error_type: String,
    /// What the runner said on its standard error.
    pub errors: String,
    /// The text of `description.yaml`.
    pub description: String,
}

#[derive(Deserialize)]
struct LineCount {
    line_count: u64,
}

#[derive(Deserialize)]
struct Registered {
    token: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// LAVA's own timeout of one upload (lava-compat 3.6), beyond the usual one.
const LONGER: Duration = Duration::from_secs(90);

impl LavaWorkerClient {
    /// A client; its credentials are [`Credentials::LavaToken`] with the worker's token, or none to register.
    pub fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// The server's version, which a ping must name (lava-compat 6.5).
    pub fn version(&self) -> Result<String, ClientError> {
        let connection = self.0.with_credentials(Credentials::None);
        let version: Version =
            connection.send("GET", "/api/v0.2/system/version/", Body::None, Duration::ZERO)?.json()?;
        Ok(version.version)
    }

    /// Registers a worker, and answers its token. The account is that of a user who may, where the server asks for one.
    pub fn register(&self, name: &str, account: Option<(&str, &str)>) -> Result<String, ClientError> {
        let mut fields = vec![("name", name)];
        if let Some((user, password)) = account {
            fields.extend([("username", user), ("password", password)]);
        }
        let path = format!("{PREFIX}workers/");
        let registered: Registered =
            self.0.send("POST", &path, Body::Form(form(&fields)), Duration::ZERO)?.json()?;
        Ok(registered.token)
    }

    /// Says that the worker is there, and asks what to do.
    pub fn ping(&self, name: &str, version: &str) -> Result<LavaOrders, ClientError> {
        let path = format!("{PREFIX}workers/{}/?version={}", encode(name), encode(version));
        self.0.send("GET", &path, Body::None, LONGER)?.json()
    }

    fn job(&self, job: &LavaJob) -> (Connection, String) {
        let connection = self.0.with_credentials(Credentials::LavaToken(job.token.clone()));
        (connection, format!("{PREFIX}jobs/{}/", job.id))
    }

    /// All that the job's process needs.
    pub fn package(&self, job: &LavaJob) -> Result<LavaPackage, ClientError> {
        let (connection, path) = self.job(job);
        connection.send("GET", &path, Body::None, LONGER)?.json()
    }

    /// Says that the job runs.
    pub fn running(&self, job: &LavaJob) -> Result<(), ClientError> {
        let (connection, path) = self.job(job);
        connection.send("POST", &path, Body::Form(form(&[("state", "RUNNING")])), LONGER).map(drop)
    }

    /// Says how the job ended.
    pub fn finished(&self, job: &LavaJob, result: &LavaResult) -> Result<(), ClientError> {
        let (connection, path) = self.job(job);
        let fields = [
            ("state", "FINISHED"),
            ("result", if result.passed { "pass" } else { "fail" }),
            ("error_type", &result.error_type),
            ("errors", &result.errors),
            ("description", &result.description),
        ];
        connection.send("POST", &path, Body::Form(form(&fields)), LONGER).map(drop)
    }

    /// Sends lines of the job's log, the first of which is number `index`; answers how many the server took.
    pub fn logs(&self, job: &LavaJob, lines: &str, index: u64) -> Result<u64, ClientError> {
        let (connection, path) = self.job(job);
        let fields = [("lines", lines), ("index", &index.to_string())];
        let count: LineCount =
            connection.send("POST", &format!("{path}logs/"), Body::Form(form(&fields)), LONGER)?.json()?;
        Ok(count.line_count)
    }
}
