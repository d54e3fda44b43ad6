//! Channels: two streams of bytes between a person and a job's control socket (docs/protocol/worker.md, section 8).
//! The server keeps no more than one piece of each, and looks into neither.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pumice_api::{
    ProblemCode,
    worker::{Fence, Held, MAX_PIECE_BYTES, OpenChannel, Position},
};
use pumice_db::Job;
use pumice_types::WorkerName;
use tokio::{sync::Notify, time::Instant};

use super::answer::Refused;
use crate::secrets;

/// A person who does not ask for this long is gone: a client asks again every 20 s.
const PERSON_GONE_AFTER: Duration = Duration::from_secs(60);

/// One whose connection was closed while it waited for bytes has this long to come back.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(3);

/// How long an answer to a piece is held back while the other side has not taken what it has.
const HOLD_BACK: Duration = Duration::from_secs(20);

/// The channels there are.
#[derive(Default)]
pub(crate) struct Channels(Mutex<HashMap<String, Arc<Channel>>>);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the person to the job.
    ToJob,
    /// From the job to the person.
    ToPerson,
}

struct Channel {
    id: String,
    job: i64,
    fence: i64,
    worker: WorkerName,
    owner: i64,
    streams: Mutex<Streams>,
    changed: Arc<Notify>,
}

struct Streams {
    to_job: Stream,
    to_person: Stream,
    person_seen: Instant,
    /// When its connection was closed.
    person_left: Option<Instant>,
}

/// Bytes on their way: those from number `begin` on.
#[derive(Default)]
struct Stream {
    begin: u64,
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }
}

/// What was read.
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) ended: bool,
}

impl Channels {
    /// Opens a channel to a running job.
    pub(super) fn open(&self, job: &Job, owner: i64) -> Result<String, Refused> {
        let worker = job.worker.clone().filter(|_| job.state == pumice_types::JobState::Running);
        let not_running = || Refused::new(ProblemCode::Conflict, format!("job {} does not run", job.id));
        let worker = WorkerName(worker.ok_or_else(not_running)?);
        let id = secrets::new_token()?;
        let channel = Channel {
            id: id.clone(),
            job: job.id.0,
            fence: job.fence,
            worker,
            owner,
            streams: Mutex::new(Streams {
                to_job: Stream::default(),
                to_person: Stream::default(),
                person_seen: Instant::now(),
                person_left: None,
            }),
            changed: Arc::default(),
        };
        let mut channels = self.lock();
        channels.retain(|_, channel| !channel.is_abandoned());
        channels.insert(id.clone(), Arc::new(channel));
        Ok(id)
    }

    /// The channels that a worker which holds these jobs should connect.
    pub(super) fn to_open(&self, worker: &WorkerName, held: &[Held]) -> Vec<OpenChannel> {
        let is_held = |channel: &Channel| {
            held.iter()
                .any(|held| held.job.0 == channel.job && u64::try_from(channel.fence) == Ok(held.fence.0))
        };
        let channels = self.lock();
        let wanted = channels.values().filter(|channel| channel.worker == *worker && is_held(channel));
        wanted
            .filter(|channel| !channel.is_abandoned() && !channel.lock().to_person.ended)
            .map(|channel| OpenChannel {
                channel: channel.id.clone(),
                job: pumice_types::JobId(channel.job),
                fence: Fence(u64::try_from(channel.fence).unwrap_or(0)),
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Channel>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str, allowed: impl Fn(&Channel) -> bool) -> Result<Arc<Channel>, Refused> {
        let found = self.lock().get(id).filter(|channel| allowed(channel)).cloned();
        found.ok_or_else(|| Refused::new(ProblemCode::NotFound, "there is no such channel"))
    }

    /// Sends bytes as a person or as the worker.
    pub(super) async fn send(
        &self,
        id: &str,
        as_whom: &Party,
        offset: u64,
        bytes: &[u8],
        end: bool,
    ) -> Result<Position, Refused> {
        let channel = self.find(id, |channel| as_whom.owns(channel))?;
        let waiting = matches!(as_whom, Party::Person(_)).then(|| Waiting(&channel));
        let sent = channel.send(as_whom.sends(), offset, bytes, end).await;
        std::mem::forget(waiting);
        sent
    }

    /// Waits for bytes for a person or for the worker.
    pub(super) async fn receive(
        &self,
        id: &str,
        as_whom: &Party,
        offset: u64,
        wait: Duration,
    ) -> Result<Read, Refused> {
        let channel = self.find(id, |channel| as_whom.owns(channel))?;
        // Nobody drops a request that waits, but a connection that is closed.
        let waiting = matches!(as_whom, Party::Person(_)).then(|| Waiting(&channel));
        let read = channel.receive(as_whom.receives(), offset, wait).await;
        std::mem::forget(waiting);
        let read = read?;
        if read.ended && channel.is_over() {
            self.lock().remove(id);
        }
        Ok(read)
    }
}

/// Who speaks.
pub(super) enum Party {
    /// The person with this key.
    Person(i64),
    /// This worker.
    Worker(WorkerName),
}

impl Party {
    fn owns(&self, channel: &Channel) -> bool {
        match self {
            Self::Person(id) => channel.owner == *id,
            Self::Worker(name) => channel.worker == *name,
        }
    }

    fn sends(&self) -> Way {
        match self {
            Self::Person(_) => Way::ToJob,
            Self::Worker(_) => Way::ToPerson,
        }
    }

    fn receives(&self) -> Way {
        match self {
            Self::Person(_) => Way::ToPerson,
            Self::Worker(_) => Way::ToJob,
        }
    }
}

/// A person who waits for an answer. Dropped, the person's connection was closed.
struct Waiting<'a>(&'a Channel);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().person_left = Some(Instant::now());
        let changed = Arc::clone(&self.0.changed);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(COMES_BACK_WITHIN).await;
                changed.notify_waiters();
            });
        }
    }
}

impl Streams {
    /// The person did something.
    fn see_person(&mut self) {
        self.person_seen = Instant::now();
        self.person_left = None;
    }

    fn is_abandoned(&self) -> bool {
        self.person_seen.elapsed() > PERSON_GONE_AFTER
            || self.person_left.is_some_and(|left| left.elapsed() >= COMES_BACK_WITHIN)
    }

    fn stream(&mut self, way: Way) -> &mut Stream {
        match way {
            Way::ToJob => &mut self.to_job,
            Way::ToPerson => &mut self.to_person,
        }
    }
}

impl Channel {
    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_abandoned(&self) -> bool {
        self.lock().is_abandoned()
    }

    fn is_over(&self) -> bool {
        let streams = self.lock();
        streams.to_job.ended && streams.to_person.ended
    }

    async fn send(&self, way: Way, offset: u64, bytes: &[u8], end: bool) -> Result<Position, Refused> {
        if way == Way::ToPerson && self.is_abandoned() {
            return Err(Refused::new(ProblemCode::Conflict, "the person is gone"));
        }
        let position = {
            let mut streams = self.lock();
            if way == Way::ToJob {
                streams.see_person();
            }
            let stream = streams.stream(way);
            let have = stream.end();
            let Some(skipped) = have.checked_sub(offset) else {
                let mut problem =
                    pumice_api::Problem::new(ProblemCode::OffsetGap, format!("{have} bytes are there"));
                problem.offset = Some(have);
                return Err(Refused(problem));
            };
            let fresh =
                usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
            let room = MAX_PIECE_BYTES.saturating_sub(stream.bytes.len());
            let taken = fresh.len().min(room);
            stream.bytes.extend_from_slice(&fresh[..taken]);
            stream.ended |= end && taken == fresh.len();
            Position { offset: stream.end(), complete: stream.ended }
        };
        self.changed.notify_waiters();
        self.wait_until(HOLD_BACK, |streams| streams.stream(way).bytes.len() < MAX_PIECE_BYTES).await;
        Ok(position)
    }

    async fn receive(&self, way: Way, offset: u64, wait: Duration) -> Result<Read, Refused> {
        {
            let mut streams = self.lock();
            if way == Way::ToPerson {
                streams.see_person();
            }
            let stream = streams.stream(way);
            let taken = offset.checked_sub(stream.begin).filter(|_| offset <= stream.end());
            let taken = taken.and_then(|taken| usize::try_from(taken).ok());
            let Some(taken) = taken else {
                return Err(Refused::new(
                    ProblemCode::OffsetGap,
                    "these bytes were taken already, or are yet to come",
                ));
            };
            // Asking for what follows says that what came before has arrived.
            stream.bytes.drain(..taken);
            stream.begin = offset;
        }
        self.changed.notify_waiters();
        self.wait_until(wait.min(HOLD_BACK), |streams| {
            // Nothing follows from a person who is gone: the job need not keep the right to type for them.
            streams.to_job.ended |= way == Way::ToJob && streams.is_abandoned();
            let stream = streams.stream(way);
            !stream.bytes.is_empty() || stream.ended
        })
        .await;
        let mut streams = self.lock();
        let stream = streams.stream(way);
        Ok(Read { bytes: stream.bytes.clone(), ended: stream.ended })
    }

    async fn wait_until(&self, wait: Duration, mut holds: impl FnMut(&mut Streams) -> bool) {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(&mut self.lock()) || Instant::now() >= deadline {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }
}
