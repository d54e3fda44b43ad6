//! Numbers of the whole lab, for its front page and for Prometheus.

use std::collections::BTreeMap;

use pumice_types::JobState;

use crate::{
    DbError, Reader,
    row::{Row, params},
    words::state_of,
};

/// How many of everything there are.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Jobs by state.
    pub jobs: Vec<(JobState, u64)>,
    /// Devices by health, retired ones too.
    pub devices: BTreeMap<String, u64>,
    /// Workers by state.
    pub workers: BTreeMap<String, u64>,
    /// Waiting jobs by the kind of device.
    pub queue: BTreeMap<String, u64>,
}

fn counted(rows: &[Row]) -> Result<BTreeMap<String, u64>, DbError> {
    rows.iter().map(|row| Ok((row.text("name")?, u64::try_from(row.int("n")?).unwrap_or(0)))).collect()
}

impl Reader {
    /// Counts everything.
    pub async fn statistics(&mut self) -> Result<Statistics, DbError> {
        let jobs = counted(
            &self.rows("SELECT state AS name, COUNT(*) AS n FROM jobs GROUP BY state", params![]).await?,
        )?;
        let devices =
            self.rows("SELECT health AS name, COUNT(*) AS n FROM devices GROUP BY health", params![]).await?;
        let workers =
            self.rows("SELECT state AS name, COUNT(*) AS n FROM workers GROUP BY state", params![]).await?;
        let queue = self
            .rows(
                "SELECT COALESCE(requested_device_type, '') AS name, COUNT(*) AS n FROM jobs \
                 WHERE state = 'submitted' GROUP BY requested_device_type",
                params![],
            )
            .await?;
        Ok(Statistics {
            jobs: jobs.into_iter().filter_map(|(word, count)| Some((state_of(&word)?, count))).collect(),
            devices: counted(&devices)?,
            workers: counted(&workers)?,
            queue: counted(&queue)?,
        })
    }
}
