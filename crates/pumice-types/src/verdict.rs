//! How a case, a job's state and a job's end are named.
//!
//! ```text
//! Submitted ──schedule──▶ Scheduled ──start──▶ Running ──finish──▶ Finished(Verdict)
//!     │                       │                    │
//!     └──cancel──▶ Finished   └──────cancel────────┴──▶ Cancelling ──finish──▶ Finished(Cancelled)
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of one test case (lava-compat 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseResult {
    /// It did what it should.
    Pass,
    /// It did not.
    Fail,
    /// It was not tried.
    Skip,
    /// It was tried and nobody can say.
    Unknown,
}

impl CaseResult {
    /// The word in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word in results.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Skip, Self::Unknown].into_iter().find(|result| result.as_str() == word)
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A job's end. A job whose cases fail is complete; only errors make it incomplete (lava-compat 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that was planned was done.
    Complete,
    /// Something went wrong on the way.
    Incomplete,
    /// Somebody asked for the end.
    Cancelled,
}

/// Where a job of a lab stands (lava-compat 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waits in the queue.
    Submitted,
    /// Has a device and waits for its worker.
    Scheduled,
    /// A worker runs it.
    Running,
    /// A worker was told to end it.
    Cancelling,
    /// It ended.
    Finished(Verdict),
}

/// What can happen to a job of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// A device was given to it.
    Schedule,
    /// Its device was taken away before it started.
    Unschedule,
    /// Its worker started it.
    Start,
    /// Somebody asked for its end.
    Cancel,
    /// Its worker is done.
    Finish(Verdict),
}

/// The event cannot happen in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalTransition {
    /// Where the job stood.
    pub state: JobState,
    /// What was to happen.
    pub event: JobEvent,
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a job that is {:?} cannot {:?}", self.state, self.event)
    }
}

impl std::error::Error for IllegalTransition {}

impl JobState {
    /// The state after `event`. A short job may finish before its start was reported (lava-compat 6.1).
    pub fn next(self, event: JobEvent) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Submitted, JobEvent::Schedule) => Ok(Self::Scheduled),
            (Self::Scheduled, JobEvent::Unschedule) => Ok(Self::Submitted),
            (Self::Scheduled | Self::Running, JobEvent::Start) => Ok(Self::Running),
            (Self::Submitted, JobEvent::Cancel) | (Self::Cancelling, JobEvent::Finish(_)) => {
                Ok(Self::Finished(Verdict::Cancelled))
            }
            (Self::Scheduled | Self::Running, JobEvent::Cancel)
            | (Self::Cancelling, JobEvent::Cancel | JobEvent::Start) => Ok(Self::Cancelling),
            (Self::Scheduled | Self::Running, JobEvent::Finish(verdict)) => Ok(Self::Finished(verdict)),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_job_ends_cancelled_whatever_its_worker_says() {
        let state = JobState::Running.next(JobEvent::Cancel).unwrap();
        let state = state.next(JobEvent::Finish(Verdict::Complete)).unwrap();
        assert_eq!(state, JobState::Finished(Verdict::Cancelled));
        assert!(state.next(JobEvent::Finish(Verdict::Complete)).is_err());
    }
}
