//! What to fetch, for how long to try, and what is allowed.

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use pumice_image::Compression;
use pumice_types::{ByteSize, Deadline};

use crate::{Cancel, Checksum};

/// One file a job needs (lava-compat 1.5, "Resource object").
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Where it is: `http`, `https` or `file`. `downloads://` is the caller's to resolve.
    pub url: String,
    /// Sent with the request, to the host of `url` only and to none it redirects to.
    pub headers: Vec<(String, String)>,
    /// How it is packed; the artifact is what was inside.
    pub compression: Option<Compression>,
    /// What the bytes must be as they are downloaded.
    pub checksums: Vec<Checksum>,
    /// Whether what earlier fetches learned may be used. Without it everything is read again.
    pub use_cache: bool,
    /// The most that is downloaded.
    pub largest_download: ByteSize,
    /// The most that is unpacked: a few kilobytes can hold a terabyte of zeros.
    pub largest_artifact: ByteSize,
}

impl Request {
    /// A file that is used as it is. At most 64 GiB, before and after unpacking.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            compression: None,
            checksums: Vec::new(),
            use_cache: true,
            largest_download: ByteSize(64 << 30),
            largest_artifact: ByteSize(64 << 30),
        }
    }

    /// Packed so.
    #[must_use]
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = compression.into();
        self
    }

    /// With this checksum before unpacking.
    #[must_use]
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksums.push(checksum);
        self
    }

    /// The name of what is done to the bytes, under which the store remembers the result. `name` is that of
    /// the file, which matters for a zip archive only.
    pub(crate) fn transformation(&self, name: &str) -> String {
        match self.compression {
            None => "none".to_owned(),
            Some(Compression::Zip) => format!("zip {}", Compression::Zip.strip(name)),
            Some(compression) => compression.name().to_owned(),
        }
    }
}

/// Never shows headers, nor what a URL may hold of passwords.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("url", &crate::fetch::shown_url(&self.url))
            .field("compression", &self.compression)
            .field("checksums", &self.checksums)
            .finish_non_exhaustive()
    }
}

/// How far a fetch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another job fetches the same file; this one waits for it.
    Waiting,
    /// Bytes came in.
    Received {
        /// So far, before unpacking.
        bytes: u64,
        /// Of how many, where the server says.
        total: Option<u64>,
    },
    /// Something went wrong on the way and is tried again.
    Retrying {
        /// What went wrong.
        reason: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How long until the next.
        after: Duration,
    },
}

/// Who waits for a fetch, and for how long.
pub struct Control<'a> {
    /// Until when.
    pub deadline: &'a Deadline,
    /// Whether anybody still wants it.
    pub cancel: &'a Cancel,
    /// Told how far it is, from the thread that fetches; about once in 256 KiB.
    pub progress: &'a mut dyn FnMut(Progress),
}

/// Whether the lab lets jobs talk to an address.
pub type AddressPolicy = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What the operator allows, and how patient we are. The default is that of a job run by hand.
#[derive(Clone)]
pub struct Policy {
    /// Asked for every address a name resolves to, also after a redirect; all are allowed without. With a proxy it is the
    /// proxy that connects, and the proxy's address that is asked for.
    pub is_address_allowed: Option<AddressPolicy>,
    /// Web servers that are allowed whatever their address: the lab's own. Host and perhaps port, as in a URL.
    pub allowed_servers: Vec<String>,
    /// Directories of the host from which `file` URLs may be read; `None` for all of them.
    pub readable: Option<Vec<PathBuf>>,
    /// How many redirects are followed.
    pub redirects: u32,
    /// How often a file is tried in all.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each, to 30 seconds at most.
    pub first_pause: Duration,
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long a server may say nothing.
    pub stall: Duration,
    /// Certificates to trust beside those of the host, in PEM. Where the host has none, built-in ones stand in for them.
    pub certificates: Option<PathBuf>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            is_address_allowed: None,
            allowed_servers: Vec::new(),
            readable: None,
            redirects: 10,
            attempts: 10,
            first_pause: Duration::from_millis(250),
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(60),
            certificates: None,
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("readable", &self.readable)
            .field("redirects", &self.redirects)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
