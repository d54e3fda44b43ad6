//! `results.*`

use std::fmt::Write as _;

use pumice_db::{Case, Condition, Job, Page, Suite};
use serde_json::{Value as Json, json};

use super::{
    super::{Answer, Call, Value},
    devices::ALL,
};
use crate::{
    access::Scope,
    lab::{jobs, query},
    refusal::Refusal,
    results, yaml,
};

/// What is asked for, and the results of it.
struct Found {
    job: Job,
    cases: Vec<Case>,
}

async fn found(
    call: &Call,
    suite: Option<usize>,
    case: Option<usize>,
    page: Page,
) -> Result<Found, super::super::Fault> {
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    let mut conditions = Vec::new();
    if let Some(place) = suite {
        let suite = suite_of(&mut reader, job.id, &call.arguments.text(place)?).await?;
        conditions.extend(Condition::on_cases("suite", &suite.id.to_string()));
    }
    if let Some(place) = case {
        conditions.extend(Condition::on_cases("name", &call.arguments.text(place)?));
    }
    let cases = reader.cases(job.id, &conditions, &[], page).await?.rows;
    if case.is_some() && cases.is_empty() {
        return Err(Refusal::Missing("Specified test case not found.".to_owned()).into());
    }
    Ok(Found { job, cases })
}

async fn suite_of(
    reader: &mut pumice_db::Reader,
    id: pumice_types::JobId,
    name: &str,
) -> Result<Suite, Refusal> {
    let suite = reader.suite(id, name).await?;
    suite.ok_or_else(|| Refusal::Missing("Specified test suite not found.".to_owned()))
}

fn as_yaml(found: &Found) -> Value {
    let items: Vec<Json> = found.cases.iter().map(results::case_yaml).collect();
    yaml::dump(&Json::Array(items)).into()
}

fn as_csv(found: &Found) -> Value {
    results::csv(&found.job, &found.cases).into()
}

fn page(call: &Call) -> Result<Page, Refusal> {
    Ok(Page { limit: call.arguments.count(2, ALL.limit)?, offset: call.arguments.count(3, 0)? })
}

pub(in super::super) async fn job_yaml(call: Call) -> Answer {
    Ok(as_yaml(&found(&call, None, None, ALL).await?))
}

pub(in super::super) async fn job_csv(call: Call) -> Answer {
    Ok(as_csv(&found(&call, None, None, ALL).await?))
}

pub(in super::super) async fn suite_yaml(call: Call) -> Answer {
    Ok(as_yaml(&found(&call, Some(1), None, page(&call)?).await?))
}

pub(in super::super) async fn suite_csv(call: Call) -> Answer {
    Ok(as_csv(&found(&call, Some(1), None, page(&call)?).await?))
}

pub(in super::super) async fn case_yaml(call: Call) -> Answer {
    Ok(as_yaml(&found(&call, Some(1), Some(2), ALL).await?))
}

pub(in super::super) async fn case_csv(call: Call) -> Answer {
    Ok(as_csv(&found(&call, Some(1), Some(2), ALL).await?))
}

pub(in super::super) async fn suite_count(call: Call) -> Answer {
    let found = found(&call, Some(1), None, ALL).await?;
    Ok(Value::Int(i64::try_from(found.cases.len()).unwrap_or(i64::MAX)))
}

async fn suites(call: &Call) -> Result<(i64, Vec<Suite>), super::super::Fault> {
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    let mut suites = reader.suites(job.id, &[]).await?;
    suites.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((job.id.0, suites))
}

pub(in super::super) async fn suites_yaml(call: Call) -> Answer {
    let (job, suites) = suites(&call).await?;
    let one = |suite: &Suite| json!({"name": suite.name, "job": job.to_string(), "id": suite.id.to_string()});
    Ok(yaml::dump(&suites.iter().map(one).collect()).into())
}

pub(in super::super) async fn suites_csv(call: Call) -> Answer {
    let (job, suites) = suites(&call).await?;
    let mut lines = String::new();
    for suite in &suites {
        let _ = write!(lines, "\"{}\",\"{job}\",\"{}\"\r\n", suite.name.replace('"', "\"\""), suite.id);
    }
    Ok(format!("\"name\",\"job\",\"id\"\r\n{lines}").into())
}

pub(in super::super) async fn metadata(call: Call) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let job = jobs::find(&mut reader, &call.who, &call.arguments.text(0)?).await?;
    Ok(yaml::dump(&Json::Array(results::job_metadata(&job))).into())
}

/// Jobs, suites or cases for which `model__field__op__value,…` holds; only conditions on jobs are taken.
pub(in super::super) async fn custom_query(call: Call) -> Answer {
    let (entity, text) = (call.arguments.text(0)?, call.arguments.maybe_text(1)?.unwrap_or_default());
    if entity != query::JOB {
        return Err(Refusal::Invalid("Bad request: only the entity testjob is known.".to_owned()).into());
    }
    let conditions = query::conditions(&text)?;
    let page = Page { limit: call.arguments.count(2, 200)?.min(1000), offset: 0 };
    let mut reader = call.shared.database.read().await?;
    let listing = reader.jobs(&call.who.viewer, &conditions, &[], page).await?;
    Ok(listing
        .rows
        .into_iter()
        .map(|job| {
            Value::members([
                ("id", Value::Int(job.id.0)),
                ("description", job.description.into()),
                ("state", pumice_db::JobStateWord::from(job.state).as_str().into()),
                ("health", pumice_db::JobHealthWord::from(job.state).as_str().into()),
                ("submitter", job.submitter.into()),
                ("requested_device_type_id", job.requested_device_type.into()),
                ("actual_device_id", job.actual_device.into()),
                ("submit_time", job.submit_time.into()),
                ("start_time", job.start_time.into()),
                ("end_time", job.end_time.into()),
            ])
        })
        .collect())
}

/// What everybody is told who names a stored query.
fn no_query(call: &Call, owner: usize) -> Answer {
    let name = call.arguments.text(0)?;
    let owner = call.arguments.maybe_text(owner)?.unwrap_or_else(|| call.who.name().to_owned());
    Err(Refusal::Missing(format!("Query with name {name} owned by user {owner} does not exist.")).into())
}

#[expect(clippy::unused_async, reason = "every method has one form")]
pub(in super::super) async fn run_query(call: Call) -> Answer {
    no_query(&call, 2)
}

#[expect(clippy::unused_async, reason = "every method has one form")]
pub(in super::super) async fn refresh_query(call: Call) -> Answer {
    call.who.using(Scope::Manage)?;
    no_query(&call, 1)
}

/// There is nothing to be done.
#[expect(clippy::unused_async, reason = "every method has one form")]
pub(in super::super) async fn refresh_queries(call: Call) -> Answer {
    let user = call.who.using(Scope::Manage)?;
    if !user.is_superuser {
        return Err(Refusal::Forbidden(format!("User '{}' is no superuser.", user.username)).into());
    }
    Ok(Value::Nil)
}
