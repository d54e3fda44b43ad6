//! What people ask of a lab: LAVA's REST API (lava-compat 7.3), and ours beside it ([`pumice_api::people`]).

use std::{io, time::Duration};

use pumice_api::{
    people::{
        Channel, CreatedToken, LOG_END_HEADER, Licence, NewToken, PREFIX, Reservation, Reserved, StoredFile,
        Token, Why,
    },
    worker::{CHANNEL_END_HEADER, Position},
};
use pumice_types::JobId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    ChannelPiece, ClientError, Connection,
    connection::{Body, encode, form},
};

/// What every path of LAVA's REST API begins with.
pub(crate) const REST: &str = "/api/v0.2/";

/// A lab as people see it.
#[derive(Clone, Debug)]
pub struct LabClient(Connection);

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Page<T> {
    /// How many there are in all.
    pub count: u64,
    /// Those of this page.
    pub results: Vec<T>,
}

/// A job, as LAVA's REST API tells it. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are LAVA's (lava-compat 7.3)")]
pub struct Job {
    pub id: JobId,
    pub submitter: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub health_check: bool,
    #[serde(default)]
    pub requested_device_type: Option<String>,
    /// Keys of [`Tag`]s.
    #[serde(default)]
    pub tags: Vec<i64>,
    #[serde(default)]
    pub actual_device: Option<String>,
    #[serde(default)]
    pub submit_time: Option<String>,
    #[serde(default)]
    pub start_time: Option<String>,
    #[serde(default)]
    pub end_time: Option<String>,
    pub state: String,
    pub health: String,
    #[serde(default)]
    pub priority: i64,
    #[serde(default)]
    pub definition: String,
    #[serde(default)]
    pub failure_comment: Option<String>,
}

impl Job {
    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        self.state == "Finished"
    }
}

/// A device, as LAVA's REST API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are LAVA's (lava-compat 7.3)")]
pub struct Device {
    pub hostname: String,
    pub device_type: String,
    #[serde(default)]
    pub description: Option<String>,
    /// Keys of [`Tag`]s.
    #[serde(default)]
    pub tags: Vec<i64>,
    pub state: String,
    pub health: String,
    #[serde(default)]
    pub worker_host: Option<String>,
}

/// A tag, as LAVA's REST API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are LAVA's (lava-compat 7.3)")]
pub struct Tag {
    pub id: i64,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
}

/// A worker, as LAVA's REST API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are LAVA's (lava-compat 7.3)")]
pub struct Worker {
    pub hostname: String,
    pub state: String,
    pub health: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub last_ping: Option<String>,
    #[serde(default)]
    pub job_limit: Option<i64>,
    #[serde(default)]
    pub version: Option<String>,
}

/// A test case, as LAVA's REST API tells it: its metadata is YAML in a string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are LAVA's (lava-compat 7.3)")]
pub struct TestCase {
    pub id: i64,
    pub name: String,
    pub result: String,
    #[serde(default)]
    pub unit: Option<String>,
    #[serde(default)]
    pub measurement: Option<String>,
    #[serde(default)]
    pub metadata: Option<String>,
    #[serde(default)]
    pub suite: Option<i64>,
    #[serde(default)]
    pub start_log_line: Option<i64>,
    #[serde(default)]
    pub end_log_line: Option<i64>,
    #[serde(default)]
    pub test_set: Option<i64>,
    #[serde(default)]
    pub logged: Option<String>,
}

/// The jobs that a submission became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// What the server says.
    pub message: String,
    /// The jobs: one, or all of a MultiNode group.
    pub job_ids: Vec<JobId>,
    /// What of the definition is hardly meant, or will not be done, each with its line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How the results of two jobs differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The job that came first.
    pub before: JobId,
    /// The other.
    pub after: JobId,
    /// Each case that is not the same in both.
    pub changes: Vec<Change>,
}

/// A case that two jobs differ in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The suite.
    pub suite: String,
    /// The case.
    pub name: String,
    /// The unit of its measurements; may be empty.
    #[serde(default)]
    pub unit: String,
    /// The result in the first job, if it is there.
    pub before: Option<String>,
    /// The result in the other, if it is there.
    pub after: Option<String>,
    /// What the first job measured.
    pub measurement_before: Option<f64>,
    /// What the other measured.
    pub measurement_after: Option<f64>,
}

/// A piece of a job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPiece {
    /// The bytes, LAVA's log lines (lava-compat 3.3); none when none came in time.
    pub bytes: Vec<u8>,
    /// Whether nothing follows them.
    pub ended: bool,
}

/// Which jobs to list: fields of LAVA's filters (lava-compat 7.3) with their values, such as `state` and `Running`.
pub type JobFilter<'a> = [(&'a str, &'a str)];

const NO_WAIT: Duration = Duration::ZERO;

impl LabClient {
    /// A client; its credentials are [`crate::Credentials::Token`].
    pub fn new(connection: Connection) -> Self {
        Self(connection)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.0.send("GET", path, Body::None, NO_WAIT)?.json()
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.0.send("POST", path, Body::json(body), NO_WAIT)?.json()
    }

    pub(crate) fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        filter: &JobFilter<'_>,
        limit: u32,
        offset: u64,
    ) -> Result<Page<T>, ClientError> {
        let (limit, offset) = (limit.to_string(), offset.to_string());
        let mut fields = filter.to_vec();
        fields.extend([("limit", limit.as_str()), ("offset", offset.as_str())]);
        self.get(&format!("{REST}{what}/?{}", form(&fields)))
    }

    /// The server's version, and the name of the user that the token belongs to.
    pub fn whoami(&self) -> Result<(String, String), ClientError> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        #[derive(Deserialize)]
        struct User {
            user: String,
        }
        let version: Version = self.get(&format!("{REST}system/version/"))?;
        let user: User = self.get(&format!("{REST}system/whoami/"))?;
        Ok((version.version, user.user))
    }

    /// Submits a job definition.
    pub fn submit(&self, definition: &str) -> Result<Submitted, ClientError> {
        self.post(&format!("{REST}jobs/"), &json!({ "definition": definition }))
    }

    /// Jobs, the newest first.
    pub fn jobs(&self, filter: &JobFilter<'_>, limit: u32, offset: u64) -> Result<Page<Job>, ClientError> {
        self.list("jobs", filter, limit, offset)
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Result<Job, ClientError> {
        self.get(&format!("{REST}jobs/{id}/"))
    }

    /// The number of a job that people call `12.0`: a node of a MultiNode job (lava-compat 5.1).
    pub fn job_number(&self, name: &str) -> Result<JobId, ClientError> {
        let job: Job = self.get(&format!("{REST}jobs/{}/", encode(name)))?;
        Ok(job.id)
    }

    /// Ends a job.
    pub fn cancel(&self, id: JobId) -> Result<(), ClientError> {
        // It is a GET in LAVA's API (lava-compat 7.3).
        self.0.send("GET", &format!("{REST}jobs/{id}/cancel/"), Body::None, NO_WAIT).map(drop)
    }

    /// Submits a job again.
    pub fn resubmit(&self, id: JobId) -> Result<Submitted, ClientError> {
        self.post(&format!("{REST}jobs/{id}/resubmit/"), &json!({}))
    }

    /// The test cases of a job.
    pub fn results(&self, id: JobId, limit: u32, offset: u64) -> Result<Page<TestCase>, ClientError> {
        self.list(&format!("jobs/{id}/tests"), &[], limit, offset)
    }

    /// A job's results as a file: `junit`, `tap13`, `csv` or `yaml`.
    pub fn export(&self, id: JobId, format: &str) -> Result<Vec<u8>, ClientError> {
        let path = format!("{REST}jobs/{id}/{}/", encode(format));
        Ok(self.0.send("GET", &path, Body::None, NO_WAIT)?.body)
    }

    /// The job's log from `offset` on, waiting until there is some.
    pub fn log(&self, id: JobId, offset: u64, wait: Duration) -> Result<LogPiece, ClientError> {
        let path = format!("{PREFIX}jobs/{id}/log?offset={offset}&wait_ms={}", wait.as_millis());
        let reply = self.0.send("GET", &path, Body::None, wait)?;
        Ok(LogPiece { ended: reply.says(LOG_END_HEADER), bytes: reply.body })
    }

    /// Why a job waits, or failed.
    pub fn why(&self, id: JobId) -> Result<Why, ClientError> {
        self.get(&format!("{PREFIX}jobs/{id}/why"))
    }

    /// The files that a job left.
    pub fn files(&self, id: JobId) -> Result<Vec<StoredFile>, ClientError> {
        self.get(&format!("{PREFIX}jobs/{id}/files"))
    }

    /// Copies one of the files that a job left to `sink`, from byte `from` on: a download that broke off can go on. Answers how
    /// many bytes came. Whether they are the right ones, [`StoredFile::sha256`] tells.
    pub fn download(
        &self,
        id: JobId,
        name: &str,
        from: u64,
        sink: &mut dyn io::Write,
    ) -> Result<u64, ClientError> {
        self.0.download(&format!("{PREFIX}jobs/{id}/files/{}", encode(name)), from, sink)
    }

    /// Devices, retired ones too when `all`.
    pub fn devices(&self, all: bool, limit: u32, offset: u64) -> Result<Page<Device>, ClientError> {
        let filter: &JobFilter<'_> = if all { &[("all", "true")] } else { &[] };
        self.list("devices", filter, limit, offset)
    }

    /// Sets a device's health, for a reason.
    pub fn set_device_health(&self, name: &str, health: &str, reason: &str) -> Result<(), ClientError> {
        let path = format!("{REST}devices/{}/set_health/", encode(name));
        self.0
            .send("POST", &path, Body::json(&json!({ "health": health, "reason": reason })), NO_WAIT)
            .map(drop)
    }

    /// Tags, by whose keys jobs and devices name them.
    pub fn tags(&self, limit: u32, offset: u64) -> Result<Page<Tag>, ClientError> {
        self.list("tags", &[], limit, offset)
    }

    /// How the results of two jobs differ: `before` is what `after` is held against.
    pub fn compare(&self, before: JobId, after: JobId) -> Result<Comparison, ClientError> {
        self.get(&format!("{REST}jobs/{after}/compare/{before}/"))
    }

    /// Workers.
    pub fn workers(&self, limit: u32, offset: u64) -> Result<Page<Worker>, ClientError> {
        self.list("workers", &[], limit, offset)
    }

    /// The licences that the lab counts.
    pub fn licences(&self) -> Result<Vec<Licence>, ClientError> {
        self.get(&format!("{PREFIX}licences"))
    }

    /// One's tokens.
    pub fn tokens(&self) -> Result<Vec<Token>, ClientError> {
        self.get(&format!("{PREFIX}tokens"))
    }

    /// Makes a token.
    pub fn create_token(&self, token: &NewToken) -> Result<CreatedToken, ClientError> {
        self.post(&format!("{PREFIX}tokens"), token)
    }

    /// Ends a token.
    pub fn delete_token(&self, id: i64) -> Result<(), ClientError> {
        self.0.send("DELETE", &format!("{PREFIX}tokens/{id}"), Body::None, NO_WAIT).map(drop)
    }

    /// Reserves a machine.
    pub fn reserve(&self, reservation: &Reservation) -> Result<Reserved, ClientError> {
        self.post(&format!("{PREFIX}reservations"), reservation)
    }

    /// Opens a channel to a job's machines.
    pub fn open_channel(&self, id: JobId) -> Result<Channel, ClientError> {
        self.post(&format!("{PREFIX}jobs/{id}/channels"), &json!({}))
    }

    /// Sends bytes to a job.
    pub fn channel_send(
        &self,
        channel: &str,
        offset: u64,
        piece: &[u8],
        end: bool,
    ) -> Result<Position, ClientError> {
        let path = format!("{PREFIX}channels/{}?offset={offset}&end={end}", encode(channel));
        self.0.send("PUT", &path, Body::Bytes(piece), Duration::from_secs(60))?.json()
    }

    /// Waits for bytes from a job, from `offset` on; all before it was taken.
    pub fn channel_receive(
        &self,
        channel: &str,
        offset: u64,
        wait: Duration,
    ) -> Result<ChannelPiece, ClientError> {
        let path =
            format!("{PREFIX}channels/{}?offset={offset}&wait_ms={}", encode(channel), wait.as_millis());
        let reply = self.0.send("GET", &path, Body::None, wait)?;
        Ok(ChannelPiece { ended: reply.says(CHANNEL_END_HEADER), bytes: reply.body })
    }
}
