//! Joining, sessions and polls.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::HeaderMap};
use pumice_api::{
    ProblemCode,
    worker::{
        Goodbye, Hello, HostFacts, MAX_PIECE_BYTES, Orders, PROTOCOL, Poll, Registered, Registration, Welcome,
    },
};
use pumice_db::WorkerState;
use pumice_sched::Event;
use pumice_types::WorkerName;

use super::answer::{Answer, AsWorker, Nothing, Refused, bearer, worker_token};
use crate::{
    access::Credentials,
    app::Shared,
    lab::{devices, workers},
    refusal::Refusal,
};

/// How long a poll is held back at most; see [`hold`].
const LONGEST_HOLD: Duration = Duration::from_secs(20);

/// The longest name of a session, in bytes.
const LONGEST_SESSION: usize = 200;

/// The most devices that a worker may offer: each becomes a row, and one of many kinds has a handful of simulators.
const MOST_DEVICES: usize = 200;

/// A third of the lease, so that a held-back answer never endangers it (section 4).
fn hold(shared: &Shared) -> Duration {
    LONGEST_HOLD.min(shared.config.policy.lease / 3)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Makes a worker known to whoever shows the token of a person who may add workers.
pub(super) async fn register(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(registration): Json<Registration>,
) -> Answer<Registered> {
    let token = bearer(&headers)?.to_owned();
    let who = Credentials::Token(token).identify(&shared.database, shared.clock).await;
    let who =
        who.map_err(|_| Refused::new(ProblemCode::Unauthenticated, "the joining token is not valid"))?;
    who.needs("lava_scheduler_app.add_worker")?;
    let hostname = registration.name.as_str();
    let known = shared.database.read().await?.worker(hostname).await?;
    if known.is_none() {
        workers::add(&shared, &who, hostname, None, false).await?;
    } else if !who.is_superuser() {
        return Err(Refused::new(ProblemCode::Conflict, format!("there is a worker {hostname} already")));
    }
    let worker = workers::find(&mut shared.database.read().await?, hostname).await?;
    let token = worker_token(&shared, &worker);
    Ok(Json(Registered { name: registration.name, token }))
}

/// Opens a session.
pub(super) async fn session(
    State(shared): State<Arc<Shared>>,
    AsWorker(worker): AsWorker,
    Json(hello): Json<Hello>,
) -> Answer<Welcome> {
    if hello.protocol == 0 {
        let message = format!("version {} of the protocol is not spoken here; {PROTOCOL} is", hello.protocol);
        return Err(Refused::new(ProblemCode::ProtocolVersion, message));
    }
    if hello.session.len() > LONGEST_SESSION || hello.devices.len() > MOST_DEVICES {
        let message = format!(
            "a session is named in at most {LONGEST_SESSION} bytes and offers at most {MOST_DEVICES} devices"
        );
        return Err(Refused::new(ProblemCode::Invalid, message));
    }
    let hostname = worker.hostname.clone();
    let offer = serde_json::to_string(&hello.host).map_err(|error| Refusal::Internal(error.to_string()))?;
    let mut writer = shared.database.write().await?;
    let now = shared.clock.now();
    writer.ping_worker(&hostname, WorkerState::Online, &hello.version, Some(&offer), now).await?;
    let limit = hello.job_limit.map(i64::from).filter(|_| worker.job_limit == 0);
    writer.update_worker(&hostname, None, None, limit).await?;
    let before = worker.offer.as_deref().and_then(|offer| serde_json::from_str::<HostFacts>(offer).ok());
    let before = before.map(|host| host.models).unwrap_or_default();
    let mut offered = Vec::new();
    if shared.config.offered_devices {
        for device in &hello.devices {
            if devices::offered(&mut writer, &hostname, device, &before).await? {
                offered.push(device.name.clone());
            }
        }
    }
    writer.commit().await?;
    workers::refresh(&shared, &hostname).await?;
    for device in &offered {
        devices::refresh(&shared, device).await?;
    }
    let name = WorkerName(hostname);
    shared.scheduler.tell(Event::WorkerHello { worker: name.clone(), session: hello.session }).await?;
    let epoch = shared.scheduler.look(move |lab| lab.worker(&name).map(|worker| worker.epoch)).await?;
    let epoch = epoch.ok_or_else(|| Refused::new(ProblemCode::NotFound, "the worker is gone"))?;
    Ok(Json(Welcome {
        epoch,
        protocol: hello.protocol.min(PROTOCOL),
        lease_ms: millis(shared.config.policy.lease),
        hold_ms: millis(hold(&shared)),
        max_piece_bytes: MAX_PIECE_BYTES as u64,
    }))
}

/// Takes what the worker says it has, and answers what it should do; waits for that if the worker lets it. A worker does not lose
/// its jobs because the database is slow: then it is told nothing but that it may go on.
pub(super) async fn poll(
    State(shared): State<Arc<Shared>>,
    AsWorker(worker): AsWorker,
    Json(poll): Json<Poll>,
) -> Answer<Orders> {
    let name = WorkerName(worker.hostname.clone());
    let bell = shared.scheduler.bell(name.as_str());
    // Older polls of this worker answer at once: a newer one has come.
    bell.notify_waiters();
    shared.known_workers.note_ping(&shared, worker);
    let event = Event::WorkerPolled {
        worker: name.clone(),
        epoch: poll.epoch,
        sequence: poll.sequence,
        held: poll.held.clone(),
        not_ready: poll.not_ready.clone(),
    };
    let now = tokio::time::Instant::now();
    let deadline = now + Duration::from_millis(poll.wait_ms).min(hold(&shared));
    let patience = hold(&shared).min(shared.config.policy.lease / 6);
    let told = tokio::time::timeout_at(now + patience, shared.scheduler.poll(event)).await;
    let Ok(told) = told else { return renewed(&shared, name, &poll).await };
    let stale = || Refused::new(ProblemCode::StaleSession, "the session was replaced by a newer one");
    if !told? {
        return Err(stale());
    }
    let rung = bell.notified();
    tokio::pin!(rung);
    // Listening begins before looking, so that nothing falls between.
    rung.as_mut().enable();
    let orders = present_orders(&shared, &name, &poll).await?;
    if has_news(&orders, &poll) {
        return Ok(Json(orders));
    }
    tokio::select! {
        // Rung for news, or by a newer poll: either way this one has waited enough.
        () = rung => present_orders(&shared, &name, &poll).await.map(Json),
        () = tokio::time::sleep_until(deadline) => Ok(Json(orders)),
        () = shared.stopping() => Ok(Json(orders)),
    }
}

/// What the worker should do now. A database that is slow holds back what is new; the next poll brings it.
async fn present_orders(shared: &Shared, name: &WorkerName, poll: &Poll) -> Result<Orders, Refused> {
    let (asked, held) = (name.clone(), poll.held.clone());
    let look = shared.scheduler.look(move |lab| lab.orders(&asked, &held));
    let mut orders = match tokio::time::timeout(LOOK, look).await {
        Ok(orders) => orders?,
        Err(_) => Orders::default(),
    };
    orders.channels = shared.channels.to_open(name, &poll.held);
    Ok(orders)
}

/// How long a poll that was woken looks for what is new.
const LOOK: Duration = Duration::from_secs(1);

/// The answer to a worker while the database takes nothing: its leases go on, and there is nothing new.
async fn renewed(shared: &Shared, name: WorkerName, poll: &Poll) -> Answer<Orders> {
    if shared.scheduler.renew(name, poll.epoch, poll.held.clone()).await? {
        return Ok(Json(Orders::default()));
    }
    Err(Refused::new(ProblemCode::Unavailable, "the server cannot use its database at the moment"))
}

/// Whether there is something to do that the worker does not do already.
fn has_news(orders: &Orders, poll: &Poll) -> bool {
    !orders.offers.is_empty()
        || !orders.stop.is_empty()
        || orders.cancel.iter().any(|job| !poll.seen.cancel.contains(job))
        || orders.channels.iter().any(|channel| !poll.seen.channels.contains(&channel.channel))
}

/// Refuses a session that was replaced.
pub(super) async fn check_epoch(
    shared: &Shared,
    name: &WorkerName,
    epoch: pumice_api::worker::Epoch,
) -> Result<(), Refused> {
    let asked = name.clone();
    let present = shared.scheduler.look(move |lab| lab.worker(&asked).map(|worker| worker.epoch)).await?;
    if present == Some(epoch) {
        return Ok(());
    }
    Err(Refused::new(ProblemCode::StaleSession, "the session was replaced by a newer one"))
}

/// The worker goes down and has no job left.
pub(super) async fn goodbye(
    State(shared): State<Arc<Shared>>,
    AsWorker(worker): AsWorker,
    Json(goodbye): Json<Goodbye>,
) -> Answer<Nothing> {
    let name = WorkerName(worker.hostname);
    check_epoch(&shared, &name, goodbye.epoch).await?;
    shared.scheduler.tell(Event::WorkerGoodbye { worker: name, epoch: goodbye.epoch }).await?;
    Ok(Json(Nothing {}))
}
