//! `scheduler.jobs.*`

use std::time::Duration;

use pumice_db::{Condition, Job, JobHealthWord, JobStateWord, Order, Page, Timestamp};

use super::super::{Answer, Call, Value};
use crate::{
    access::Scope,
    lab::{
        definition, jobs,
        submission::{self, Submitted},
    },
    refusal::Refusal,
    results,
};

/// The longest list.
const LIST_LIMIT: u64 = 100;

fn submitted(submitted: Submitted) -> Value {
    match submitted {
        Submitted::Single(id) => Value::Int(id.0),
        Submitted::Group(ids) => ids.into(),
    }
}

pub(in super::super) async fn submit(call: Call) -> Answer {
    call.who.using(Scope::Submit)?;
    let text = call.arguments.text(0)?;
    Ok(submitted(submission::submit(&call.shared, &call.who, &text).await?))
}

pub(in super::super) async fn resubmit(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    Ok(submitted(jobs::resubmit(&call.shared, &call.who, &name).await?))
}

pub(in super::super) async fn cancel(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    jobs::cancel(&call.shared, &call.who, &name).await?;
    Ok(Value::Bool(true))
}

#[expect(clippy::unused_async, reason = "every method has one form")]
pub(in super::super) async fn validate(call: Call) -> Answer {
    let (text, strict) = (call.arguments.text(0)?, call.arguments.flag(1)?);
    let mistake = match definition::read(&text, &call.shared.config.rules()) {
        Ok(checked) if strict => checked.strict_mistake(),
        Ok(checked) => checked.loose_mistake(),
        Err(mistake) => Some(mistake),
    };
    Ok(mistake.map_or(Value::Struct(Vec::new()), |mistake| {
        Value::members([("path", mistake.python_path().into()), ("msg", mistake.message.into())])
    }))
}

pub(in super::super) async fn definition(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &name).await?;
    Ok(jobs::submitted_text(&mut reader, &job).await?.into())
}

pub(in super::super) async fn configuration(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &name).await?;
    let not_started = || Refusal::Missing(format!("Job '{name}' has not started yet"));
    let given = reader.job_configuration(job.id).await?.ok_or_else(not_started)?;
    let text = reader.job_text(job.id).await?.ok_or_else(not_started)?;
    let binary = |text: String| Value::Binary(text.into_bytes());
    let own = |text: String| if text.is_empty() { Value::Nil } else { binary(text) };
    Ok(Value::Array(vec![
        binary(text.definition),
        binary(given.device),
        own(given.dispatcher),
        own(given.env),
        own(given.env_dut),
    ]))
}

fn condition(field: &str, value: &str) -> Result<Condition, Refusal> {
    Condition::on_jobs(field, value).map_err(|error| Refusal::Invalid(format!("Bad request: {error}")))
}

/// A word that a client may write in large letters; refused when it is none.
fn word<T: std::str::FromStr>(text: &str, kind: &str) -> Result<(), Refusal> {
    text.parse::<T>().map(drop).map_err(|_| Refusal::Invalid(format!("Invalid {kind} '{text}'")))
}

fn minutes(count: i64) -> Duration {
    Duration::from_secs(60 * u64::try_from(count).unwrap_or(0).min(100 * 365 * 24 * 60))
}

pub(in super::super) async fn list(call: Call) -> Answer {
    let arguments = &call.arguments;
    let mut conditions = Vec::new();
    if let Some(state) = arguments.maybe_text(0)? {
        word::<JobStateWord>(&state, "state")?;
        conditions.push(condition("state", &state)?);
    }
    if let Some(health) = arguments.maybe_text(1)? {
        word::<JobHealthWord>(&health, "health")?;
        conditions.push(condition("health", &health)?);
    }
    let page = Page { offset: arguments.count(2, 0)?, limit: arguments.count(3, 25)?.min(LIST_LIMIT) };
    let now = call.shared.clock.now();
    if let Some(since) = arguments.maybe_int(4)?.filter(|since| *since > 0) {
        conditions.push(condition("end_time__gte", &now.before(minutes(since)).rest())?);
    }
    let verbose = arguments.flag(5)?;
    if let Some(at_least) = arguments.maybe_int(6)?.filter(|minutes| *minutes > 0) {
        conditions.push(condition("start_time__lte", &now.before(minutes(at_least)).rest())?);
    }
    let mut reader = call.shared.database.read().await?;
    let listing = reader.jobs(&call.who.viewer, &conditions, &[], page).await?;
    Ok(listing.rows.iter().map(|job| in_list(job, verbose)).collect())
}

fn in_list(job: &Job, verbose: bool) -> Value {
    let mut members = vec![
        ("id".to_owned(), Value::Int(job.id.0)),
        ("description".to_owned(), (&job.description).into()),
        ("device_type".to_owned(), job.requested_device_type.clone().into()),
        ("health".to_owned(), JobHealthWord::from(job.state).as_str().into()),
        ("state".to_owned(), JobStateWord::from(job.state).as_str().into()),
        ("submitter".to_owned(), (&job.submitter).into()),
    ];
    if verbose {
        let time = |time: Option<Timestamp>| Value::from(time.map(Timestamp::python_str));
        members.extend([
            ("actual_device".to_owned(), job.actual_device.clone().into()),
            ("start_time".to_owned(), time(job.start_time)),
            ("end_time".to_owned(), time(job.end_time)),
            ("error_msg".to_owned(), job.error_msg.clone().into()),
            ("error_type".to_owned(), job.error_type.clone().into()),
        ]);
    }
    Value::Struct(members)
}

pub(in super::super) async fn queue(call: Call) -> Answer {
    let mut conditions = vec![condition("state", "Submitted")?];
    if let Some(types) = call.arguments.maybe_texts(0)?.filter(|types| !types.is_empty()) {
        conditions.push(condition("requested_device_type__in", &types.join(","))?);
    }
    let page =
        Page { offset: call.arguments.count(1, 0)?, limit: call.arguments.count(2, 25)?.min(LIST_LIMIT) };
    let mut reader = call.shared.database.read().await?;
    let newest: Vec<_> = Order::of_jobs("-id").into_iter().collect();
    let listing = reader.jobs(&call.who.viewer, &conditions, &newest, page).await?;
    Ok(listing
        .rows
        .iter()
        .map(|job| {
            Value::members([
                ("id", Value::Int(job.id.0)),
                ("description", (&job.description).into()),
                ("requested_device_type", job.requested_device_type.clone().into()),
                ("submitter", (&job.submitter).into()),
            ])
        })
        .collect())
}

pub(in super::super) async fn show(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &name).await?;
    let visibility = jobs::visibility_words(&mut reader, &job).await?;
    let tags = reader.job_tags(job.id).await?;
    Ok(Value::members([
        ("id", Value::Int(job.id.0)),
        ("description", job.description.into()),
        ("device", job.actual_device.into()),
        ("device_type", job.requested_device_type.into()),
        ("health_check", Value::Bool(job.is_health_check)),
        ("pipeline", Value::Bool(true)),
        ("health", JobHealthWord::from(job.state).as_str().into()),
        ("state", JobStateWord::from(job.state).as_str().into()),
        ("submitter", job.submitter.into()),
        ("submit_time", job.submit_time.into()),
        ("start_time", job.start_time.into()),
        ("end_time", job.end_time.into()),
        ("tags", tags.into()),
        ("visibility", visibility.into()),
        ("failure_comment", job.failure_comment.into()),
        ("error_msg", job.error_msg.into()),
        ("error_type", job.error_type.into()),
    ]))
}

pub(in super::super) async fn logs(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let (first, end) = (call.arguments.count(1, 0)?, call.arguments.maybe_int(2)?);
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &name).await?;
    drop(reader);
    let end = end.and_then(|end| u64::try_from(end).ok());
    let place = results::place(&job);
    let text = results::read_lines(&call.shared, place, first, end, results::PIECE_BYTES).await?;
    let lines = results::size(&call.shared, place).await.map_err(Refusal::from)?.lines;
    let reached = first.saturating_add(text.lines().count() as u64);
    // A log too long for one answer goes on: clients ask again, from the line behind, until it is said to be finished.
    let is_whole = reached >= end.unwrap_or(lines).min(lines);
    let text = if text.is_empty() { "[]".to_owned() } else { text };
    Ok(Value::Array(vec![Value::Bool(job.is_finished() && is_whole), Value::Binary(text.into_bytes())]))
}
