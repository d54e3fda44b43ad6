//! What is heard of the tests that run on a machine's console.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::console_log::Heard;

/// The signals of a machine's consoles and of its channel, in order.
pub(crate) struct Hearing {
    own: UnboundedReceiver<Heard>,
    /// When their times begin.
    clock: Instant,
    /// Those of tests that are typed here and belong to another namespace, whose machine has the channel.
    aside: Option<Aside>,
}

/// What is heard from another machine of the job.
struct Aside {
    heard: UnboundedReceiver<Heard>,
    /// How much earlier its clock began.
    earlier: Duration,
}

impl Hearing {
    /// What comes out of `own`, whose times begin at `clock`.
    pub(crate) fn new(own: UnboundedReceiver<Heard>, clock: Instant) -> Self {
        Self { own, clock, aside: None }
    }

    /// Lends all of it to the console of another namespace, where its tests run.
    pub(crate) fn lend(&mut self, to: &mut Self) {
        let (_, nothing) = unbounded_channel();
        let heard = std::mem::replace(&mut self.own, nothing);
        to.aside = Some(Aside { heard, earlier: to.clock.saturating_duration_since(self.clock) });
    }

    /// Takes back what was lent.
    pub(crate) fn take_back(&mut self, from: &mut Self) {
        if let Some(aside) = from.aside.take() {
            self.own = aside.heard;
        }
    }

    /// The next signal, wherever it came; `None` once the console's own can come no more. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        let Some(aside) = &mut self.aside else { return self.own.recv().await };
        tokio::select! {
            biased;
            heard = self.own.recv() => heard,
            Some(mut heard) = aside.heard.recv() => {
                heard.moment.at = heard.moment.at.saturating_sub(aside.earlier);
                Some(heard)
            }
        }
    }

    /// Forgets what was heard so far: a block before has left it.
    pub(crate) fn forget(&mut self) {
        while self.own.try_recv().is_ok() {}
        if let Some(aside) = &mut self.aside {
            while aside.heard.try_recv().is_ok() {}
        }
    }
}
