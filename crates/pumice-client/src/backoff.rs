//! How long to wait before trying again.

use std::time::Duration;

use crate::ClientError;

/// Pauses that grow from 0.2 s to 15 s, each with a quarter of it left to chance so that a hundred workers do not come
/// back in step (`docs/protocol/worker.md` section 1).
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    state: u64,
}

impl Backoff {
    /// The first pause.
    pub const FIRST: Duration = Duration::from_millis(200);
    /// The longest pause.
    pub const LONGEST: Duration = Duration::from_secs(15);
    /// The longest pause of one who looks out, for all of its program, for a server that does not answer.
    pub const LOOKOUT: Duration = Duration::from_secs(1);

    /// Pauses whose chance `seed` decides.
    pub fn new(seed: u64) -> Self {
        Self { next: Self::FIRST, state: seed }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(Self::LONGEST);
        // Knuth's linear congruential generator; its upper bits are good enough for this.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let percent = u32::try_from((self.state >> 33) % 26).unwrap_or(0);
        pause * (100 - percent) / 100
    }

    /// The next pause of the one who looks out for the server. One that answers, but with a refusal, has reached its limits and is
    /// left alone for longer; an attempt to reach one that is not there costs it nothing.
    pub fn lookout(&mut self, error: &ClientError) -> Duration {
        if matches!(error, ClientError::Unreachable { .. }) {
            self.next = self.next.min(Self::LOOKOUT);
        }
        self.pause()
    }

    /// Something succeeded: the next pause is short again.
    pub fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_start_over_after_success() {
        let mut backoff = Backoff::new(7);
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= Backoff::FIRST && pauses[0] >= Backoff::FIRST * 3 / 4);
        assert!(pauses.iter().all(|pause| *pause <= Backoff::LONGEST));
        assert!(pauses[11] >= Backoff::LONGEST * 3 / 4);
        backoff.reset();
        assert!(backoff.pause() <= Backoff::FIRST);
    }

    #[test]
    fn a_server_that_is_gone_is_looked_for_every_second_and_a_busy_one_is_left_alone() {
        let gone = ClientError::Unreachable {
            url: "http://lab".to_owned(),
            source: Box::new(ureq::Error::ConnectionFailed),
        };
        let busy = ClientError::Refused {
            url: "http://lab".to_owned(),
            status: 503,
            problem: crate::error::problem(503, b""),
        };
        let last = |error: &ClientError| {
            let mut backoff = Backoff::new(7);
            (0..12).map(|_| backoff.lookout(error)).last().unwrap()
        };
        assert!((Backoff::LOOKOUT * 3 / 4..=Backoff::LOOKOUT).contains(&last(&gone)));
        assert!(last(&busy) >= Backoff::LONGEST * 3 / 4);
    }
}
