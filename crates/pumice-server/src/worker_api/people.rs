//! What people's clients ask beyond LAVA's REST (`pumice_api::people`).

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequestParts, Path, Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use pumice_api::{
    ProblemCode,
    people::{
        Channel, CreatedToken, LOG_END_HEADER, Licence, NewToken, Obstacle, Reservation, Reserved,
        StoredFile, Token, Why,
    },
    worker::{CHANNEL_END_HEADER, MAX_PIECE_BYTES, Position},
};
use pumice_db::{Job, JobStateWord, Timestamp};
use pumice_types::Name;
use serde::Deserialize;

use super::{
    answer::{Answer, Refused},
    channel::{Party, Read},
};
use crate::{
    access::{Credentials, Identity, LoginError, Scope},
    app::Shared,
    lab::{jobs, reservation::reservation},
    refusal::Refusal,
    rest::make_token,
    results, stored,
};

/// The longest wait for bytes.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Who asks.
pub(super) struct AsPerson(Identity);

impl FromRequestParts<Arc<Shared>> for AsPerson {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let credentials = Credentials::of(&parts.headers, parts.uri.query());
        if matches!(credentials, Credentials::Session(_)) {
            return Err(Refused::new(ProblemCode::Unauthenticated, "send `Authorization: Token SECRET`"));
        }
        match credentials.identify(&shared.database, shared.clock).await {
            Ok(who) if who.user.is_none() && shared.config.require_login => {
                Err(Refused::new(ProblemCode::Unauthenticated, "send `Authorization: Token SECRET`"))
            }
            Ok(who) => Ok(Self(who)),
            Err(LoginError::InvalidToken) => {
                Err(Refused::new(ProblemCode::Unauthenticated, "the token is not valid"))
            }
            Err(LoginError::Failed(refusal)) => Err(refusal.into()),
        }
    }
}

async fn find(shared: &Shared, who: &AsPerson, id: &str) -> Result<Job, Refused> {
    Ok(jobs::find(&mut shared.database.read().await?, &who.0, id).await?)
}

pub(super) async fn why(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<String>,
) -> Answer<Why> {
    let job = find(&shared, &who, &id).await?;
    let asked = job.id;
    let waits = shared.scheduler.look(move |lab| lab.why(asked)).await?;
    let obstacles = waits.iter().flat_map(|waits| &waits.obstacles).map(|(obstacle, devices)| Obstacle {
        what: obstacle.to_string(),
        remedy: obstacle.remedy().to_owned(),
        devices: *devices,
    });
    Ok(Json(Why {
        job: job.id,
        state: JobStateWord::from(job.state).as_str().to_owned(),
        ahead: waits.as_ref().map(|waits| waits.ahead),
        obstacles: obstacles.collect(),
        failure: job.failure.as_deref().and_then(|text| serde_json::from_str(text).ok()),
    }))
}

#[derive(Deserialize)]
pub(super) struct FromOffset {
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    wait_ms: u64,
    #[serde(default)]
    end: bool,
}

impl FromOffset {
    fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms).min(LONGEST_WAIT)
    }
}

fn bytes(bytes: Vec<u8>, ended: bool, end_header: &'static str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    if ended {
        response.headers_mut().insert(HeaderName::from_static(end_header), HeaderValue::from_static("true"));
    }
    response
}

/// The log from a byte on; waits until there is some.
pub(super) async fn log(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<String>,
    Query(query): Query<FromOffset>,
) -> Result<Response, Refused> {
    let deadline = tokio::time::Instant::now() + query.wait();
    loop {
        let job = find(&shared, &who, &id).await?;
        let grown = shared.logs.grown(results::place(&job));
        let piece = results::read_bytes(&shared, results::place(&job), query.offset, MAX_PIECE_BYTES).await?;
        let ended = job.is_finished() && piece.reaches_end;
        if !piece.bytes.is_empty() || ended || tokio::time::Instant::now() >= deadline {
            return Ok(bytes(piece.bytes, ended, LOG_END_HEADER));
        }
        // A job that ends without a further line wakes nobody: look again now and then.
        let next_look = deadline.min(tokio::time::Instant::now() + Duration::from_secs(1));
        tokio::select! {
            () = grown => {}
            () = tokio::time::sleep_until(next_look) => {}
            () = shared.stopping() => return Ok(bytes(Vec::new(), false, LOG_END_HEADER)),
        }
    }
}

pub(super) async fn files(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<String>,
) -> Answer<Vec<StoredFile>> {
    let job = find(&shared, &who, &id).await?;
    let found = shared.database.read().await?.attachments(job.id).await?;
    let one = |file: pumice_db::Attachment| StoredFile {
        name: file.name,
        size: u64::try_from(file.size_bytes).unwrap_or(0),
        sha256: file.sha256,
    };
    Ok(Json(found.into_iter().map(one).collect()))
}

pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    headers: axum::http::HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let job = find(&shared, &who, &id).await?;
    let missing = || Refusal::missing("File", &name);
    let wanted: Name = name.parse().map_err(|_| missing())?;
    let (storage, place) = (Arc::clone(&shared.storage), results::place(&job));
    let answer = stored::answer(&headers, None, move |from| storage.read_file(place, &wanted, from)).await?;
    Ok(answer.ok_or_else(missing)?)
}

pub(super) async fn tokens(State(shared): State<Arc<Shared>>, who: AsPerson) -> Answer<Vec<Token>> {
    let user = who.0.logged_in()?.id;
    let found = shared.database.read().await?.tokens_of_user(user).await?;
    let one = |token: pumice_db::Token| Token {
        id: token.id,
        description: token.description,
        scopes: token.scopes.split_whitespace().map(str::to_owned).collect(),
        created: token.created.rest(),
        expires: token.expires.map(Timestamp::rest),
        last_used: token.last_used.map(Timestamp::rest),
    };
    Ok(Json(found.into_iter().map(one).collect()))
}

pub(super) async fn create_token(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Json(new): Json<NewToken>,
) -> Answer<CreatedToken> {
    let user = who.0.using(Scope::Manage)?.id;
    let lasts = new.seconds.map(Duration::from_secs);
    let (id, secret) =
        make_token(&shared, user, who.0.scopes(), &new.description, &new.scopes.join(" "), lasts).await?;
    Ok(Json(CreatedToken { id, secret }))
}

pub(super) async fn delete_token(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<i64>,
) -> Result<StatusCode, Refused> {
    let user = who.0.using(Scope::Manage)?.id;
    let mut writer = shared.database.write().await?;
    if !writer.delete_token(user, id).await? {
        return Err(Refusal::missing("Token", id).into());
    }
    writer.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn licences(State(shared): State<Arc<Shared>>, _: AsPerson) -> Answer<Vec<Licence>> {
    let counted = shared.scheduler.look(|lab| {
        let taken = |name: &str| {
            let given = lab.jobs().filter(|job| job.given.is_some());
            given.filter_map(|job| job.request.licences.get(name)).sum()
        };
        let one = |(name, seats): (&String, &u32)| Licence {
            name: name.clone(),
            seats: *seats,
            taken: taken(name),
        };
        lab.licences().iter().map(one).collect::<Vec<_>>()
    });
    Ok(Json(counted.await?))
}

/// A machine for a person: a job that boots the device and waits.
pub(super) async fn reserve(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Json(wanted): Json<Reservation>,
) -> Answer<Reserved> {
    let text = reservation(&shared, &wanted).await?;
    match crate::lab::submission::submit(&shared, &who.0, &text).await? {
        crate::lab::submission::Submitted::Single(job) => Ok(Json(Reserved { job })),
        crate::lab::submission::Submitted::Group(_) => {
            Err(Refusal::Internal("one job was meant".to_owned()).into())
        }
    }
}

pub(super) async fn open_channel(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<String>,
) -> Answer<Channel> {
    let user = who.0.using(Scope::Submit)?.id;
    let job = find(&shared, &who, &id).await?;
    if !who.0.may_change_job(&mut shared.database.read().await?, &job).await? {
        return Err(Refusal::Forbidden(format!("You may not use the machines of job {id}.")).into());
    }
    let channel = shared.channels.open(&job, user)?;
    shared.scheduler.ring(job.worker.as_deref().unwrap_or_default());
    Ok(Json(Channel { channel }))
}

pub(super) async fn send(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<String>,
    Query(query): Query<FromOffset>,
    piece: Bytes,
) -> Answer<Position> {
    let party = Party::Person(who.0.using(Scope::Submit)?.id);
    Ok(Json(shared.channels.send(&id, &party, query.offset, &piece, query.end).await?))
}

pub(super) async fn receive(
    State(shared): State<Arc<Shared>>,
    who: AsPerson,
    Path(id): Path<String>,
    Query(query): Query<FromOffset>,
) -> Result<Response, Refused> {
    let party = Party::Person(who.0.using(Scope::Submit)?.id);
    let Read { bytes: read, ended } =
        shared.channels.receive(&id, &party, query.offset, query.wait()).await?;
    Ok(bytes(read, ended, CHANNEL_END_HEADER))
}

#[derive(Deserialize)]
pub(super) struct WorkerChannel {
    epoch: u64,
    offset: u64,
    #[serde(default)]
    wait_ms: u64,
    #[serde(default)]
    end: bool,
}

/// A worker's side of a channel.
async fn worker_party(
    shared: &Shared,
    worker: super::answer::AsWorker,
    query: &WorkerChannel,
) -> Result<Party, Refused> {
    let name = pumice_types::WorkerName(worker.0.hostname);
    super::session::check_epoch(shared, &name, pumice_api::worker::Epoch(query.epoch)).await?;
    Ok(Party::Worker(name))
}

pub(super) async fn worker_send(
    State(shared): State<Arc<Shared>>,
    worker: super::answer::AsWorker,
    Path(id): Path<String>,
    Query(query): Query<WorkerChannel>,
    piece: Bytes,
) -> Answer<Position> {
    let party = worker_party(&shared, worker, &query).await?;
    Ok(Json(shared.channels.send(&id, &party, query.offset, &piece, query.end).await?))
}

pub(super) async fn worker_receive(
    State(shared): State<Arc<Shared>>,
    worker: super::answer::AsWorker,
    Path(id): Path<String>,
    Query(query): Query<WorkerChannel>,
) -> Result<Response, Refused> {
    let party = worker_party(&shared, worker, &query).await?;
    let wait = Duration::from_millis(query.wait_ms).min(LONGEST_WAIT);
    let Read { bytes: read, ended } = shared.channels.receive(&id, &party, query.offset, wait).await?;
    Ok(bytes(read, ended, CHANNEL_END_HEADER))
}
