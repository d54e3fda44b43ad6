//! A job's way through its states. Every move is a compare-and-swap: it names the state it leaves, and touches
//! nothing when the job is not there any more.

use pumice_types::{JobId, JobState, Verdict};

use crate::{DbError, Timestamp, Writer, row::params, words::column_word};

/// What a scheduled job was given.
#[derive(Clone, Debug)]
pub struct JobHold {
    /// The device.
    pub device: Option<String>,
    /// The worker.
    pub worker: String,
    /// The number of this giving.
    pub fence: i64,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub struct JobEnd {
    /// The verdict.
    pub verdict: Verdict,
    /// Whose failure it was, in LAVA's words.
    pub error_type: Option<String>,
    /// What happened.
    pub error_msg: Option<String>,
    /// The cause with its evidence, as JSON.
    pub failure: Option<String>,
    /// What the runner said beside its log.
    pub failure_comment: Option<String>,
}

impl JobEnd {
    /// An end with nothing to explain.
    pub fn plain(verdict: Verdict) -> Self {
        Self { verdict, error_type: None, error_msg: None, failure: None, failure_comment: None }
    }
}

impl Writer {
    /// Submitted to scheduled; `false` when it is not waiting any more.
    pub async fn schedule_job(&mut self, id: JobId, hold: &JobHold) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET state = 'scheduled', actual_device = $1, worker = $2, fence = $3 \
                   WHERE id = $4 AND state = 'submitted'";
        Ok(self.execute(sql, params![&hold.device, &hold.worker, hold.fence, id]).await? > 0)
    }

    /// Back to the queue: what it was given is taken away. `false` when it is not with a worker.
    pub async fn requeue_job(&mut self, id: JobId, losses: i64, returns: i64) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET state = 'submitted', actual_device = NULL, worker = NULL, start_time = NULL, \
                   losses = $1, returns = $2 WHERE id = $3 AND state IN ('scheduled', 'running', 'cancelling')";
        Ok(self.execute(sql, params![losses, returns, id]).await? > 0)
    }

    /// Scheduled to running; `false` when it is not scheduled with this fence any more.
    pub async fn start_job(&mut self, id: JobId, fence: i64, now: Timestamp) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET state = 'running', start_time = COALESCE(start_time, $1) \
                   WHERE id = $2 AND state = 'scheduled' AND fence = $3";
        Ok(self.execute(sql, params![now, id, fence]).await? > 0)
    }

    /// Scheduled or running to cancelling; `false` when it is neither.
    pub async fn cancel_job(&mut self, id: JobId) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET state = 'cancelling' WHERE id = $1 AND state IN ('scheduled', 'running')";
        Ok(self.execute(sql, params![id]).await? > 0)
    }

    /// From `from` to its end; `false` when it is not in `from`. A job that was never reported as started began
    /// when it ended, unless it never left the queue.
    pub async fn finish_job(
        &mut self,
        id: JobId,
        from: JobState,
        end: &JobEnd,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET state = $1, end_time = $2, \
                   start_time = CASE WHEN state = 'submitted' THEN start_time ELSE COALESCE(start_time, $2) END, \
                   error_type = COALESCE($3, error_type), error_msg = COALESCE($4, error_msg), failure = $5, \
                   failure_comment = COALESCE($6, failure_comment) WHERE id = $7 AND state = $8";
        let values = params![
            column_word(JobState::Finished(end.verdict)),
            now,
            &end.error_type,
            &end.error_msg,
            &end.failure,
            &end.failure_comment,
            id,
            column_word(from)
        ];
        Ok(self.execute(sql, values).await? > 0)
    }

    /// What the log says went wrong; an end that knows better overwrites it.
    pub async fn set_job_error(
        &mut self,
        id: JobId,
        error_type: Option<&str>,
        error_msg: Option<&str>,
    ) -> Result<(), DbError> {
        let sql = "UPDATE jobs SET error_type = $1, error_msg = $2 WHERE id = $3";
        self.execute(sql, params![error_type, error_msg, id]).await?;
        Ok(())
    }

    /// Why a job that has not ended will not be complete, as JSON of a failure. The first reason counts, until its end
    /// says better.
    pub async fn set_job_failure(&mut self, id: JobId, failure: &str) -> Result<(), DbError> {
        let sql = "UPDATE jobs SET failure = $1 WHERE id = $2 AND end_time IS NULL AND failure IS NULL";
        self.execute(sql, params![failure, id]).await?;
        Ok(())
    }

    /// What somebody, or the log, has to say about a failure.
    pub async fn set_failure_comment(&mut self, id: JobId, comment: &str) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET failure_comment = $1 WHERE id = $2";
        Ok(self.execute(sql, params![comment, id]).await? > 0)
    }

    /// Lets a waiting job go sooner or later; `false` when it does not wait any more.
    pub async fn set_priority(&mut self, id: JobId, priority: i64) -> Result<bool, DbError> {
        let sql = "UPDATE jobs SET priority = $1 WHERE id = $2 AND state = 'submitted'";
        Ok(self.execute(sql, params![priority, id]).await? > 0)
    }
}
