//! What can go wrong, and whose fault it is.

use std::{io, net::IpAddr, path::PathBuf, time::Duration};

use pumice_image::compression::UnpackError;
use pumice_types::{Blame, ByteSize, Cause};

use crate::Algorithm;

/// The store itself does not work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made or read.
    #[error("failed to open the store `{path}`")]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory belongs to another version of us, or to something else.
    #[error("the store `{path}` is of the version `{found}`, which we do not know")]
    Version {
        /// The directory.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A file in it cannot be read or written.
    #[error("failed to use the store")]
    Io(#[from] io::Error),
}

impl Blame for StoreError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Open { source, .. } | Self::Io(source) => cause_of_host(source),
            Self::Version { .. } => Cause::HostRefused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { .. } => Some("name a directory of your own for the store".to_owned()),
            Self::Version { .. } => {
                Some("use another directory, or remove this one when nothing else uses it".to_owned())
            }
            Self::Io(_) => None,
        }
    }
}

/// A full disk is one; everything else the host does to us is the host's.
pub(crate) fn cause_of_host(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::DiskFull,
        _ => Cause::HostRefused,
    }
}

/// A file cannot be had. URLs are shown without passwords and queries.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is none, or names nothing we can fetch.
    #[error("`{url}` cannot be fetched: {why}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A scheme we do not fetch.
    #[error("`{url}` cannot be fetched: the scheme `{scheme}` is not supported")]
    Scheme {
        /// The URL.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// The server answered that there is no such file, or that we may not have it.
    #[error("`{url}` was refused: the server answered {status} {}", reason(*status))]
    Refused {
        /// The URL.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// A file of the host that is not there, or that we may not read.
    #[error("`{path}` cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operator does not let jobs read that file.
    #[error("`{0}` is outside the directories that jobs may read")]
    FileForbidden(PathBuf),
    /// The operator does not let jobs talk to that address.
    #[error("`{url}` is at the address {address}, which jobs may not use")]
    AddressForbidden {
        /// The URL.
        url: String,
        /// The address.
        address: IpAddr,
    },
    /// A redirect that leads nowhere.
    #[error("`{url}` was redirected {count} times without an end")]
    Redirects {
        /// The URL that was asked for.
        url: String,
        /// How often.
        count: u32,
    },
    /// It was tried as often as allowed, or there is no point in trying again.
    #[error("`{url}` could not be downloaded in {attempts} {}: {reason}", if *attempts == 1 { "attempt" } else { "attempts" })]
    Failed {
        /// The URL.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong the last time.
        reason: String,
    },
    /// The bytes are not those the job names.
    #[error("`{url}` has the {algorithm} checksum {found} and not {expected}")]
    Checksum {
        /// The URL.
        url: String,
        /// Which checksum.
        algorithm: Algorithm,
        /// What the job says.
        expected: String,
        /// What the bytes say.
        found: String,
    },
    /// It is larger than allowed.
    #[error("`{url}` is larger than the limit of {limit}")]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit.
        limit: ByteSize,
    },
    /// It cannot be unpacked.
    #[error("`{url}` cannot be unpacked")]
    Unpack {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// No room left for it.
    #[error("no room for `{url}` in the store `{store}`: {available} are free{}", needed_text(*.needed))]
    DiskFull {
        /// The URL.
        url: String,
        /// The store.
        store: PathBuf,
        /// How much it takes, where that is known.
        needed: Option<ByteSize>,
        /// How much there is.
        available: ByteSize,
    },
    /// The time is over.
    #[error("{owner} timed out after {} seconds, waiting for {waited_for}", .limit.as_secs())]
    TimedOut {
        /// Whose time it was.
        owner: String,
        /// How long that was.
        limit: Duration,
        /// For what.
        waited_for: String,
    },
    /// Nobody wants it any more.
    #[error("the download of `{0}` was cancelled")]
    Cancelled(String),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn needed_text(needed: Option<ByteSize>) -> String {
    needed.map_or_else(String::new, |needed| format!(", it needs at least {needed}"))
}

/// The usual words for the statuses people meet (RFC 9110, 15).
fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        451 => "Unavailable For Legal Reasons",
        _ => "",
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        Self::Store(StoreError::Io(error))
    }
}

impl Blame for FetchError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Url { .. } | Self::Scheme { .. } => Cause::InvalidDefinition,
            Self::Refused { .. }
            | Self::File { .. }
            | Self::FileForbidden(_)
            | Self::AddressForbidden { .. }
            | Self::Redirects { .. } => Cause::DownloadRefused,
            Self::Failed { .. } => Cause::DownloadFailed,
            Self::Checksum { .. } => Cause::ChecksumMismatch,
            Self::TooLarge { .. } => Cause::ImageUnusable,
            Self::Unpack { source, .. } => source.root_cause(),
            Self::DiskFull { .. } => Cause::DiskFull,
            Self::TimedOut { .. } => Cause::StepTimeout,
            Self::Cancelled(_) => Cause::Cancelled,
            Self::Store(error) => error.root_cause(),
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Scheme { scheme, .. } => match scheme.as_str() {
                "scp" => "copy the file beforehand and use `file`, or put it on a web server",
                "rclone" => {
                    "copy the file beforehand with rclone and use `file`, or use the storage's https URL"
                }
                "downloads" => {
                    "`downloads` names a file of an earlier `deploy: to: downloads` of the same job"
                }
                _ => "use `http`, `https` or `file`",
            },
            Self::Refused { status: 401 | 403, .. } => "give what the server wants in `headers`",
            Self::Refused { status: 404 | 410, .. } => "correct the URL in the job",
            Self::AddressForbidden { .. } | Self::FileForbidden(_) => {
                "use a place that jobs may read, or ask the operator of the lab to allow this one"
            }
            Self::Checksum { .. } => "correct the checksum in the job, or find out who changed the file",
            Self::Failed { reason, .. } if reason.contains("certificate") => {
                "have the operator trust the server's certificate, or correct it on the server"
            }
            Self::TooLarge { .. } => "ask the operator of the lab to raise the limit",
            Self::DiskFull { .. } => "free some room, or prune the store",
            Self::Unpack { source, .. } => return source.hint(),
            Self::Store(error) => return error.hint(),
            _ => return None,
        };
        Some(text.to_owned())
    }
}
