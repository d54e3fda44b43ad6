//! The job's limit for how long all consoles of a machine may be silent.

use std::time::{Duration, Instant};

use pumice_console::{Console, Sender};
use pumice_types::{Cause, Failure};

/// Watches the consoles of a machine.
pub(crate) struct Silence {
    limit: Option<Duration>,
    consoles: Vec<Sender>,
}

impl Silence {
    /// At most `limit` of silence on all these consoles together; `None` for no limit.
    pub(crate) fn new<'a>(limit: Option<Duration>, consoles: impl IntoIterator<Item = &'a Console>) -> Self {
        Self { limit, consoles: consoles.into_iter().map(Console::sender).collect() }
    }

    /// Counts another console among them.
    pub(crate) fn add(&mut self, console: &Console) {
        self.consoles.push(console.sender());
    }

    /// Resolves when nothing was heard for too long, counted from now at the earliest.
    pub(crate) async fn exceeded(&self) -> Failure {
        let Some(limit) = self.limit else { return std::future::pending().await };
        let mut last = Instant::now();
        loop {
            tokio::time::sleep_until((last + limit).into()).await;
            let heard = self.consoles.iter().map(Sender::last_activity).max();
            last = heard.map_or(last, |heard| heard.max(last));
            if last + limit <= Instant::now() {
                let message = format!("nothing was heard from the guest for {} seconds", limit.as_secs());
                return Failure::new(Cause::Inactivity, message)
                    .hint("the job's `timeouts.inactivity` sets this limit");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pumice_console::{Connection, ConsoleOptions, Unrecorded};

    use super::*;

    #[tokio::test]
    async fn a_console_that_says_nothing_ends_the_wait() {
        let (connection, _guest) = Connection::duplex(64);
        let console = Console::start("uart", connection, Unrecorded, ConsoleOptions::default()).unwrap();
        let silence = Silence::new(Some(Duration::from_millis(20)), [&console]);
        assert_eq!(silence.exceeded().await.cause, Cause::Inactivity);
    }
}
