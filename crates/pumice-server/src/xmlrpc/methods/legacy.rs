//! `scheduler.*`: the older flat methods.

use pumice_db::{Condition, Job, JobHealthWord, JobStateWord, Page};

use super::{
    super::{Answer, Call, Value},
    devices::{ALL, dictionary},
};
use crate::{
    access::Scope,
    lab::{
        definition, device_types,
        devices::{self, Described},
        jobs, render,
    },
    refusal::Refusal,
    results,
};

pub(in super::super) async fn all_devices(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let found = reader.devices(&call.who.viewer, &[Condition::not_retired()], &[], ALL).await?;
    Ok(found
        .rows
        .into_iter()
        .map(|device| {
            Value::Array(vec![
                device.hostname.into(),
                device.device_type.into(),
                device.state.as_str().to_lowercase().into(),
                device.current_job.into(),
                Value::Bool(true),
            ])
        })
        .collect())
}

pub(in super::super) async fn all_device_types(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let types = reader.device_types(&call.who.viewer, &[], &[], ALL).await?.rows;
    let devices = reader.devices(&call.who.viewer, &[Condition::not_retired()], &[], ALL).await?.rows;
    Ok(types
        .into_iter()
        .filter(|known| known.display)
        .map(|known| {
            let of = |state: &str| {
                let count = devices
                    .iter()
                    .filter(|d| d.device_type == known.name && d.state.as_str() == state)
                    .count();
                Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
            };
            Value::members([
                ("name", known.name.clone().into()),
                ("idle", of("Idle")),
                ("busy", of("Running")),
                ("reserved", of("Reserved")),
            ])
        })
        .collect())
}

pub(in super::super) async fn all_jobs(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let found = reader.jobs(&call.who.viewer, &[Condition::unfinished_jobs()], &[], ALL).await?;
    Ok(found
        .rows
        .into_iter()
        .map(|job| {
            Value::Array(vec![
                Value::Int(job.id.0),
                job.description.into(),
                Value::from(job.requested_device_type),
                JobStateWord::from(job.state).as_str().into(),
                Value::from(job.actual_device),
                JobHealthWord::from(job.state).as_str().into(),
            ])
        })
        .collect())
}

pub(in super::super) async fn device_status(call: Call) -> Answer {
    let hostname = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let device = devices::find(&mut reader, &call.who, &hostname).await?;
    let offline_by =
        reader.audit_of("device", &hostname, 20).await?.into_iter().find(|entry| entry.action == "health");
    Ok(Value::members([
        ("hostname", device.hostname.into()),
        ("state", device.state.as_str().into()),
        ("health", device.health.as_str().into()),
        ("job", device.current_job.map(|id| id.to_string()).unwrap_or_default().into()),
        ("offline_since", offline_by.as_ref().map(|entry| entry.at.python_str()).unwrap_or_default().into()),
        ("offline_by", offline_by.map(|entry| entry.username).unwrap_or_default().into()),
        ("is_pipeline", Value::Bool(true)),
    ]))
}

async fn set_health(call: &Call, health: &str) -> Answer {
    call.who.using(Scope::Manage)?;
    let described = Described {
        health: Some(health.to_owned()),
        reason: call.arguments.maybe_text(1)?,
        ..Described::default()
    };
    devices::change(&call.shared, &call.who, &call.arguments.text(0)?, &described).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn into_maintenance(call: Call) -> Answer {
    set_health(&call, "Maintenance").await
}

pub(in super::super) async fn into_online(call: Call) -> Answer {
    let health = if call.arguments.flag(2)? { "Good" } else { "Unknown" };
    set_health(&call, health).await
}

pub(in super::super) async fn pending(call: Call) -> Answer {
    let queue = call.shared.database.read().await?.statistics().await?.queue;
    let seen = queue.into_iter().filter(|(name, _)| call.who.viewer.sees_type(name));
    Ok(Value::Struct(
        seen.map(|(name, n)| (name, Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))).collect(),
    ))
}

/// The time of an event or nothing, as the text it has in a struct.
fn details(job: &Job, definition: String, original: String, multinode: String) -> Vec<(String, Value)> {
    // Clients that are older than states read one number for both (lava-compat 1.8).
    let status = match (JobStateWord::from(job.state), JobHealthWord::from(job.state)) {
        (JobStateWord::Finished, JobHealthWord::Complete) => "Complete",
        (JobStateWord::Finished, JobHealthWord::Canceled) => "Canceled",
        (JobStateWord::Finished, _) => "Incomplete",
        (JobStateWord::Canceling, _) => "Canceling",
        (JobStateWord::Running, _) => "Running",
        _ => "Submitted",
    };
    let members = [
        ("id", Value::Int(job.id.0)),
        ("description", (&job.description).into()),
        ("state", JobStateWord::from(job.state).as_str().into()),
        ("health", JobHealthWord::from(job.state).as_str().into()),
        ("status", status.into()),
        ("submitter_username", (&job.submitter).into()),
        ("submitter_id", Value::Int(job.submitter_id)),
        ("requested_device_type_id", job.requested_device_type.clone().into()),
        ("actual_device_id", job.actual_device.clone().into()),
        ("definition", definition.into()),
        ("original_definition", original.into()),
        ("multinode_definition", multinode.into()),
        ("submit_time", job.submit_time.into()),
        ("start_time", job.start_time.into()),
        ("end_time", job.end_time.into()),
        ("health_check", Value::Bool(job.is_health_check)),
        ("priority", Value::Int(job.priority)),
        ("sub_id", job.sub_id.clone().unwrap_or_default().into()),
        ("target_group", job.target_group.clone().into()),
        ("failure_comment", job.failure_comment.clone().into()),
        ("error_msg", job.error_msg.clone().into()),
        ("error_type", job.error_type.clone().into()),
        ("absolute_url", format!("/scheduler/job/{}", job.display_id()).into()),
        ("is_pipeline", Value::Bool(true)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(in super::super) async fn job_details(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    let text = reader.job_text(job.id).await?.ok_or_else(|| Refusal::missing("Job", job.id))?;
    Ok(Value::Struct(details(&job, text.definition, text.original, text.multinode)))
}

pub(in super::super) async fn job_state(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    let state = JobStateWord::from(job.state).as_str();
    Ok(Value::members([("job_id", Value::Int(job.id.0)), ("job_state", state.into())]))
}

pub(in super::super) async fn job_health(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    let health = JobHealthWord::from(job.state).as_str();
    Ok(Value::members([("job_id", Value::Int(job.id.0)), ("job_health", health.into())]))
}

/// The most bytes of a log in one answer; whoever wants more asks again, from the byte behind.
const LARGEST_OUTPUT: usize = 16 << 20;

pub(in super::super) async fn job_output(call: Call) -> Answer {
    let offset = call.arguments.count(1, 0)?;
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    drop(reader);
    let piece = results::read_bytes(&call.shared, results::place(&job), offset, LARGEST_OUTPUT).await?;
    Ok(Value::Binary(piece.bytes))
}

async fn recent(call: &Call, field: &str) -> Answer {
    let invalid = |error: pumice_db::UnknownField| Refusal::Invalid(error.to_string());
    let mut conditions = vec![
        Condition::on_jobs(field, &call.arguments.text(0)?).map_err(invalid)?,
        Condition::on_jobs("state", "Finished").map_err(invalid)?,
    ];
    if call.arguments.flag(2)? {
        let user = call.who.logged_in()?;
        conditions.push(Condition::on_jobs("submitter", &user.username).map_err(invalid)?);
    }
    let page = Page { limit: call.arguments.count(1, 1)?.min(100), offset: 0 };
    let mut reader = call.shared.database.read().await?;
    let listing = reader.jobs(&call.who.viewer, &conditions, &[], page).await?;
    let one = |job: &Job| {
        Value::members([
            ("id", Value::Int(job.id.0)),
            ("description", (&job.description).into()),
            ("status", JobHealthWord::from(job.state).as_str().into()),
            ("device", job.actual_device.clone().into()),
        ])
    };
    Ok(listing.rows.iter().map(one).collect())
}

pub(in super::super) async fn recent_of_device(call: Call) -> Answer {
    let hostname = call.arguments.text(0)?;
    devices::find(&mut call.shared.database.read().await?, &call.who, &hostname).await?;
    recent(&call, "actual_device").await
}

pub(in super::super) async fn recent_of_type(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    device_types::find(&mut call.shared.database.read().await?, &call.who, &name).await?;
    recent(&call, "requested_device_type").await
}

pub(in super::super) async fn type_by_alias(call: Call) -> Answer {
    let alias = call.arguments.text(0)?;
    let found = call.shared.database.read().await?.alias(&alias).await?;
    let found = found.ok_or_else(|| Refusal::missing("Alias", &alias))?;
    Ok(Value::Struct(vec![(alias, Value::Array(vec![found.into()]))]))
}

pub(in super::super) async fn export_dictionary(call: Call) -> Answer {
    let hostname = call.arguments.text(0)?;
    dictionary(&call, &hostname, false, "").await
}

pub(in super::super) async fn device_config(call: Call) -> Answer {
    let (hostname, context) = (call.arguments.text(0)?, call.arguments.maybe_text(1)?.unwrap_or_default());
    dictionary(&call, &hostname, true, &context).await
}

pub(in super::super) async fn import_dictionary(call: Call) -> Answer {
    let (hostname, text) = (call.arguments.text(0)?, call.arguments.text(1)?);
    devices::set_dictionary(&call.shared, &call.who, &hostname, &text).await?;
    Ok(format!("Updated device dictionary for {hostname}").into())
}

/// LAVA's usual answer, from which clients take a port. Nobody listens there: events come over the WebSocket.
#[expect(clippy::unused_async, reason = "every method has one form")]
pub(in super::super) async fn event_socket(_: Call) -> Answer {
    Ok("tcp://*:5500".into())
}

#[expect(clippy::unused_async, reason = "every method has one form")]
pub(in super::super) async fn validate_yaml(call: Call) -> Answer {
    let text = call.arguments.text(0)?;
    let mistake = match definition::read(&text, &call.shared.config.rules()) {
        Ok(checked) => checked.mistake(),
        Err(mistake) => Some(mistake),
    };
    match mistake {
        Some(mistake) => {
            Err(Refusal::Invalid(format!("Invalid YAML submission: {}", mistake.at_data())).into())
        }
        None => Ok(Value::Nil),
    }
}

pub(in super::super) async fn validate_devices(call: Call) -> Answer {
    let name = call.arguments.maybe_text(0)?;
    let mut reader = call.shared.database.read().await?;
    let found = reader.devices(&call.who.viewer, &[Condition::not_retired()], &[], ALL).await?.rows;
    let wanted = found.into_iter().filter(|device| {
        name.as_ref().is_none_or(|name| device.hostname == *name || device.device_type == *name)
    });
    let mut answers = Vec::new();
    for device in wanted {
        let rendered =
            render::device(&call.shared, &mut reader, &device, &pumice_yaml::Map::default()).await?;
        let answer = match rendered {
            Ok(_) => Value::members([("Valid", Value::Nil)]),
            Err(reason) => Value::members([("Invalid", reason.into())]),
        };
        answers.push((device.hostname, answer));
    }
    if let Some(name) = name.filter(|_| answers.is_empty()) {
        return Err(Refusal::missing("Device", name).into());
    }
    Ok(Value::Struct(answers))
}
