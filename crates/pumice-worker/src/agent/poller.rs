//! Polls wait at the server, so they are sent from threads of their own: one waits there, and another overtakes it when
//! the worker has news.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use pumice_api::worker::{JobRef, Orders, Poll};
use pumice_client::{ClientError, WorkerClient};

use super::main_loop::Event;
use crate::clock::boot_millis;

/// How many polls may be on their way at once.
pub(crate) const MOST: usize = 2;

/// A poll and its answer.
#[derive(Debug)]
pub(crate) struct Polled {
    /// When it was sent, on the worker's clock: leases count from here.
    pub(crate) sent_ms: u64,
    /// The poll.
    pub(crate) poll: Poll,
    /// The answer.
    pub(crate) answer: Result<Orders, ClientError>,
}

impl Polled {
    /// The jobs that it said the worker has.
    pub(crate) fn held(&self) -> impl Iterator<Item = JobRef> {
        self.poll.held.iter().map(|held| held.job_ref())
    }
}

/// The threads that send polls. They end when it is dropped, each after its present poll.
#[derive(Debug)]
pub(crate) struct Poller(Sender<Poll>);

impl Poller {
    pub(crate) fn start(client: &WorkerClient, events: &Sender<Event>) -> Self {
        let (sender, receiver) = channel::<Poll>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..MOST {
            let (client, events, receiver) = (client.clone(), events.clone(), Arc::clone(&receiver));
            thread::spawn(move || serve(&client, &events, &receiver));
        }
        Self(sender)
    }

    /// Sends a poll; the answer comes as an event.
    pub(crate) fn send(&self, poll: Poll) {
        // The threads live as long as we do.
        drop(self.0.send(poll));
    }
}

fn serve(client: &WorkerClient, events: &Sender<Event>, polls: &Mutex<Receiver<Poll>>) {
    loop {
        let next = polls.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(poll) = next else { return };
        let sent_ms = boot_millis();
        let answer = client.poll(&poll);
        if events.send(Event::Polled(Box::new(Polled { sent_ms, poll, answer }))).is_err() {
            return;
        }
    }
}
