//! Suites and sets of results.

use pumice_types::JobId;

use crate::{
    Condition, DbError, Reader, UnknownField, Writer,
    query::{self, Field, Kind, Where, field},
    row::{Row, params},
};

/// A suite: the results of one test definition, or of the infrastructure (`lava`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The key.
    pub id: i64,
    /// The job.
    pub job_id: JobId,
    /// The name, unique in the job.
    pub name: String,
}

const FIELDS: &[Field] = &[field("id", Kind::Int, "x.id"), field("name", Kind::Text, "x.name")];

fn suite(row: &Row) -> Result<Suite, DbError> {
    Ok(Suite { id: row.int("id")?, job_id: JobId(row.int("job_id")?), name: row.text("name")? })
}

impl Condition {
    /// A condition on suites.
    pub fn on_suites(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Reader {
    /// The suites of a job that fit all conditions, in the order they came.
    pub async fn suites(&mut self, id: JobId, conditions: &[Condition]) -> Result<Vec<Suite>, DbError> {
        let mut clause = Where::default();
        clause.and("x.job_id = $?", params![id]);
        clause.all(conditions);
        let sql = format!("SELECT x.id, x.job_id, x.name FROM suites x{} ORDER BY x.id", clause.clause());
        self.rows(sql, clause.params).await?.iter().map(suite).collect()
    }

    /// The suite of this name.
    pub async fn suite(&mut self, id: JobId, name: &str) -> Result<Option<Suite>, DbError> {
        let sql = "SELECT id, job_id, name FROM suites WHERE job_id = $1 AND name = $2";
        self.row(sql, params![id, name]).await?.as_ref().map(suite).transpose()
    }
}

impl Writer {
    /// The key of the suite of this name; made when it is missing.
    pub async fn suite_key(&mut self, id: JobId, name: &str) -> Result<i64, DbError> {
        let sql = "INSERT INTO suites (job_id, name) VALUES ($1, $2) \
                   ON CONFLICT (job_id, name) DO UPDATE SET name = excluded.name RETURNING id";
        self.insert(sql, params![id, name]).await
    }

    /// The key of the set of this name; made when it is missing.
    pub async fn set_key(&mut self, suite_id: i64, name: &str) -> Result<i64, DbError> {
        let sql = "INSERT INTO test_sets (suite_id, name) VALUES ($1, $2) \
                   ON CONFLICT (suite_id, name) DO UPDATE SET name = excluded.name RETURNING id";
        self.insert(sql, params![suite_id, name]).await
    }
}
