//! How the lab says no. Each door turns it into its own form: a fault, a JSON body, a page.

use pumice_db::DbError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Nobody is logged in.
    #[error("{0}")]
    LoginRequired(String),
    /// Somebody is, and may not.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or it may not be seen.
    #[error("{0}")]
    Missing(String),
    /// It is in a state that does not allow this.
    #[error("{0}")]
    Conflict(String),
    /// The bytes are not those that were announced.
    #[error("{0}")]
    WrongBytes(String),
    /// There is no room left.
    #[error("{0}")]
    NoRoom(String),
    /// Too many requests.
    #[error("too many requests: wait and try again")]
    TooMany,
    /// The server cannot do it at the moment: its database is not reached, or its disk is full. The same may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// The server is at fault. The cause goes to the log, not to the client.
    #[error("the server failed: {0}")]
    Internal(String),
}

impl Refusal {
    /// LAVA's words when nobody is logged in.
    pub(crate) fn login_required() -> Self {
        Self::LoginRequired("Authentication with user and token required for this API.".to_owned())
    }

    /// Something is not there, in LAVA's words.
    pub(crate) fn missing(kind: &str, name: impl std::fmt::Display) -> Self {
        Self::Missing(format!("{kind} '{name}' was not found."))
    }

    /// The HTTP status, which is also the code of an XML-RPC fault.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) => 400,
            Self::LoginRequired(_) => 401,
            Self::Forbidden(_) => 403,
            Self::Missing(_) => 404,
            Self::Conflict(_) => 409,
            Self::WrongBytes(_) => 422,
            Self::TooMany => 429,
            Self::Internal(_) => 500,
            Self::Unavailable(_) | Self::NoRoom(_) => 503,
        }
    }

    /// What the client may read.
    pub(crate) fn public_message(&self) -> String {
        match self {
            Self::Internal(_) => "The server failed; its log says why.".to_owned(),
            other => other.to_string(),
        }
    }

    /// Writes the server's own faults to its log.
    pub(crate) fn log(&self) {
        match self {
            Self::Internal(cause) => tracing::error!(cause, "a request failed"),
            Self::NoRoom(what) => tracing::error!(what, "the disk is full"),
            _ => {}
        }
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        match error {
            DbError::AlreadyExists => Self::Invalid("There is one already.".to_owned()),
            DbError::StillReferenced => Self::Conflict("Something else still refers to it.".to_owned()),
            DbError::Changed => Self::Conflict("It has changed meanwhile.".to_owned()),
            error @ (DbError::NoRoom(_) | DbError::Unavailable(_)) => {
                tracing::error!(error = with_sources(&error), "the database cannot be used");
                let what = match error {
                    DbError::NoRoom(_) => "The server's database has no room left on its disk",
                    _ => "The server cannot use its database at the moment",
                };
                Self::Unavailable(format!("{what}: try again later"))
            }
            other => Self::Internal(with_sources(&other)),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        if is_full(&error) {
            tracing::error!(%error, "the server's disk is full");
            return Self::Unavailable("The server has no room left on its disk: try again later".to_owned());
        }
        Self::Internal(error.to_string())
    }
}

/// Whether there was no room for what was to be written.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// An error and everything behind it.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
