//! Opening a database.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Any, AnyConnection, Connection as _, Executor as _, Pool,
    any::{AnyPoolOptions, install_default_drivers},
    pool::PoolConnection,
};
use tokio::sync::Mutex;

use crate::{DbError, Reader, Writer, migrate};

/// Which engine keeps the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One file, in this process.
    Sqlite,
    /// A server of its own.
    Postgres,
}

/// The lab's database: a pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool<Any>,
    engine: Engine,
    /// SQLite's file.
    file: Option<String>,
    /// SQLite's one writer.
    turn: Arc<Mutex<()>>,
}

/// Readers beyond the one writer; more would only wait for the disk.
const SQLITE_CONNECTIONS: u32 = 8;
const POSTGRES_CONNECTIONS: u32 = 16;

/// How long whoever wants a connection, or SQLite's one writer's turn, waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// For each SQLite connection. WAL lets readers go on while one writes; with it, `NORMAL` loses at most the last
/// commits in a power cut and never corrupts (SQLite's documentation, "Write-Ahead Logging").
const SQLITE_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                            PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000; PRAGMA temp_store = MEMORY";

/// A pool, once the database is there: perhaps PostgreSQL is just being started, beside us. What keeps it away is said at once, and is
/// the error in the end.
async fn connect(engine: Engine, options: AnyPoolOptions, address: &str) -> Result<Pool<Any>, DbError> {
    let first = match try_once(engine, address).await {
        Ok(()) => return Ok(options.connect(address).await?),
        Err(error) => DbError::from(error),
    };
    if !first.is_temporary() {
        return Err(first);
    }
    tracing::warn!("the database cannot be used yet, and is tried for {PATIENCE:?}: {}", first.reason());
    options.connect(address).await.map_err(|_| first)
}

/// One connection. A pool would try again what cannot succeed, such as a file that is no database.
async fn try_once(engine: Engine, address: &str) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(address).await?;
    if engine == Engine::Sqlite {
        connection.execute(sqlx::raw_sql(SQLITE_SETUP)).await?;
    }
    connection.close().await
}

impl Database {
    /// Opens `sqlite:PATH` (made when it is missing) or `postgres://…` and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        Self::open_at_version(url, i64::MAX).await
    }

    /// As [`Database::open`], with a schema of at most this version: for tests of migrations.
    #[doc(hidden)]
    pub async fn open_at_version(url: &str, version: i64) -> Result<Self, DbError> {
        install_default_drivers();
        let (engine, address) = match url.split_once(':') {
            Some(("sqlite", path)) if path.contains('?') => (Engine::Sqlite, url.to_owned()),
            Some(("sqlite", path)) if !path.is_empty() => (Engine::Sqlite, format!("sqlite:{path}?mode=rwc")),
            Some(("postgres" | "postgresql", _)) => (Engine::Postgres, url.to_owned()),
            _ => return Err(DbError::UnknownEngine(url.to_owned())),
        };
        let file = address.strip_prefix("sqlite:").and_then(|path| path.split('?').next()).map(str::to_owned);
        let options = AnyPoolOptions::new()
            .acquire_timeout(PATIENCE)
            .max_connections(match engine {
                Engine::Sqlite => SQLITE_CONNECTIONS,
                Engine::Postgres => POSTGRES_CONNECTIONS,
            })
            // When SQLite finds its disk full, it ends the transaction itself, and sqlx 0.9 counts it on for ever: such a connection
            // would refuse to begin another.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if engine == Engine::Sqlite {
                        connection.execute(sqlx::raw_sql(SQLITE_SETUP)).await?;
                    }
                    Ok(())
                })
            });
        let pool = connect(engine, options, &address).await?;
        let database = Self { pool, engine, file, turn: Arc::default() };
        migrate::run(&database, version).await?;
        Ok(database)
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The file of an SQLite database.
    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// A connection, for what needs one of its own.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Any>, DbError> {
        Ok(self.pool.acquire().await?)
    }

    /// A connection to read from.
    pub async fn read(&self) -> Result<Reader, DbError> {
        Ok(Reader::new(self.connection().await?))
    }

    /// A transaction. On SQLite this waits until the writer before has finished.
    pub async fn write(&self) -> Result<Writer, DbError> {
        Ok(match self.engine {
            Engine::Sqlite => {
                let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turn).lock_owned()).await;
                let turn = turn.map_err(|_| DbError::from(sqlx::Error::PoolTimedOut))?;
                Writer::new(self.pool.begin_with("BEGIN IMMEDIATE").await?, Some(turn))
            }
            Engine::Postgres => Writer::new(self.pool.begin().await?, None),
        })
    }

    /// Writes a whole copy of an SQLite database to a file that is not there yet, as it is at one moment, while it is in
    /// use. PostgreSQL has `pg_dump` for this.
    pub async fn copy_to(&self, path: &str) -> Result<(), DbError> {
        if self.engine == Engine::Postgres {
            return Err(DbError::CopyElsewhere);
        }
        let mut connection = self.pool.acquire().await?;
        connection.execute(sqlx::query("VACUUM INTO $1").bind(path.to_owned())).await?;
        Ok(())
    }

    /// Closes every connection once its query has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
