//! One server a database: the scheduler's state is in memory, and two of them would give one device to two jobs.

use std::{fs::File, io, path::PathBuf, time::Duration};

use sqlx::{AnyConnection, Row as _};

use crate::{Database, DbError, Engine};

/// PostgreSQL's name for the lock: any number, as long as nobody else uses it.
const LOCK: i64 = 657;

/// How long a server that was killed, or a connection that broke, may keep the lock: PostgreSQL has to notice that it is
/// gone.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// Why a database cannot be had for oneself.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another server has it.
    #[error(
        "another server uses this database: stop that one first, or give this one a database of its own; several \
         servers on one database are not supported"
    )]
    Taken,
    /// The lock beside SQLite's file cannot be used.
    #[error("failed to lock `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A database that is ours alone as long as this lives and [`Claim::check`] says so.
#[derive(Debug)]
pub struct Claim(Held);

#[derive(Debug)]
enum Held {
    /// The kernel lets go of it when the process ends.
    File(#[expect(dead_code, reason = "held, not used")] File),
    /// The lock is that of this connection, which is used for nothing else.
    Session(Database, Option<AnyConnection>),
}

impl Database {
    /// Takes the database for this process alone. Commands that only look need not.
    ///
    /// # Errors
    /// Another process has it. On PostgreSQL that is waited for: one that was just killed seems to have it for a moment.
    pub async fn claim(&self) -> Result<Claim, ClaimError> {
        match self.engine() {
            Engine::Sqlite => Ok(Claim(Held::File(self.lock_file()?))),
            Engine::Postgres => {
                let session = self.lock_patiently().await?;
                Ok(Claim(Held::Session(self.clone(), Some(session))))
            }
        }
    }

    async fn lock_patiently(&self) -> Result<AnyConnection, ClaimError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.lock_session().await {
                Err(ClaimError::Taken) if waited < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                    waited += PAUSE;
                }
                locked => return locked,
            }
        }
    }

    fn lock_file(&self) -> Result<File, ClaimError> {
        let path = PathBuf::from(format!("{}.lock", self.file().unwrap_or_default()));
        let failed = |source| ClaimError::File { path: path.clone(), source };
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(ClaimError::Taken),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// A connection that has the lock. It is none of the pool's, so that the lock ends with it.
    async fn lock_session(&self) -> Result<AnyConnection, ClaimError> {
        let mut connection = self.connection().await?.detach();
        let sql = "SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 END::BIGINT AS n";
        let row = sqlx::query(sql).bind(LOCK).fetch_one(&mut connection).await.map_err(DbError::from)?;
        match row.try_get::<i64, _>("n").map_err(DbError::from)? {
            0 => Err(ClaimError::Taken),
            _ => Ok(connection),
        }
    }
}

impl Claim {
    /// Whether the database is still ours. A connection that broke (PostgreSQL was restarted) is made again.
    ///
    /// # Errors
    /// Another server was faster. While the database cannot be reached that is not known: [`ClaimError::Database`].
    pub async fn check(&mut self) -> Result<(), ClaimError> {
        let Held::Session(database, session) = &mut self.0 else { return Ok(()) };
        if let Some(mut connection) = session.take()
            && sqlx::query("SELECT 1::BIGINT AS n").fetch_one(&mut connection).await.is_ok()
        {
            *session = Some(connection);
            return Ok(());
        }
        *session = Some(database.lock_patiently().await?);
        Ok(())
    }
}
