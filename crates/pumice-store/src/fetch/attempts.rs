//! Trying again: how often, and after how long.

use std::time::{Duration, Instant};

use super::Fetch;
use crate::{Control, FetchError, request::Progress};

/// The longest pause between two attempts, also when a server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Counts the failures in a row. A download that got further than ever before starts counting anew: a file of
/// many gigabytes over a bad line may break off more often than a server that is down deserves.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failures: u32,
    furthest: u64,
}

/// Something that may go better the next time.
#[derive(Debug)]
pub(super) struct Transient {
    /// What went wrong, as the end of a sentence.
    pub(super) reason: String,
    /// How long the server asks us to wait (RFC 9110, 10.2.3).
    pub(super) retry_after: Option<Duration>,
}

impl Transient {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None }
    }
}

impl Attempts {
    /// So many bytes are here.
    pub(super) fn reached(&mut self, bytes: u64) {
        if bytes > self.furthest {
            self.furthest = bytes;
            self.failures = 0;
        }
    }

    /// Pauses before the next attempt; an error when there is to be none.
    pub(super) fn pause(
        &mut self,
        fetch: &Fetch<'_>,
        transient: Transient,
        control: &mut Control<'_>,
    ) -> Result<(), FetchError> {
        self.failures += 1;
        let doubled = fetch.policy.first_pause.saturating_mul(1 << (self.failures - 1).min(16));
        let after = transient.retry_after.unwrap_or_default().max(doubled).min(LONGEST_PAUSE);
        let is_last =
            self.failures >= fetch.policy.attempts || after >= control.deadline.remaining(Instant::now());
        if is_last {
            let (attempts, reason) = (self.failures, transient.reason);
            return Err(FetchError::Failed { url: fetch.shown.clone(), attempts, reason });
        }
        let (attempt, reason) = (self.failures, transient.reason);
        (control.progress)(Progress::Retrying { reason, attempt, after });
        control.cancel.sleep(after);
        fetch.check(control, "another attempt to download")
    }
}
