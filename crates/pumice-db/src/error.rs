//! What can go wrong with the database.

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// There is one already: a name that must be unique was used twice.
    #[error("there is one already")]
    AlreadyExists,
    /// Something else still refers to it, or it refers to something that is not there.
    #[error("something else refers to it, or what it refers to is missing")]
    StillReferenced,
    /// The row is not what it was: somebody else changed it first.
    #[error("it has changed meanwhile")]
    Changed,
    /// A row holds a value that no version of this program writes.
    #[error("column `{column}` holds `{value}`, which means nothing")]
    Unreadable {
        /// Which column.
        column: String,
        /// What it holds.
        value: String,
    },
    /// The database was made by a newer version of this program.
    #[error("the database has schema {found}, this program knows up to {known}: use a newer program")]
    TooNew {
        /// The number in the database.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The address is neither SQLite's nor PostgreSQL's.
    #[error("`{0}` is not a database: write `sqlite:PATH` or `postgres://USER@HOST/NAME`")]
    UnknownEngine(String),
    /// A copy is not this program's to make.
    #[error("a PostgreSQL database is copied with `pg_dump`")]
    CopyElsewhere,
    /// The engine refused or could not be reached.
    #[error("the database failed")]
    Engine(#[source] sqlx::Error),
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
            Some(ErrorKind::UniqueViolation) => Self::AlreadyExists,
            Some(ErrorKind::ForeignKeyViolation) => Self::StillReferenced,
            _ => Self::Engine(error),
        }
    }
}
