//! Callbacks that wait to be delivered. They are kept here so that a restart forgets none.

use pumice_types::JobId;

use crate::{
    DbError, Reader, Timestamp, Writer,
    row::{Row, params},
};

/// How far a callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackState {
    /// To be tried, again perhaps.
    Waiting,
    /// The other side took it.
    Delivered,
    /// It was tried as often as is sensible.
    GivenUp,
}

impl CallbackState {
    fn column(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given-up",
        }
    }
}

impl std::str::FromStr for CallbackState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Waiting, Self::Delivered, Self::GivenUp]
            .into_iter()
            .find(|state| state.column() == text)
            .ok_or(())
    }
}

/// A callback to be delivered (lava-compat 1.8).
#[derive(Clone, Debug)]
pub struct NewCallback {
    /// The job it tells of.
    pub job_id: JobId,
    /// Where to, placeholders filled in.
    pub url: String,
    /// `GET` or `POST`.
    pub method: String,
    /// `json` or `urlencoded`.
    pub content_type: String,
    /// The header that carries the secret.
    pub header_name: String,
    /// The secret.
    pub header_value: Option<String>,
    /// `minimal`, `logs`, `results` or `all`.
    pub dataset: String,
}

/// A callback as it is kept.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The key.
    pub id: i64,
    /// What to deliver.
    pub what: NewCallback,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt: Timestamp,
    /// How far it is.
    pub state: CallbackState,
    /// Why it failed last.
    pub last_error: Option<String>,
}

fn callback(row: &Row) -> Result<Callback, DbError> {
    Ok(Callback {
        id: row.int("id")?,
        what: NewCallback {
            job_id: JobId(row.int("job_id")?),
            url: row.text("url")?,
            method: row.text("method")?,
            content_type: row.text("content_type")?,
            header_name: row.text("header_name")?,
            header_value: row.maybe_text("header_value")?,
            dataset: row.text("dataset")?,
        },
        attempts: row.int("attempts")?,
        next_attempt: row.time("next_attempt")?,
        state: row.word("state")?,
        last_error: row.maybe_text("last_error")?,
    })
}

impl Reader {
    /// Callbacks that wait, the most urgent first.
    pub async fn waiting_callbacks(&mut self, limit: u64) -> Result<Vec<Callback>, DbError> {
        let sql = format!(
            "SELECT * FROM callbacks WHERE state = 'waiting' ORDER BY next_attempt, id LIMIT {limit}"
        );
        self.rows(sql, params![]).await?.iter().map(callback).collect()
    }
}

impl Writer {
    /// Adds a callback to be tried at once.
    pub async fn insert_callback(&mut self, new: &NewCallback, now: Timestamp) -> Result<i64, DbError> {
        self.insert(
            "INSERT INTO callbacks (job_id, url, method, content_type, header_name, header_value, dataset, attempts, \
             next_attempt, state) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, 'waiting') RETURNING id",
            params![
                new.job_id,
                &new.url,
                &new.method,
                &new.content_type,
                &new.header_name,
                &new.header_value,
                &new.dataset,
                now
            ],
        )
        .await
    }

    /// Notes how a try went; the secret is forgotten once there is no further one.
    pub async fn note_callback(
        &mut self,
        id: i64,
        state: CallbackState,
        error: Option<&str>,
        next_attempt: Timestamp,
    ) -> Result<(), DbError> {
        self.execute(
            "UPDATE callbacks SET state = $1, last_error = $2, next_attempt = $3, attempts = attempts + 1, \
             header_value = CASE WHEN $1 = 'waiting' THEN header_value ELSE NULL END WHERE id = $4",
            params![state.column(), error, next_attempt, id],
        )
        .await?;
        Ok(())
    }
}
