//! The hosts that run jobs.

use crate::{
    Condition, DbError, Listing, ObjectKind, Order, Page, Reader, Timestamp, UnknownField, WorkerHealth,
    WorkerState, Writer,
    query::{self, Field, Kind, Where, field},
    row::{Row, params},
};

/// A host that runs jobs.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The name, unique.
    pub hostname: String,
    /// Whether it is heard of.
    pub state: WorkerState,
    /// Whether it may be given jobs.
    pub health: WorkerHealth,
    /// What it is.
    pub description: Option<String>,
    /// When it last spoke; when it was added, if it never did.
    pub last_ping: Timestamp,
    /// At most so many jobs at once; 0 for as many as fit.
    pub job_limit: i64,
    /// Which program it runs.
    pub version: Option<String>,
    /// Raised to make every token given out so far invalid.
    pub token_generation: i64,
    /// The number of its session (docs/protocol/worker.md, section 2).
    pub epoch: i64,
    /// What it last said it has, as JSON of the worker protocol.
    pub offer: Option<String>,
    /// Whether it has a dispatcher configuration of its own.
    pub has_config: bool,
    /// Whether it has an `env.yaml` of its own.
    pub has_env: bool,
    /// Whether it has an `env-dut.yaml` of its own.
    pub has_env_dut: bool,
}

/// One of a worker's own files (lava-compat 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerFile {
    /// `dispatcher.yaml`.
    Config,
    /// `env.yaml`, the runner's environment.
    Env,
    /// `env-dut.yaml`, the device's environment.
    EnvDut,
}

impl WorkerFile {
    fn column(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Env => "env",
            Self::EnvDut => "env_dut",
        }
    }
}

const COLUMNS: &str = "w.hostname, w.state, w.health, w.description, w.last_ping, w.job_limit, w.version, \
                       w.token_generation, w.epoch, w.offer, \
                       CASE WHEN w.config IS NULL THEN 0 ELSE 1 END AS has_config, \
                       CASE WHEN w.env IS NULL THEN 0 ELSE 1 END AS has_env, \
                       CASE WHEN w.env_dut IS NULL THEN 0 ELSE 1 END AS has_env_dut";

/// What may be asked; the key first.
pub(crate) const FIELDS: &[Field] = &[
    field("hostname", Kind::Text, "w.hostname"),
    field("description", Kind::Text, "w.description"),
    field("last_ping", Kind::Time, "w.last_ping"),
    field("state", Kind::Word, "w.state"),
    field("health", Kind::Word, "w.health"),
    field("job_limit", Kind::Int, "w.job_limit"),
];

fn worker(row: &Row) -> Result<Worker, DbError> {
    Ok(Worker {
        hostname: row.text("hostname")?,
        state: row.word("state")?,
        health: row.word("health")?,
        description: row.maybe_text("description")?,
        last_ping: row.time("last_ping")?,
        job_limit: row.int("job_limit")?,
        version: row.maybe_text("version")?,
        token_generation: row.int("token_generation")?,
        epoch: row.int("epoch")?,
        offer: row.maybe_text("offer")?,
        has_config: row.flag("has_config")?,
        has_env: row.flag("has_env")?,
        has_env_dut: row.flag("has_env_dut")?,
    })
}

impl Condition {
    /// A condition on workers.
    pub fn on_workers(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Order {
    /// An order of workers.
    pub fn of_workers(name: &str) -> Option<Self> {
        query::order(FIELDS, name)
    }
}

impl Reader {
    /// The worker of this name.
    pub async fn worker(&mut self, hostname: &str) -> Result<Option<Worker>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM workers w WHERE w.hostname = $1");
        self.row(sql, params![hostname]).await?.as_ref().map(worker).transpose()
    }

    /// Workers that fit all conditions.
    pub async fn workers(
        &mut self,
        conditions: &[Condition],
        orders: &[Order],
        page: Page,
    ) -> Result<Listing<Worker>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        let filter = clause.clause();
        let total =
            self.count(format!("SELECT COUNT(*) AS n FROM workers w{filter}"), clause.params.clone()).await?;
        let sql =
            format!("SELECT {COLUMNS} FROM workers w{filter}{}", query::tail(orders, "w.hostname", page));
        let rows = self.rows(sql, clause.params).await?.iter().map(worker).collect::<Result<_, _>>()?;
        Ok(Listing { total, rows })
    }

    /// One of a worker's own files; `None` when it has none.
    pub async fn worker_file(&mut self, hostname: &str, file: WorkerFile) -> Result<Option<String>, DbError> {
        let sql = format!("SELECT {} AS text FROM workers WHERE hostname = $1", file.column());
        Ok(self.row(sql, params![hostname]).await?.map(|row| row.maybe_text("text")).transpose()?.flatten())
    }
}

impl Writer {
    /// Adds a worker, offline.
    pub async fn insert_worker(
        &mut self,
        hostname: &str,
        description: Option<&str>,
        health: WorkerHealth,
        now: Timestamp,
    ) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO workers (hostname, state, health, description, last_ping, job_limit, token_generation, epoch) \
             VALUES ($1, $2, $3, $4, $5, 0, 0, 0)",
            params![hostname, WorkerState::Offline.as_str(), health.as_str(), description, now],
        )
        .await?;
        Ok(())
    }

    /// Changes what is given; `false` when there is no such worker.
    pub async fn update_worker(
        &mut self,
        hostname: &str,
        description: Option<&str>,
        health: Option<WorkerHealth>,
        job_limit: Option<i64>,
    ) -> Result<bool, DbError> {
        let touched = self
            .execute(
                "UPDATE workers SET description = COALESCE($1, description), health = COALESCE($2, health), \
                 job_limit = COALESCE($3, job_limit) WHERE hostname = $4",
                params![description, health.map(WorkerHealth::as_str), job_limit, hostname],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Notes that a worker spoke, and what it said it has.
    pub async fn ping_worker(
        &mut self,
        hostname: &str,
        state: WorkerState,
        version: &str,
        offer: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let touched = self
            .execute(
                "UPDATE workers SET state = $1, version = $2, offer = COALESCE($3, offer), last_ping = $4 \
                 WHERE hostname = $5",
                params![state.as_str(), version, offer, now, hostname],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Keeps the number of a worker's session.
    pub async fn set_worker_epoch(&mut self, hostname: &str, epoch: i64) -> Result<(), DbError> {
        self.execute("UPDATE workers SET epoch = $1 WHERE hostname = $2", params![epoch, hostname]).await?;
        Ok(())
    }

    /// Sets the state; `false` when it was that already.
    pub async fn set_worker_state(&mut self, hostname: &str, state: WorkerState) -> Result<bool, DbError> {
        let sql = "UPDATE workers SET state = $1 WHERE hostname = $2 AND state <> $1";
        Ok(self.execute(sql, params![state.as_str(), hostname]).await? > 0)
    }

    /// Sets or removes one of a worker's own files; `false` when there is no such worker.
    pub async fn set_worker_file(
        &mut self,
        hostname: &str,
        file: WorkerFile,
        text: Option<&str>,
    ) -> Result<bool, DbError> {
        let sql = format!("UPDATE workers SET {} = $1 WHERE hostname = $2", file.column());
        Ok(self.execute(sql, params![text, hostname]).await? > 0)
    }

    /// Removes a worker; `false` when there is none. One with devices stays: [`DbError::StillReferenced`].
    pub async fn delete_worker(&mut self, hostname: &str) -> Result<bool, DbError> {
        let touched = self.execute("DELETE FROM workers WHERE hostname = $1", params![hostname]).await?;
        self.forget_permissions(ObjectKind::Worker, hostname).await?;
        Ok(touched > 0)
    }
}
