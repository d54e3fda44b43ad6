//! `scheduler.workers.*`

use pumice_db::{Condition, WorkerFile, WorkerHealth};

use super::{
    super::{Answer, Call, Value},
    devices::ALL,
};
use crate::{lab::workers, refusal::Refusal};

pub(in super::super) async fn add(call: Call) -> Answer {
    let arguments = &call.arguments;
    let (hostname, description) = (arguments.text(0)?, arguments.maybe_text(1)?);
    workers::add(&call.shared, &call.who, &hostname, description.as_deref(), arguments.flag(2)?).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn update(call: Call) -> Answer {
    let arguments = &call.arguments;
    let (description, health) = (arguments.maybe_text(1)?, arguments.maybe_text(2)?);
    let (hostname, limit) = (arguments.text(0)?, arguments.maybe_int(3)?);
    workers::change(&call.shared, &call.who, &hostname, description.as_deref(), health.as_deref(), limit)
        .await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn delete(call: Call) -> Answer {
    workers::remove(&call.shared, &call.who, &call.arguments.text(0)?).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn list(call: Call) -> Answer {
    let show_all = call.arguments.flag(0)?;
    let mut reader = call.shared.database.read().await?;
    let found = reader.workers(&[], &[], ALL).await?.rows;
    let shown = found.into_iter().filter(|worker| show_all || worker.health != WorkerHealth::Retired);
    Ok(shown.map(|worker| Value::from(worker.hostname)).collect())
}

pub(in super::super) async fn show(call: Call) -> Answer {
    let hostname = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let worker = workers::find(&mut reader, &hostname).await?;
    let conditions: Vec<_> = Condition::on_devices("worker_host", &hostname).into_iter().collect();
    let devices = reader.devices(&call.who.viewer, &conditions, &[], ALL).await?.rows;
    let devices: Vec<_> = devices.into_iter().map(|device| device.hostname).collect();
    let token = workers::token(&call.shared, &worker);
    let mut members = vec![
        ("hostname".to_owned(), worker.hostname.into()),
        ("description".to_owned(), worker.description.into()),
        ("state".to_owned(), worker.state.as_str().into()),
        ("health".to_owned(), worker.health.as_str().into()),
        ("devices".to_owned(), devices.into()),
        ("last_ping".to_owned(), worker.last_ping.into()),
        ("job_limit".to_owned(), Value::Int(worker.job_limit)),
        ("version".to_owned(), worker.version.into()),
        ("default_config".to_owned(), Value::Bool(!worker.has_config)),
        ("default_env".to_owned(), Value::Bool(!worker.has_env)),
        ("default_env_dut".to_owned(), Value::Bool(!worker.has_env_dut)),
    ];
    if call.who.sees_tokens() {
        members.push(("token".to_owned(), token.into()));
    }
    Ok(Value::Struct(members))
}

async fn get(call: Call, file: WorkerFile, what: &str) -> Answer {
    let hostname = call.arguments.text(0)?;
    let text = workers::file(&call.shared, &call.who, &hostname, file).await?;
    let text = text.ok_or_else(|| Refusal::Missing(format!("Worker '{hostname}' does not have {what}")))?;
    Ok(Value::Binary(text.into_bytes()))
}

pub(in super::super) async fn get_config(call: Call) -> Answer {
    get(call, WorkerFile::Config, "a dispatcher configuration").await
}

pub(in super::super) async fn get_env(call: Call) -> Answer {
    get(call, WorkerFile::Env, "environment data").await
}

pub(in super::super) async fn get_env_dut(call: Call) -> Answer {
    get(call, WorkerFile::EnvDut, "environment data for its devices").await
}

async fn set(call: Call, file: WorkerFile) -> Answer {
    let (hostname, text) = (call.arguments.text(0)?, call.arguments.text(1)?);
    workers::set_file(&call.shared, &call.who, &hostname, file, &text).await?;
    Ok(Value::Bool(true))
}

pub(in super::super) async fn set_config(call: Call) -> Answer {
    set(call, WorkerFile::Config).await
}

pub(in super::super) async fn set_env(call: Call) -> Answer {
    set(call, WorkerFile::Env).await
}

pub(in super::super) async fn set_env_dut(call: Call) -> Answer {
    set(call, WorkerFile::EnvDut).await
}
