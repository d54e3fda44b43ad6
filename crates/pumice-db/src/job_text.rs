//! The long texts of a job.

use pumice_types::JobId;

use crate::{DbError, Reader, Writer, row::params};

/// What was submitted and what became of it.
#[derive(Clone, Debug)]
pub struct JobText {
    /// What the worker gets, as the server wrote it.
    pub definition: String,
    /// What was submitted, comments and all.
    pub original: String,
    /// The whole MultiNode job; empty for others.
    pub multinode: String,
}

/// What a worker was given when it started a job.
#[derive(Clone, Debug)]
pub struct JobConfiguration {
    /// The device as rendered, YAML.
    pub device: String,
    /// The worker's settings, YAML.
    pub dispatcher: String,
    /// The runner's environment, YAML.
    pub env: String,
    /// The device's environment, YAML.
    pub env_dut: String,
}

impl Reader {
    /// A job's texts.
    pub async fn job_text(&mut self, id: JobId) -> Result<Option<JobText>, DbError> {
        let sql = "SELECT definition, original, multinode FROM job_texts WHERE job_id = $1";
        let row = self.row(sql, params![id]).await?;
        row.map(|row| {
            Ok(JobText {
                definition: row.text("definition")?,
                original: row.text("original")?,
                multinode: row.text("multinode")?,
            })
        })
        .transpose()
    }

    /// What a job's worker was given; `None` before it was.
    pub async fn job_configuration(&mut self, id: JobId) -> Result<Option<JobConfiguration>, DbError> {
        let sql = "SELECT device, dispatcher, env, env_dut FROM job_configurations WHERE job_id = $1";
        let row = self.row(sql, params![id]).await?;
        row.map(|row| {
            Ok(JobConfiguration {
                device: row.text("device")?,
                dispatcher: row.text("dispatcher")?,
                env: row.text("env")?,
                env_dut: row.text("env_dut")?,
            })
        })
        .transpose()
    }
}

impl Writer {
    /// Replaces what the worker gets: when a MultiNode group is scheduled its members learn of each other.
    pub async fn set_definition(&mut self, id: JobId, definition: &str) -> Result<(), DbError> {
        self.execute("UPDATE job_texts SET definition = $1 WHERE job_id = $2", params![definition, id])
            .await?;
        Ok(())
    }

    /// Keeps what a job's worker was given; what was kept before is replaced.
    pub async fn set_job_configuration(
        &mut self,
        id: JobId,
        texts: &JobConfiguration,
    ) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO job_configurations (job_id, device, dispatcher, env, env_dut) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (job_id) DO UPDATE SET device = excluded.device, dispatcher = excluded.dispatcher, \
             env = excluded.env, env_dut = excluded.env_dut",
            params![id, &texts.device, &texts.dispatcher, &texts.env, &texts.env_dut],
        )
        .await?;
        Ok(())
    }
}
