//! Jobs: finding, ending, submitting again.

use std::sync::Arc;

use pumice_db::{Job, Reader, Visibility};
use pumice_sched::Event;
use pumice_types::JobId;

use super::{
    deed,
    submission::{self, Submitted},
};
use crate::{
    access::{Identity, Scope},
    app::Shared,
    refusal::Refusal,
};

/// The job a client means by `12` or `12.0`, if it may be seen. One that may not be seen is refused as forbidden: its
/// number is no secret.
pub(crate) async fn find(reader: &mut Reader, who: &Identity, name: &str) -> Result<Job, Refusal> {
    let missing = || Refusal::missing("Job", name);
    let found = match name.trim().parse::<JobId>() {
        Ok(id) => reader.job(id).await?,
        Err(_) => reader.job_by_sub_id(name.trim()).await?,
    };
    let job = found.ok_or_else(missing)?;
    let groups = reader.viewing_group_keys(job.id).await?;
    if who.viewer.sees(&job, &groups) {
        return Ok(job);
    }
    Err(match &who.user {
        Some(user) => {
            Refusal::Forbidden(format!("User '{}' is not allowed to view job '{name}'.", user.username))
        }
        None => Refusal::login_required(),
    })
}

/// Ends a job. One that has ended stays as it is.
pub(crate) async fn cancel(shared: &Arc<Shared>, who: &Identity, name: &str) -> Result<(), Refusal> {
    let user = who.using(Scope::Submit)?;
    let mut reader = shared.database.read().await?;
    let job = find(&mut reader, who, name).await?;
    if !who.may_change_job(&mut reader, &job).await? {
        return Err(Refusal::Forbidden(format!(
            "User '{}' is not allowed to cancel job '{name}'.",
            user.username
        )));
    }
    drop(reader);
    if job.is_finished() {
        return Ok(());
    }
    let mut writer = shared.database.write().await?;
    writer.note(&deed(shared, who, "cancel", "job", &job.id.to_string(), "asked for its end")).await?;
    writer.commit().await?;
    shared.scheduler.tell(Event::Cancel(job.id)).await?;
    Ok(())
}

/// Ends a job whose worker will never report it.
pub(crate) async fn give_up(shared: &Arc<Shared>, who: &Identity, name: &str) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.change_testjob")?;
    let mut reader = shared.database.read().await?;
    let job = find(&mut reader, who, name).await?;
    drop(reader);
    let mut writer = shared.database.write().await?;
    writer.note(&deed(shared, who, "give-up", "job", &job.id.to_string(), "given up")).await?;
    writer.commit().await?;
    shared.scheduler.tell(Event::GiveUp(job.id)).await?;
    Ok(())
}

/// Lets a waiting job go sooner or later.
pub(crate) async fn set_priority(
    shared: &Arc<Shared>,
    who: &Identity,
    name: &str,
    priority: u8,
) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    let job = find(&mut reader, who, name).await?;
    if !who.may_change_job(&mut reader, &job).await? {
        return Err(Refusal::Forbidden(format!("You may not change job '{name}'.")));
    }
    drop(reader);
    let mut writer = shared.database.write().await?;
    if !writer.set_priority(job.id, i64::from(priority)).await? {
        return Err(Refusal::Conflict(format!("Job '{name}' does not wait any more.")));
    }
    let message = format!("from {} to {priority}", job.priority);
    writer.note(&deed(shared, who, "priority", "job", &job.id.to_string(), message)).await?;
    writer.commit().await?;
    shared.scheduler.tell(Event::SetPriority(job.id, i32::from(priority))).await?;
    Ok(())
}

/// Notes what somebody found out about a failure.
pub(crate) async fn annotate(
    shared: &Arc<Shared>,
    who: &Identity,
    name: &str,
    comment: &str,
) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    let job = find(&mut reader, who, name).await?;
    if !who.may_change_job(&mut reader, &job).await? {
        return Err(Refusal::Forbidden(format!("You may not annotate job '{name}'.")));
    }
    drop(reader);
    let mut writer = shared.database.write().await?;
    writer.set_failure_comment(job.id, comment).await?;
    writer.note(&deed(shared, who, "annotate", "job", &job.id.to_string(), comment)).await?;
    writer.commit().await?;
    Ok(())
}

/// Submits a job's text again, as the one who asks.
pub(crate) async fn resubmit(shared: &Arc<Shared>, who: &Identity, name: &str) -> Result<Submitted, Refusal> {
    who.using(Scope::Submit)?;
    let mut reader = shared.database.read().await?;
    let job = find(&mut reader, who, name).await?;
    let text = submitted_text(&mut reader, &job).await?;
    // Who may see the job may have it run again, with what its submitter sent for it.
    let lent = reader.uploads_of_job(job.id).await?;
    drop(reader);
    submission::submit_with(shared, who, &text, &lent).await
}

/// What was submitted: for a member of a group, the whole.
pub(crate) async fn submitted_text(reader: &mut Reader, job: &Job) -> Result<String, Refusal> {
    let text = reader.job_text(job.id).await?.ok_or_else(|| Refusal::missing("Definition of job", job.id))?;
    Ok(if text.multinode.is_empty() { text.original } else { text.multinode })
}

/// Who may see a job, in LAVA's words.
pub(crate) async fn visibility_words(reader: &mut Reader, job: &Job) -> Result<String, Refusal> {
    Ok(match job.visibility {
        Visibility::Public => "Public".to_owned(),
        Visibility::Personal => "Personal".to_owned(),
        Visibility::Group => format!("Group ({})", reader.viewing_groups(job.id).await?.join(", ")),
    })
}

/// A job and everything about its waiting or its end, for people and programs.
pub(crate) async fn why(shared: &Arc<Shared>, job: &Job) -> Result<serde_json::Value, Refusal> {
    use serde_json::json;
    let id = job.id;
    if let Some(why) = shared.scheduler.look(move |lab| lab.why(id)).await? {
        let obstacles: Vec<_> = why
            .obstacles
            .iter()
            .map(|(obstacle, devices)| {
                json!({"what": obstacle.to_string(), "devices": devices, "remedy": obstacle.remedy()})
            })
            .collect();
        return Ok(json!({"state": "waiting", "ahead": why.ahead, "obstacles": obstacles}));
    }
    if !job.is_finished() {
        return Ok(json!({"state": "active", "device": job.actual_device, "worker": job.worker}));
    }
    let failure: Option<serde_json::Value> =
        job.failure.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Ok(json!({
        "state": "finished",
        "failure": failure,
        "error_type": job.error_type,
        "error_msg": job.error_msg,
        "comment": job.failure_comment,
    }))
}
