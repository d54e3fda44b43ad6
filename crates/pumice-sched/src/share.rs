//! Fair share: what each submitter holds and has lately used.

use std::collections::BTreeMap;

use crate::{Policy, Time, queue::Usage};

/// What one submitter used, halved with each half-life.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    milliseconds: u64,
    at: Time,
}

impl Used {
    fn decayed(self, policy: &Policy, now: Time) -> u64 {
        let half_life = policy.half_life.as_millis().max(1);
        let halvings = (now - self.at).as_millis() / half_life;
        u32::try_from(halvings).ok().and_then(|by| self.milliseconds.checked_shr(by)).unwrap_or(0)
    }
}

/// What submitters use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    held: BTreeMap<String, u32>,
    used: BTreeMap<String, Used>,
}

impl Shares {
    /// `submitter` was given a slot.
    pub(crate) fn take(&mut self, submitter: &str) {
        *self.held.entry(submitter.to_owned()).or_default() += 1;
    }

    /// `submitter` gave back a slot that it had since `since`.
    pub(crate) fn give_back(&mut self, policy: &Policy, submitter: &str, since: Time, now: Time) {
        if let Some(held) = self.held.get_mut(submitter) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.held.remove(submitter);
            }
        }
        let milliseconds = u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX);
        let used = self.used.entry(submitter.to_owned()).or_default();
        *used = Used { milliseconds: used.decayed(policy, now).saturating_add(milliseconds), at: now };
    }

    /// What `submitter` uses.
    pub(crate) fn usage(&self, policy: &Policy, submitter: &str, now: Time) -> Usage {
        let held = self.held.get(submitter).copied().unwrap_or(0);
        (held, self.used.get(submitter).map_or(0, |used| used.decayed(policy, now)))
    }

    /// Forgets submitters whose use has faded.
    pub(crate) fn forget(&mut self, policy: &Policy, now: Time) {
        self.used.retain(|_, used| used.decayed(policy, now) > 0);
    }

    /// How many slots are held in all.
    pub(crate) fn held_in_all(&self) -> usize {
        self.held.values().map(|held| *held as usize).sum()
    }
}
