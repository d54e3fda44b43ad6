//! The words of LAVA's state machines (lava-compat 6.1), and how ours reads in them.

use std::{fmt, str::FromStr};

use pumice_types::{JobState, Verdict};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$word_doc])* $variant,)* }

        impl $name {
            /// Every word, in LAVA's order: the place is LAVA's number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as LAVA's clients read it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// LAVA's number for it.
            pub fn number(self) -> i64 {
                Self::ALL.iter().position(|word| *word == self).and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        /// Large and small letters are the same: clients send `GOOD` and read `Good`.
        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|word| word.as_str().eq_ignore_ascii_case(text)).ok_or(())
            }
        }
    )*};
}

words! {
    /// What a device does.
    DeviceState {
        /// Nothing.
        Idle = "Idle",
        /// A job has it and did not start yet.
        Reserved = "Reserved",
        /// A job runs on it.
        Running = "Running",
    }
    /// Whether a device may be given jobs.
    DeviceHealth {
        /// Its last health check passed, or somebody said so.
        Good = "Good",
        /// Nobody knows; the next job is a health check.
        Unknown = "Unknown",
        /// It runs health checks for ever.
        Looping = "Looping",
        /// Its last health check failed, or it cannot be rendered.
        Bad = "Bad",
        /// Somebody works on it.
        Maintenance = "Maintenance",
        /// It will not come back.
        Retired = "Retired",
    }
    /// Whether a worker is heard of.
    WorkerState {
        /// It spoke lately.
        Online = "Online",
        /// It did not.
        Offline = "Offline",
    }
    /// Whether a worker may be given jobs.
    WorkerHealth {
        /// Yes.
        Active = "Active",
        /// Not now.
        Maintenance = "Maintenance",
        /// Never again.
        Retired = "Retired",
    }
    /// Where a job stands, in LAVA's words.
    JobStateWord {
        /// Waits in the queue.
        Submitted = "Submitted",
        /// Part of a group that is being gathered. Ours never are: a group starts whole.
        Scheduling = "Scheduling",
        /// Has a device.
        Scheduled = "Scheduled",
        /// A worker runs it.
        Running = "Running",
        /// It was told to end.
        Canceling = "Canceling",
        /// It ended.
        Finished = "Finished",
    }
    /// How a job ended, in LAVA's words.
    JobHealthWord {
        /// It did not yet.
        Unknown = "Unknown",
        /// Everything was done.
        Complete = "Complete",
        /// Something went wrong.
        Incomplete = "Incomplete",
        /// Somebody ended it.
        Canceled = "Canceled",
    }
}

/// Every state with the word in its column and how LAVA calls it.
pub(crate) const JOB_STATES: [(JobState, &str, JobStateWord, JobHealthWord); 7] = [
    (JobState::Submitted, "submitted", JobStateWord::Submitted, JobHealthWord::Unknown),
    (JobState::Scheduled, "scheduled", JobStateWord::Scheduled, JobHealthWord::Unknown),
    (JobState::Running, "running", JobStateWord::Running, JobHealthWord::Unknown),
    (JobState::Cancelling, "cancelling", JobStateWord::Canceling, JobHealthWord::Unknown),
    (JobState::Finished(Verdict::Complete), "complete", JobStateWord::Finished, JobHealthWord::Complete),
    (
        JobState::Finished(Verdict::Incomplete),
        "incomplete",
        JobStateWord::Finished,
        JobHealthWord::Incomplete,
    ),
    (JobState::Finished(Verdict::Cancelled), "cancelled", JobStateWord::Finished, JobHealthWord::Canceled),
];

/// The word in the `state` column.
pub(crate) fn column_word(state: JobState) -> &'static str {
    JOB_STATES.iter().find(|(known, ..)| *known == state).map_or("submitted", |(_, word, ..)| word)
}

/// The state a column's word means.
pub(crate) fn state_of(word: &str) -> Option<JobState> {
    JOB_STATES.iter().find(|(_, known, ..)| *known == word).map(|(state, ..)| *state)
}

impl From<JobState> for JobStateWord {
    fn from(state: JobState) -> Self {
        JOB_STATES.iter().find(|(known, ..)| *known == state).map_or(Self::Submitted, |(_, _, word, _)| *word)
    }
}

impl From<JobState> for JobHealthWord {
    fn from(state: JobState) -> Self {
        JOB_STATES.iter().find(|(known, ..)| *known == state).map_or(Self::Unknown, |(_, _, _, word)| *word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_lavas_numbers_and_any_case() {
        assert_eq!("MAINTENANCE".parse(), Ok(DeviceHealth::Maintenance));
        assert_eq!(DeviceHealth::Maintenance.number(), 4);
        assert_eq!(JobHealthWord::Canceled.number(), 3);
        assert_eq!(JobStateWord::Finished.number(), 5);
        assert!("WELL".parse::<DeviceHealth>().is_err());
    }

    #[test]
    fn every_state_survives_its_column() {
        for (state, ..) in JOB_STATES {
            assert_eq!(state_of(column_word(state)), Some(state));
        }
    }
}
