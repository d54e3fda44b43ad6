//! A hold: the runner waits and does what people ask.

use std::{collections::BTreeSet, time::Instant};

use tokio::sync::mpsc;

use super::hands::{Asked, Hands, Hold};

/// A hold that is going on. Dropping it ends it: who still waits is told.
pub(crate) struct Holder {
    hands: Hands,
    queue: mpsc::UnboundedReceiver<Asked>,
}

impl Holder {
    /// Begins to hold until `until`, for the reason `why`. `bootable` are the namespaces with a boot block.
    pub(crate) fn begin(hands: &Hands, why: &str, until: Instant, bootable: BTreeSet<String>) -> Self {
        let (asked, queue) = mpsc::unbounded_channel();
        hands.set_hold(Some(Hold { why: why.to_owned(), until, bootable, queue: asked }));
        Self { hands: hands.clone(), queue }
    }

    /// What is asked next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Asked> {
        self.queue.recv().await
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.hands.set_hold(None);
    }
}
