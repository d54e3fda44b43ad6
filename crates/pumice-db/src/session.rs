//! A connection on loan: to read, or to write in a transaction.

use std::ops::{Deref, DerefMut};

use sqlx::{Any, AnyConnection, AssertSqlSafe, any::AnyArguments, pool::PoolConnection, query::Query};
use tokio::sync::OwnedMutexGuard;

use crate::{
    DbError,
    row::{Param, Row},
};

/// Reads. Its methods stand in the file of the table they read.
pub struct Reader {
    held: Held,
}

enum Held {
    Connection(PoolConnection<Any>),
    Transaction(sqlx::Transaction<'static, Any>),
}

/// Writes, in one transaction: nothing is done until [`Writer::commit`], and dropping it undoes all.
pub struct Writer {
    reader: Reader,
    /// SQLite has one writer at a time; waiting here is fair and costs nothing, waiting there polls.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Reader {
    pub(crate) fn new(connection: PoolConnection<Any>) -> Self {
        Self { held: Held::Connection(connection) }
    }

    fn connection(&mut self) -> &mut AnyConnection {
        match &mut self.held {
            Held::Connection(connection) => connection,
            Held::Transaction(transaction) => transaction,
        }
    }

    pub(crate) async fn rows(
        &mut self,
        sql: impl Into<String>,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, DbError> {
        let rows = bound(sql, params).fetch_all(self.connection()).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    pub(crate) async fn row(
        &mut self,
        sql: impl Into<String>,
        params: Vec<Param>,
    ) -> Result<Option<Row>, DbError> {
        Ok(bound(sql, params).fetch_optional(self.connection()).await?.map(Row))
    }

    /// The one number a query such as `SELECT COUNT(*) AS n` answers.
    pub(crate) async fn count(&mut self, sql: impl Into<String>, params: Vec<Param>) -> Result<u64, DbError> {
        let row = bound(sql, params).fetch_one(self.connection()).await.map(Row)?;
        Ok(u64::try_from(row.int("n")?).unwrap_or(0))
    }

    /// One text column of all rows.
    pub(crate) async fn texts(
        &mut self,
        sql: impl Into<String>,
        params: Vec<Param>,
    ) -> Result<Vec<String>, DbError> {
        self.rows(sql, params).await?.iter().map(|row| row.text("name")).collect()
    }
}

impl Writer {
    pub(crate) fn new(
        transaction: sqlx::Transaction<'static, Any>,
        turn: Option<OwnedMutexGuard<()>>,
    ) -> Self {
        Self { reader: Reader { held: Held::Transaction(transaction) }, _turn: turn }
    }

    /// Makes everything done so far permanent.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.reader.held {
            Held::Transaction(transaction) => Ok(transaction.commit().await?),
            Held::Connection(_) => Ok(()),
        }
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        sql: impl Into<String>,
        params: Vec<Param>,
    ) -> Result<u64, DbError> {
        Ok(bound(sql, params).execute(self.connection()).await?.rows_affected())
    }

    /// Runs an `INSERT … RETURNING id` and answers the id.
    pub(crate) async fn insert(
        &mut self,
        sql: impl Into<String>,
        params: Vec<Param>,
    ) -> Result<i64, DbError> {
        let row = bound(sql, params).fetch_one(self.connection()).await.map(Row)?;
        row.int("id")
    }
}

impl Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

/// Every text comes from this crate: values travel as parameters, names of columns from fixed tables.
fn bound(sql: impl Into<String>, params: Vec<Param>) -> Query<'static, Any, AnyArguments> {
    params.into_iter().fold(sqlx::query(AssertSqlSafe(sql.into())), |query, param| match param {
        Param::Int(value) => query.bind(value),
        Param::Double(value) => match value.filter(|value| value.is_finite()) {
            Some(value) => query.bind(value),
            // sqlx 0.9 gives PostgreSQL a missing `f32` as a double and a missing `f64` as a `real`, after which the same
            // statement refuses a value (sqlx-core, any/arguments.rs).
            None => query.bind(None::<f32>),
        },
        Param::Text(value) => query.bind(value),
    })
}
