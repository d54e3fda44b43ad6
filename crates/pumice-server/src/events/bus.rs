//! The stream of events: the newest are kept, and listeners are woken.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use pumice_db::Timestamp;
use tokio::sync::watch;

use super::event::{Draft, Event};

/// Events kept for listeners that were away for a moment.
/// At a thousand jobs a minute this is a quarter of a minute, in about two MiB.
const KEPT: usize = 2048;

/// The stream. Listeners ask for what came after the last they saw, so that none is lost to a slow one until it has
/// fallen behind by more than is kept.
#[derive(Debug)]
pub(crate) struct EventBus {
    kept: Mutex<VecDeque<Arc<Event>>>,
    newest: watch::Sender<u64>,
}

impl EventBus {
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Numbers an event and wakes every listener.
    pub(crate) fn publish(&self, draft: Draft, at: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = *self.newest.borrow() + 1;
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::new(Event {
            sequence,
            kind: draft.kind,
            uuid: uuid(),
            at,
            username: draft.username,
            data: draft.data,
            audience: draft.audience,
        }));
        self.newest.send_replace(sequence);
    }

    /// What came after `sequence`, oldest first.
    pub(crate) fn after(&self, sequence: u64) -> Vec<Arc<Event>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|event| event.sequence > sequence).cloned().collect()
    }

    /// The number of the newest event, and how to wait for newer ones.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

/// A random (version 4) UUID, RFC 9562 section 5.4. LAVA sends version 1; nobody looks inside.
fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness the name is not unique; nothing depends on it.
    let _ = getrandom::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = crate::secrets::hexadecimal(&bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::event::Audience;

    fn draft(message: &str) -> Draft {
        Draft {
            kind: "event",
            username: "u".into(),
            data: serde_json::json!({"message": message}),
            audience: Audience::Everybody,
        }
    }

    #[test]
    fn a_listener_gets_what_came_after_the_last_it_saw() {
        let bus = EventBus::new();
        let mut listener = bus.subscribe();
        bus.publish(draft("one"), Timestamp(1));
        bus.publish(draft("two"), Timestamp(2));
        assert!(listener.has_changed().unwrap());
        let newest = *listener.borrow_and_update();
        let said: Vec<_> = bus.after(1).iter().map(|event| event.data["message"].clone()).collect();
        assert_eq!((newest, said), (2, vec![serde_json::json!("two")]));
    }

    #[test]
    fn a_frame_is_lavas_five_items_with_data_as_text() {
        let bus = EventBus::new();
        bus.publish(draft("hello"), Timestamp(0));
        let frame = bus.after(0)[0].frame();
        assert_eq!(frame[0], "org.lavasoftware.event");
        assert_eq!(frame[1].as_str().map(str::len), Some(36));
        assert_eq!(frame[2], "1970-01-01T00:00:00+00:00");
        assert_eq!(frame[4], r#"{"message":"hello"}"#);
    }
}
