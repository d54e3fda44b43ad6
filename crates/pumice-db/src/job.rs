//! Jobs: one row each, and how one comes to be.

use pumice_types::{JobId, JobState};

use crate::{
    DbError, Reader, Timestamp, Writer,
    row::{Param, Row, params},
    words::state_of,
};

/// Who may see a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody who sees its device.
    Public,
    /// Its submitter.
    Personal,
    /// Members of all its viewing groups.
    Group,
}

impl Visibility {
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Personal => "personal",
            Self::Group => "group",
        }
    }
}

impl std::str::FromStr for Visibility {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Public, Self::Personal, Self::Group].into_iter().find(|word| word.column() == text).ok_or(())
    }
}

/// A job, without its long texts.
#[derive(Clone, Debug)]
pub struct Job {
    /// The number.
    pub id: JobId,
    /// In a MultiNode group: `12.0`, the number people see.
    pub sub_id: Option<String>,
    /// The group's name.
    pub target_group: Option<String>,
    /// The role in the group.
    pub role: Option<String>,
    /// The submitter's key.
    pub submitter_id: i64,
    /// The submitter's name.
    pub submitter: String,
    /// The job's name.
    pub description: String,
    /// The kind of device it asked for.
    pub requested_device_type: Option<String>,
    /// The device it asked for.
    pub requested_device: Option<String>,
    /// The worker it asked for.
    pub requested_worker: Option<String>,
    /// The device it was given.
    pub actual_device: Option<String>,
    /// The worker it was given to.
    pub worker: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// 0 to 100; the higher the sooner.
    pub priority: i64,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether it checks a device.
    pub is_health_check: bool,
    /// When it was submitted.
    pub submit_time: Timestamp,
    /// When it was started.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// When it is cancelled if it still waits.
    pub queue_deadline: Option<Timestamp>,
    /// Which giving of it to a worker is the present one (docs/protocol/worker.md, section 3).
    pub fence: i64,
    /// How often it was lost with its worker.
    pub losses: i64,
    /// How often a worker handed it back.
    pub returns: i64,
    /// What it asks of the lab, as JSON of the scheduler.
    pub request: String,
    /// Whose failure it was, in LAVA's words.
    pub error_type: Option<String>,
    /// What happened.
    pub error_msg: Option<String>,
    /// The cause with its evidence, as JSON.
    pub failure: Option<String>,
    /// What somebody wrote about the failure.
    pub failure_comment: Option<String>,
    /// The job's metadata, as JSON.
    pub metadata: String,
}

impl Job {
    /// The number people see: `12.0` in a MultiNode group, else `12`.
    pub fn display_id(&self) -> String {
        self.sub_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// Whether it ended.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, JobState::Finished(_))
    }
}

/// A job to be submitted.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The group's name, the place in it, and the role.
    pub group: Option<(String, u32, String)>,
    /// The submitter's key.
    pub submitter_id: i64,
    /// The job's name.
    pub description: String,
    /// The kind of device.
    pub requested_device_type: Option<String>,
    /// The device.
    pub requested_device: Option<String>,
    /// The worker.
    pub requested_worker: Option<String>,
    /// 0 to 100.
    pub priority: i64,
    /// Who may see it.
    pub visibility: Visibility,
    /// The keys of the groups that may see it.
    pub viewing_groups: Vec<i64>,
    /// Whether it checks a device.
    pub is_health_check: bool,
    /// When it is cancelled if it still waits.
    pub queue_deadline: Option<Timestamp>,
    /// The keys of the tags it asks for.
    pub tags: Vec<i64>,
    /// The job's metadata, as JSON.
    pub metadata: serde_json::Value,
    /// What the worker gets.
    pub definition: String,
    /// What was submitted.
    pub original: String,
    /// The whole MultiNode job; empty for others.
    pub multinode: String,
}

pub(crate) const COLUMNS: &str = "j.id, j.sub_id, j.target_group, j.role, j.submitter_id, s.username AS submitter, j.description, \
     j.requested_device_type, j.requested_device, j.requested_worker, j.actual_device, j.worker, j.state, j.priority, \
     j.visibility, j.is_health_check, j.submit_time, j.start_time, j.end_time, j.queue_deadline, j.fence, j.losses, j.returns, j.request, \
     j.error_type, j.error_msg, j.failure, j.failure_comment, j.metadata \
     FROM jobs j JOIN users s ON s.id = j.submitter_id";

pub(crate) fn job(row: &Row) -> Result<Job, DbError> {
    let state = row.text("state")?;
    Ok(Job {
        id: JobId(row.int("id")?),
        sub_id: row.maybe_text("sub_id")?,
        target_group: row.maybe_text("target_group")?,
        role: row.maybe_text("role")?,
        submitter_id: row.int("submitter_id")?,
        submitter: row.text("submitter")?,
        description: row.text("description")?,
        requested_device_type: row.maybe_text("requested_device_type")?,
        requested_device: row.maybe_text("requested_device")?,
        requested_worker: row.maybe_text("requested_worker")?,
        actual_device: row.maybe_text("actual_device")?,
        worker: row.maybe_text("worker")?,
        state: state_of(&state).ok_or(DbError::Unreadable { column: "state".to_owned(), value: state })?,
        priority: row.int("priority")?,
        visibility: row.word("visibility")?,
        is_health_check: row.flag("is_health_check")?,
        submit_time: row.time("submit_time")?,
        start_time: row.maybe_time("start_time")?,
        end_time: row.maybe_time("end_time")?,
        queue_deadline: row.maybe_time("queue_deadline")?,
        fence: row.int("fence")?,
        losses: row.int("losses")?,
        returns: row.int("returns")?,
        request: row.text("request")?,
        error_type: row.maybe_text("error_type")?,
        error_msg: row.maybe_text("error_msg")?,
        failure: row.maybe_text("failure")?,
        failure_comment: row.maybe_text("failure_comment")?,
        metadata: row.text("metadata")?,
    })
}

impl Reader {
    /// The job of this number.
    pub async fn job(&mut self, id: JobId) -> Result<Option<Job>, DbError> {
        let sql = format!("SELECT {COLUMNS} WHERE j.id = $1");
        self.row(sql, params![id]).await?.as_ref().map(job).transpose()
    }

    /// The job people call `12.1`.
    pub async fn job_by_sub_id(&mut self, sub_id: &str) -> Result<Option<Job>, DbError> {
        let sql = format!("SELECT {COLUMNS} WHERE j.sub_id = $1");
        self.row(sql, params![sub_id]).await?.as_ref().map(job).transpose()
    }

    /// All jobs of a MultiNode group, by number.
    pub async fn jobs_of_group(&mut self, target_group: &str) -> Result<Vec<Job>, DbError> {
        let sql = format!("SELECT {COLUMNS} WHERE j.target_group = $1 ORDER BY j.id");
        self.rows(sql, params![target_group]).await?.iter().map(job).collect()
    }

    /// The names of the tags a job asks for.
    pub async fn job_tags(&mut self, id: JobId) -> Result<Vec<String>, DbError> {
        let sql = "SELECT t.name FROM tags t JOIN job_tags jt ON jt.tag_id = t.id WHERE jt.job_id = $1 ORDER BY t.name";
        self.texts(sql, params![id]).await
    }

    /// The keys of the groups that may see a job.
    pub async fn viewing_group_keys(&mut self, id: JobId) -> Result<Vec<i64>, DbError> {
        let rows =
            self.rows("SELECT group_id FROM job_viewing_groups WHERE job_id = $1", params![id]).await?;
        rows.iter().map(|row| row.int("group_id")).collect()
    }

    /// The names of the groups that may see a job.
    pub async fn viewing_groups(&mut self, id: JobId) -> Result<Vec<String>, DbError> {
        let sql = "SELECT g.name FROM groups g JOIN job_viewing_groups v ON v.group_id = g.id \
                   WHERE v.job_id = $1 ORDER BY g.name";
        self.texts(sql, params![id]).await
    }
}

impl Writer {
    /// Adds the jobs of one submission, waiting, and answers their numbers. Members of a group are numbered
    /// `FIRST.0`, `FIRST.1`, … where FIRST is the first one's number (lava-compat 5.1).
    pub async fn insert_jobs(&mut self, jobs: &[NewJob], now: Timestamp) -> Result<Vec<JobId>, DbError> {
        let mut ids = Vec::with_capacity(jobs.len());
        for new in jobs {
            let id = self.insert_job(new, now).await?;
            ids.push(id);
            if let Some((_, place, _)) = &new.group {
                let first = ids.first().copied().unwrap_or(id);
                let sql = "UPDATE jobs SET sub_id = $1 WHERE id = $2";
                self.execute(sql, params![format!("{first}.{place}"), id]).await?;
            }
        }
        Ok(ids)
    }

    /// Keeps what a job asks of the lab: it names other members of its group, so it is known only once all have a
    /// number.
    pub async fn set_request(&mut self, id: JobId, request: &str) -> Result<(), DbError> {
        self.execute("UPDATE jobs SET request = $1 WHERE id = $2", params![request, id]).await?;
        Ok(())
    }

    async fn insert_job(&mut self, new: &NewJob, now: Timestamp) -> Result<JobId, DbError> {
        let (target_group, role) = match &new.group {
            Some((target_group, _, role)) => (Some(target_group.clone()), Some(role.clone())),
            None => (None, None),
        };
        let id = self
            .insert(
                "INSERT INTO jobs (target_group, role, submitter_id, description, requested_device_type, \
                 requested_device, requested_worker, state, priority, visibility, is_health_check, submit_time, \
                 queue_deadline, fence, losses, returns, request, metadata) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 'submitted', $8, $9, $10, $11, $12, 0, 0, 0, '', $13) RETURNING id",
                params![
                    target_group,
                    role,
                    new.submitter_id,
                    &new.description,
                    &new.requested_device_type,
                    &new.requested_device,
                    &new.requested_worker,
                    new.priority,
                    new.visibility.column(),
                    new.is_health_check,
                    now,
                    new.queue_deadline,
                    new.metadata.to_string()
                ],
            )
            .await?;
        self.execute(
            "INSERT INTO job_texts (job_id, definition, original, multinode) VALUES ($1, $2, $3, $4)",
            params![id, &new.definition, &new.original, &new.multinode],
        )
        .await?;
        self.relate("job_tags (job_id, tag_id)", id, &new.tags).await?;
        self.relate("job_viewing_groups (job_id, group_id)", id, &new.viewing_groups).await?;
        self.insert_job_metadata(JobId(id), &new.metadata).await?;
        Ok(JobId(id))
    }

    async fn relate(&mut self, table: &str, job_id: i64, keys: &[i64]) -> Result<(), DbError> {
        for key in keys {
            let values: Vec<Param> = params![job_id, *key];
            self.execute(format!("INSERT INTO {table} VALUES ($1, $2) ON CONFLICT DO NOTHING"), values)
                .await?;
        }
        Ok(())
    }
}
