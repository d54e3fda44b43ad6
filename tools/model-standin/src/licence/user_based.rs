//! User-based licences: a file in a cache, bound to a user's name, good for seven days (reference 5.2).
//!
//! The format of the real cache is not public; ours is one JSON file.

use super::Refusal;
use crate::environment::Environment;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of our file in the cache.
const FILE: &str = "standin-licence.json";
/// How long a cached licence lasts.
pub(super) const DAYS: u64 = 7;

/// A licence of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UserLicence {
    pub(super) product: String,
    pub(super) server: String,
    pub(super) user: String,
    /// Seconds since 1970.
    pub(super) expires: u64,
}

impl UserLicence {
    /// Whether `user` may use it at the time `now`.
    pub(super) fn check(&self, user: &str, now: u64) -> Result<(), Refusal> {
        if self.user != user {
            return Err(Refusal::user_based("The license found is assigned to another user."));
        }
        if self.expires <= now {
            return Err(Refusal::user_based("The license found has expired."));
        }
        Ok(())
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The cache: `ARMLM_CACHED_LICENSES_LOCATION`, else `~/.armlm`.
pub(super) fn path(environment: &Environment) -> Option<PathBuf> {
    let directory = match environment.get("ARMLM_CACHED_LICENSES_LOCATION") {
        Some(directory) => PathBuf::from(directory),
        None => environment.home()?.join(".armlm"),
    };
    Some(directory.join(FILE))
}

/// The cached licence, if there is one.
pub(super) fn find(environment: &Environment) -> Option<UserLicence> {
    let text = std::fs::read_to_string(path(environment)?).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_bound_to_its_user_and_its_time() {
        let licence =
            UserLicence { product: "P".into(), server: "S".into(), user: "lava".into(), expires: 100 };
        assert_eq!(licence.check("lava", 99), Ok(()));
        assert_eq!(
            licence.check("root", 99).unwrap_err().text,
            "Fatal: license error: The license found is assigned to another user.\n"
        );
        assert!(licence.check("lava", 100).is_err());
    }
}
