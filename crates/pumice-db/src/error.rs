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
    /// It cannot be used at the moment: it is not reached, too busy, or held by somebody else. The same may succeed later.
    #[error("the database cannot be used at the moment")]
    Unavailable(#[source] sqlx::Error),
    /// There is no room where the database is kept. The same may succeed once there is.
    #[error("the database has no room left on its disk")]
    NoRoom(#[source] sqlx::Error),
    /// The engine refused.
    #[error("the database failed")]
    Engine(#[source] sqlx::Error),
}

impl DbError {
    /// Whether the same may succeed later without anybody changing it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::NoRoom(_))
    }

    /// In a line: the engine's own words where there are some.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unavailable(source) | Self::NoRoom(source) | Self::Engine(source) => source.to_string(),
            other => other.to_string(),
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
            Some(ErrorKind::UniqueViolation) => Self::AlreadyExists,
            Some(ErrorKind::ForeignKeyViolation) => Self::StillReferenced,
            _ if is_full(&error) => Self::NoRoom(error),
            _ if is_passing(&error) => Self::Unavailable(error),
            _ => Self::Engine(error),
        }
    }
}

/// The engine's own code for an error: SQLite's result code (<https://www.sqlite.org/rescode.html>) as a number, or
/// PostgreSQL's five letters (its manual, appendix A).
fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned)
}

/// The low byte of an SQLite result code says what kind it is; PostgreSQL's codes of letters give nothing.
fn sqlite_kind(code: &str) -> Option<u32> {
    // PostgreSQL's codes have five letters, and SQLite's numbers have at most four.
    code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|code| code & 0xff)
}

fn is_full(error: &sqlx::Error) -> bool {
    // SQLITE_FULL; PostgreSQL's disk_full.
    code(error).is_some_and(|code| sqlite_kind(&code) == Some(13) || code == "53100")
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // The last is a connection that ends in the middle of an answer.
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_) => true,
        other => code(other).is_some_and(|code| match sqlite_kind(&code) {
            // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN.
            Some(kind) => matches!(kind, 5 | 6 | 10 | 14),
            // Connection trouble, resources, operator intervention, and conflicts of two transactions.
            None => {
                ["08", "53", "57P"].iter().any(|class| code.starts_with(class))
                    || matches!(code.as_str(), "40001" | "40P01" | "55P03")
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, expected: Option<u32>) {
        assert_eq!(sqlite_kind(code), expected, "{code}");
    }

    #[test]
    fn codes_of_the_two_engines_are_told_apart() {
        check("13", Some(13));
        check("5", Some(5));
        check("778", Some(10));
        check("53100", None);
        check("08006", None);
        check("57P01", None);
    }

    #[test]
    fn a_connection_that_breaks_is_temporary_and_a_wrong_query_is_not() {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(DbError::from(sqlx::Error::Io(broken)).is_temporary());
        assert!(DbError::from(sqlx::Error::PoolTimedOut).is_temporary());
        assert!(!DbError::from(sqlx::Error::RowNotFound).is_temporary());
    }
}
