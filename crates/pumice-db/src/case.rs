//! Test cases: what one check said.

use pumice_types::{CaseResult, JobId};

use crate::{
    DbError, Reader, Timestamp, Writer,
    row::{Row, params},
};

/// One result.
#[derive(Clone, Debug)]
pub struct Case {
    /// The key.
    pub id: i64,
    /// The job.
    pub job_id: JobId,
    /// The suite's key.
    pub suite_id: i64,
    /// The suite's name.
    pub suite: String,
    /// The set's key.
    pub set_id: Option<i64>,
    /// The set's name.
    pub set: Option<String>,
    /// The name; may come more than once.
    pub name: String,
    /// What was found.
    pub result: CaseResult,
    /// The number that was measured.
    pub measurement: Option<f64>,
    /// Its unit; may be empty.
    pub units: String,
    /// The result's other fields, a JSON object in the order they came.
    pub metadata: serde_json::Value,
    /// The line of the log where it began, from 0.
    pub start_log_line: Option<i64>,
    /// The line of the log where it ended.
    pub end_log_line: Option<i64>,
    /// When it arrived.
    pub logged: Timestamp,
}

/// One result to be added.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// The suite's key.
    pub suite_id: i64,
    /// The set's key.
    pub set_id: Option<i64>,
    /// The name.
    pub name: String,
    /// What was found.
    pub result: CaseResult,
    /// The number that was measured.
    pub measurement: Option<f64>,
    /// Its unit.
    pub units: String,
    /// The result's other fields, a JSON object.
    pub metadata: serde_json::Value,
    /// The line of the log where it began.
    pub start_log_line: Option<i64>,
    /// The line of the log where it ended.
    pub end_log_line: Option<i64>,
    /// The line of the log that said it: the same line again is the same result.
    pub log_line: i64,
}

pub(crate) const COLUMNS: &str = "c.id, c.job_id, c.suite_id, x.name AS suite, c.set_id, z.name AS set_name, c.name, c.result, c.measurement, \
     c.units, c.metadata, c.start_log_line, c.end_log_line, c.logged \
     FROM cases c JOIN suites x ON x.id = c.suite_id LEFT JOIN test_sets z ON z.id = c.set_id";

pub(crate) fn case(row: &Row) -> Result<Case, DbError> {
    let result = row.text("result")?;
    let metadata = row.text("metadata")?;
    let unreadable = |column: &str, value: &str| DbError::Unreadable {
        column: column.to_owned(),
        value: value.to_owned(),
    };
    Ok(Case {
        id: row.int("id")?,
        job_id: JobId(row.int("job_id")?),
        suite_id: row.int("suite_id")?,
        suite: row.text("suite")?,
        set_id: row.maybe_int("set_id")?,
        set: row.maybe_text("set_name")?,
        name: row.text("name")?,
        result: CaseResult::from_word(&result).ok_or_else(|| unreadable("result", &result))?,
        measurement: row.maybe_double("measurement")?,
        units: row.text("units")?,
        metadata: serde_json::from_str(&metadata).map_err(|_| unreadable("metadata", &metadata))?,
        start_log_line: row.maybe_int("start_log_line")?,
        end_log_line: row.maybe_int("end_log_line")?,
        logged: row.time("logged")?,
    })
}

impl Reader {
    /// The result with this key.
    pub async fn case(&mut self, id: i64) -> Result<Option<Case>, DbError> {
        let sql = format!("SELECT {COLUMNS} WHERE c.id = $1");
        self.row(sql, params![id]).await?.as_ref().map(case).transpose()
    }
}

impl Writer {
    /// Adds a result; `false` when the same line of the log gave it before.
    pub async fn insert_case(&mut self, id: JobId, new: &NewCase, now: Timestamp) -> Result<bool, DbError> {
        let touched = self
            .execute(
                "INSERT INTO cases (job_id, suite_id, set_id, name, result, measurement, units, metadata, \
                 start_log_line, end_log_line, logged, log_line) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (job_id, log_line) DO NOTHING",
                params![
                    id,
                    new.suite_id,
                    new.set_id,
                    &new.name,
                    new.result.as_str(),
                    new.measurement,
                    &new.units,
                    new.metadata.to_string(),
                    new.start_log_line,
                    new.end_log_line,
                    now,
                    new.log_line
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Forgets all results of a job: it is given again and says them anew.
    pub async fn forget_results(&mut self, id: JobId) -> Result<(), DbError> {
        self.execute("DELETE FROM cases WHERE job_id = $1", params![id]).await?;
        self.execute(
            "DELETE FROM test_sets WHERE suite_id IN (SELECT id FROM suites WHERE job_id = $1)",
            params![id],
        )
        .await?;
        self.execute("DELETE FROM suites WHERE job_id = $1", params![id]).await?;
        Ok(())
    }
}
