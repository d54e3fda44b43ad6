//! Lists of jobs.

use pumice_types::JobId;

use crate::{
    Condition, DbError, Job, Listing, Order, Page, Reader, Timestamp, UnknownField, Viewer, Writer, device,
    device_type, group,
    job::{COLUMNS, job},
    query::{self, Field, Kind, Relation, Where, field, related},
    row::params,
    tag, user,
};

const OF_TEXT: &str = "EXISTS (SELECT 1 FROM job_texts x WHERE x.job_id = j.id AND $)";

const FIELDS: &[Field] = &[
    field("id", Kind::Int, "j.id"),
    field("submit_time", Kind::Time, "j.submit_time"),
    field("start_time", Kind::Time, "j.start_time"),
    field("end_time", Kind::Time, "j.end_time"),
    field("health_check", Kind::Flag, "j.is_health_check"),
    field("target_group", Kind::Text, "j.target_group"),
    field("state", Kind::State, "j.state"),
    field("health", Kind::Health, "j.state"),
    field("priority", Kind::Int, "j.priority"),
    field("description", Kind::Text, "j.description"),
    field("failure_comment", Kind::Text, "j.failure_comment"),
    field("requested_device_type", Kind::Text, "j.requested_device_type"),
    field("actual_device", Kind::Text, "j.actual_device"),
    field("worker", Kind::Text, "j.worker"),
    field("submitter", Kind::Text, "s.username"),
    related("definition", Kind::Text, "x.definition", OF_TEXT),
    related("original_definition", Kind::Text, "x.original", OF_TEXT),
    related("multinode_definition", Kind::Text, "x.multinode", OF_TEXT),
];

const RELATIONS: &[Relation] = &[
    Relation {
        prefix: "requested_device_type",
        fields: device_type::FIELDS,
        around: "EXISTS (SELECT 1 FROM device_types y WHERE y.name = j.requested_device_type AND $)",
    },
    Relation {
        prefix: "actual_device",
        fields: device::FIELDS,
        around: "EXISTS (SELECT 1 FROM devices d WHERE d.hostname = j.actual_device AND $)",
    },
    Relation {
        prefix: "tags",
        fields: tag::FIELDS,
        around: "EXISTS (SELECT 1 FROM job_tags jt JOIN tags t ON t.id = jt.tag_id WHERE jt.job_id = j.id AND $)",
    },
    Relation {
        prefix: "viewing_groups",
        fields: group::FIELDS,
        around: "EXISTS (SELECT 1 FROM job_viewing_groups v JOIN groups g ON g.id = v.group_id \
                 WHERE v.job_id = j.id AND $)",
    },
    // Nobody can tag a failure here: no job has any.
    Relation {
        prefix: "failure_tags",
        fields: &[
            field("id", Kind::Int, "f.id"),
            field("name", Kind::Text, "f.name"),
            field("description", Kind::Text, "f.description"),
        ],
        around: "EXISTS (SELECT 1 FROM (SELECT 0 AS id, '' AS name, '' AS description) f WHERE f.id > 0 AND $)",
    },
    Relation {
        prefix: "submitter",
        fields: user::FIELDS,
        around: "EXISTS (SELECT 1 FROM users u WHERE u.id = j.submitter_id AND $)",
    },
];

impl Condition {
    /// A condition on jobs.
    pub fn on_jobs(name: &str, value: &str) -> Result<Self, UnknownField> {
        match name.strip_prefix("metadata__") {
            Some(rest) => Self::on_job_metadata(rest, value),
            None => query::related_condition(FIELDS, RELATIONS, name, value),
        }
    }

    /// Jobs that have not ended.
    pub fn unfinished_jobs() -> Self {
        Self::joined(
            vec![("j.state IN ('submitted', 'scheduled', 'running', 'cancelling')".to_owned(), params![])],
            "AND",
        )
    }
}

impl Order {
    /// An order of jobs.
    pub fn of_jobs(name: &str) -> Option<Self> {
        query::order(FIELDS, name)
    }
}

impl Reader {
    /// Jobs the viewer may see that fit all conditions; the newest first where `orders` do not say otherwise.
    pub async fn jobs(
        &mut self,
        viewer: &Viewer,
        conditions: &[Condition],
        orders: &[Order],
        page: Page,
    ) -> Result<Listing<Job>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        viewer.limit_jobs(&mut clause);
        let filter = clause.clause();
        let sql = format!("SELECT COUNT(*) AS n FROM jobs j JOIN users s ON s.id = j.submitter_id{filter}");
        let total = self.count(sql, clause.params.clone()).await?;
        let sql = format!("SELECT {COLUMNS}{filter}{}", query::tail(orders, "j.id DESC", page));
        let rows = self.rows(sql, clause.params).await?.iter().map(job).collect::<Result<_, _>>()?;
        Ok(Listing { total, rows })
    }

    /// Every job that has not ended, oldest first: what a server that starts must know.
    pub async fn unfinished_jobs(&mut self) -> Result<Vec<Job>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE j.state IN ('submitted', 'scheduled', 'running', 'cancelling') ORDER BY j.id"
        );
        self.rows(sql, params![]).await?.iter().map(job).collect()
    }

    /// Jobs that ended before a moment, the oldest first, at most `limit`. What still refers to a device as its last
    /// health check stays.
    pub async fn jobs_ended_before(&mut self, moment: Timestamp, limit: u64) -> Result<Vec<JobId>, DbError> {
        let sql = format!(
            "SELECT j.id FROM jobs j WHERE j.end_time < $1 AND j.state NOT IN ('submitted', 'scheduled', 'running', 'cancelling') \
             AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.last_health_job = j.id) ORDER BY j.end_time LIMIT {limit}"
        );
        self.rows(sql, params![moment]).await?.iter().map(|row| Ok(JobId(row.int("id")?))).collect()
    }

    /// The jobs given to a worker that have not ended, oldest first.
    pub async fn jobs_of_worker(&mut self, hostname: &str) -> Result<Vec<Job>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE j.worker = $1 AND j.state IN ('scheduled', 'running', 'cancelling') ORDER BY j.id"
        );
        self.rows(sql, params![hostname]).await?.iter().map(job).collect()
    }

    /// Whether the viewer may see one job.
    pub async fn sees_job(&mut self, viewer: &Viewer, id: JobId) -> Result<bool, DbError> {
        let mut clause = Where::default();
        clause.and("j.id = $?", params![id]);
        viewer.limit_jobs(&mut clause);
        let sql = format!("SELECT COUNT(*) AS n FROM jobs j{}", clause.clause());
        Ok(self.count(sql, clause.params).await? > 0)
    }
}

impl Writer {
    /// Removes a job with all that is known of it; `false` when there is none.
    pub async fn delete_job(&mut self, id: JobId) -> Result<bool, DbError> {
        Ok(self.execute("DELETE FROM jobs WHERE id = $1", params![id]).await? > 0)
    }
}
