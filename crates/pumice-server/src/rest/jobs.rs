//! Jobs.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use pumice_db::{Condition, Job, JobHealthWord, JobStateWord, Order, Reader, Timestamp};
use pumice_types::Name;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Refused, Who},
    list::ListQuery,
    seen::SeenJob,
};
use crate::{
    access::Identity,
    app::Shared,
    lab::{
        definition, jobs,
        submission::{self, Submitted},
    },
    refusal::Refusal,
    results, stored, stream,
};

/// A job as REST shows it.
pub(super) async fn shown(
    reader: &mut Reader,
    who: &Identity,
    shared: &Shared,
    job: &Job,
) -> Result<Value, Refusal> {
    let text = reader.job_text(job.id).await?;
    let (definition, original, multinode) =
        text.map(|text| (text.definition, text.original, text.multinode)).unwrap_or_default();
    let time = |time: Option<Timestamp>| time.map(Timestamp::rest);
    let mut shown = json!({
        "id": job.id,
        "submitter": job.submitter,
        "viewing_groups": reader.viewing_group_keys(job.id).await?,
        "description": job.description,
        "health_check": job.is_health_check,
        "requested_device_type": job.requested_device_type,
        "tags": tag_keys(reader, job).await?,
        "actual_device": job.actual_device,
        "submit_time": time(Some(job.submit_time)),
        "start_time": time(job.start_time),
        "end_time": time(job.end_time),
        "state": JobStateWord::from(job.state).as_str(),
        "health": JobHealthWord::from(job.state).as_str(),
        "priority": job.priority,
        "definition": definition,
        "metadata": results::job_metadata_map(job),
        "original_definition": original,
        "multinode_definition": multinode,
        "failure_tags": [],
        "failure_comment": job.failure_comment,
    });
    if who.sees_tokens() {
        shown["token"] = json!(crate::lava_worker::job_token(shared, job));
    }
    Ok(shown)
}

/// Clients look the names up in `tags/`.
async fn tag_keys(reader: &mut Reader, job: &Job) -> Result<Vec<i64>, Refusal> {
    let mut keys = Vec::new();
    for name in reader.job_tags(job.id).await? {
        keys.extend(reader.tag(&name).await?.map(|tag| tag.id));
    }
    Ok(keys)
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let conditions = query.conditions(Condition::on_jobs)?;
    let orders = query.orders(Order::of_jobs);
    let mut reader = shared.database.read().await?;
    let listing = reader.jobs(&who.viewer, &conditions, &orders, query.page()).await?;
    let mut rows = Vec::new();
    for job in &listing.rows {
        rows.push(shown(&mut reader, &who, &shared, job).await?);
    }
    query.answer(&pumice_db::Listing { total: listing.total, rows }, Clone::clone)
}

pub(super) async fn show(SeenJob { shared, who, job }: SeenJob) -> Answer {
    let mut reader = shared.database.read().await?;
    Ok(Json(shown(&mut reader, &who, &shared, &job).await?))
}

#[derive(Deserialize)]
pub(super) struct Submission {
    definition: Option<String>,
    #[serde(default)]
    strict: bool,
}

pub(super) async fn submit(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<Submission>,
) -> Answer<(StatusCode, Json<Value>)> {
    who.logged_in()?;
    let Some(text) = body.definition else {
        return Err(Refused::as_message(Refusal::Invalid("`definition` is missing".to_owned())));
    };
    let submitted = submission::submit(&shared, &who, &text).await.map_err(Refused::as_message)?;
    let mut answer = accepted(&shared, submitted).await?;
    let read = definition::read(&text, &shared.config.rules());
    let warnings = read.map(|checked| checked.warnings(&text)).unwrap_or_default();
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn accepted(shared: &Shared, submitted: Submitted) -> Result<Value, Refused> {
    let ids: Vec<i64> = match submitted {
        Submitted::Single(id) => vec![id.0],
        Submitted::Group(shown) => {
            let mut reader = shared.database.read().await?;
            let mut ids = Vec::new();
            for sub_id in shown {
                ids.extend(reader.job_by_sub_id(&sub_id).await?.map(|job| job.id.0));
            }
            ids
        }
    };
    Ok(json!({"message": "job(s) successfully submitted", "job_ids": ids}))
}

pub(super) async fn resubmit(SeenJob { shared, who, job }: SeenJob) -> Answer<(StatusCode, Json<Value>)> {
    let submitted = jobs::resubmit(&shared, &who, &job.id.to_string()).await.map_err(Refused::as_message)?;
    Ok((StatusCode::CREATED, Json(accepted(&shared, submitted).await?)))
}

pub(super) async fn validate(
    State(shared): State<Arc<Shared>>,
    _: Who,
    Body(body): Body<Submission>,
) -> Answer {
    let Some(text) = body.definition else {
        return Err(Refused::as_message(Refusal::Invalid("`definition` is missing".to_owned())));
    };
    let mistake = match definition::read(&text, &shared.config.rules()) {
        Ok(checked) if body.strict => checked.strict_mistake(),
        Ok(checked) => checked.loose_mistake(),
        Err(mistake) => Some(mistake),
    };
    match mistake {
        None => Ok(Json(json!({"message": "Job valid."}))),
        Some(mistake) => {
            let message = format!("Job invalid: {}", mistake.at_data());
            Err(Refused::as_message(Refusal::Invalid(message)))
        }
    }
}

pub(super) async fn validate_testdef(_: Who, Body(body): Body<Submission>) -> Answer {
    let Some(text) = body.definition else {
        return Err(Refused::as_message(Refusal::Invalid("`definition` is missing".to_owned())));
    };
    let (node, mut diagnostics) = pumice_yaml::parse(&text, pumice_types::SourceId::default());
    if let Some(node) = node {
        diagnostics.extend(pumice_guest::definition::parse(&node).1);
    }
    let worst = diagnostics.iter().find(|found| found.severity == pumice_types::Severity::Error);
    match worst {
        None => Ok(Json(json!({"message": "Test definition valid."}))),
        Some(found) => {
            let message = format!("Test definition invalid: {}", found.message);
            Err(Refused::as_message(Refusal::Invalid(message)))
        }
    }
}

pub(super) async fn cancel(SeenJob { shared, who, job }: SeenJob) -> Answer {
    jobs::cancel(&shared, &who, &job.id.to_string()).await?;
    Ok(Json(json!({"message": "Job cancel signal sent."})))
}

pub(super) async fn give_up(SeenJob { shared, who, job }: SeenJob) -> Answer {
    jobs::give_up(&shared, &who, &job.id.to_string()).await?;
    Ok(Json(json!({"message": "Job given up."})))
}

#[derive(Deserialize)]
pub(super) struct Batch {
    job_ids: Vec<i64>,
}

pub(super) async fn batch_cancel(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<Batch>,
) -> Answer {
    let mut failed = Vec::new();
    for id in &body.job_ids {
        if let Err(refusal) = jobs::cancel(&shared, &who, &id.to_string()).await {
            failed.push(json!({"id": id, "reason": refusal.public_message()}));
        }
    }
    Ok(Json(json!({"message": "Job cancel signals sent.", "failed": failed})))
}

pub(super) async fn logs(SeenJob { shared, job, .. }: SeenJob, query: ListQuery) -> Answer<Response> {
    let number = |name: &str| match query.get(name) {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse::<u64>().map(Some).map_err(|_| Refusal::Invalid(format!("`{name}` must be a number")))
        }
    };
    let (first, end) = (number("start")?.unwrap_or(0), number("end")?);
    let place = results::place(&job);
    let size = results::size(&shared, place).await.map_err(Refusal::from)?;
    if size.lines == 0 {
        // As LAVA: there is no log yet.
        return Err(Refusal::Missing("There is no log for this job yet.".to_owned()).into());
    }
    let lines = stream::log(&shared, place, first, end);
    Ok(([(header::CONTENT_TYPE, "application/yaml")], lines).into_response())
}

pub(super) async fn metadata(SeenJob { job, .. }: SeenJob) -> Answer {
    Ok(Json(json!({"metadata": results::job_metadata(&job)})))
}

pub(super) async fn why(SeenJob { shared, job, .. }: SeenJob) -> Answer {
    Ok(Json(jobs::why(&shared, &job).await?))
}

pub(super) async fn files(SeenJob { shared, job, .. }: SeenJob) -> Answer {
    let found = shared.database.read().await?.attachments(job.id).await?;
    let one = |file: &pumice_db::Attachment| {
        json!({
            "name": file.name, "size": file.size_bytes, "sha256": file.sha256,
            "content_type": file.content_type, "created": file.created.rest(),
        })
    };
    Ok(Json(found.iter().map(one).collect()))
}

pub(super) async fn file(
    SeenJob { shared, job, .. }: SeenJob,
    headers: HeaderMap,
    Path((_, name)): Path<(String, String)>,
) -> Answer<Response> {
    let missing = || Refusal::missing("File", &name);
    let wanted: Name = name.parse().map_err(|_| missing())?;
    let known = shared.database.read().await?.attachments(job.id).await?;
    let known = known.into_iter().find(|file| file.name == wanted.as_str()).ok_or_else(missing)?;
    let (storage, place) = (Arc::clone(&shared.storage), results::place(&job));
    let open = move |from| storage.read_file(place, &wanted, from);
    let answer = stored::answer(&headers, Some(&known.sha256), open).await?.ok_or_else(missing)?;
    let disposition = format!("attachment; filename=\"{}\"", known.name);
    let told = [(header::CONTENT_TYPE, known.content_type), (header::CONTENT_DISPOSITION, disposition)];
    Ok((told, answer).into_response())
}
