//! What the scheduler decided, written in one transaction, then told.

use std::{collections::BTreeSet, sync::Arc};

use pumice_db::{AuditEntry, DbError, DeviceChange, JobEnd, JobHold, Timestamp, WorkerState, Writer};
use pumice_sched::{Action, FinishReason, HealthReason, RequeueReason};
use pumice_types::{Cause, DeviceName, Failure, JobId, JobState, Verdict};

use super::{record::health_for_database, round::Round};
use crate::{
    app::Shared,
    events::{self, device_event, job_event, worker_event},
    groups,
    lab::SERVER,
    notify,
};

/// Whom to tell once it is written.
#[derive(Default)]
pub(super) struct Told {
    events: Vec<events::Draft>,
    bells: BTreeSet<String>,
    /// MultiNode groups that have lost a member.
    groups: BTreeSet<String>,
    has_callbacks: bool,
}

impl Told {
    pub(super) fn tell(self, shared: &Arc<Shared>) {
        let now = shared.clock.now();
        for draft in self.events {
            shared.events.publish(draft, now);
        }
        for worker in self.bells {
            shared.scheduler.ring(&worker);
        }
        for group in self.groups {
            groups::member_over(Arc::clone(shared), group);
        }
        if self.has_callbacks {
            shared.callbacks_wait.notify_one();
        }
    }
}

/// Writes everything that was decided in one round.
pub(super) async fn apply(round: &Round, shared: &Shared) -> Result<Told, DbError> {
    let mut writer = shared.database.write().await?;
    let mut applying =
        Applying { writer: &mut writer, told: Told::default(), now: shared.clock.now(), round, shared };
    for action in &round.actions {
        applying.one(action).await?;
    }
    let told = applying.told;
    writer.commit().await?;
    Ok(told)
}

struct Applying<'a> {
    writer: &'a mut Writer,
    told: Told,
    now: Timestamp,
    round: &'a Round,
    shared: &'a Shared,
}

impl Applying<'_> {
    async fn one(&mut self, action: &Action) -> Result<(), DbError> {
        match action {
            Action::Assign { job, fence, worker, device } => {
                let hold = JobHold {
                    device: device.as_ref().map(ToString::to_string),
                    worker: worker.to_string(),
                    fence: i64::try_from(fence.0).unwrap_or(i64::MAX),
                };
                self.writer.schedule_job(*job, &hold).await?;
                self.told.bells.insert(worker.to_string());
                self.device_changed(device.as_ref(), None).await?;
                self.job_changed(*job).await
            }
            Action::MarkRunning { job, fence } => {
                let fence = i64::try_from(fence.0).unwrap_or(i64::MAX);
                self.writer.start_job(*job, fence, self.now).await?;
                self.device_of_job_changed(*job).await?;
                self.job_changed(*job).await
            }
            Action::Requeue { job, reason } => self.requeue(*job, *reason).await,
            Action::TellWorkerCancel { job, worker, because } => {
                self.writer.cancel_job(job.job).await?;
                if let Some(culprit) = because {
                    self.blame(job.job, *culprit).await?;
                }
                self.told.bells.insert(worker.to_string());
                self.job_changed(job.job).await
            }
            Action::FinishJob { job, verdict, reason } => {
                self.finish(*job, *verdict, *reason, self.round.ends.get(job)).await
            }
            Action::SetDeviceHealth { device, health, reason } => self.health(device, *health, *reason).await,
            Action::RecordCheck { device } => self.count_check(device).await,
            Action::MarkOnline(worker) => self.worker_state(worker.as_str(), WorkerState::Online).await,
            Action::MarkOffline(worker) => self.worker_state(worker.as_str(), WorkerState::Offline).await,
            Action::OpenSession { worker, epoch } => {
                self.writer
                    .set_worker_epoch(worker.as_str(), i64::try_from(epoch.0).unwrap_or(i64::MAX))
                    .await
            }
            // Submitted by a task of its own, once this is written.
            Action::StartHealthCheck(_) => Ok(()),
        }
    }

    async fn requeue(&mut self, job: JobId, reason: RequeueReason) -> Result<(), DbError> {
        let device = self.writer.job(job).await?.and_then(|job| job.actual_device).map(DeviceName);
        let (losses, returns) = self.round.tries.get(&job).copied().unwrap_or_default();
        self.writer.requeue_job(job, i64::from(losses), i64::from(returns)).await?;
        self.writer.forget_results(job).await?;
        let message = match reason {
            RequeueReason::Lost => "its worker was not heard of for longer than its lease; it waits again",
            RequeueReason::Returned => "its worker handed it back; it waits again",
        };
        self.note("requeue", "job", &job.to_string(), message).await?;
        self.device_changed(device.as_ref(), None).await?;
        self.job_changed(job).await
    }

    async fn finish(
        &mut self,
        id: JobId,
        verdict: Verdict,
        reason: FinishReason,
        end: Option<&JobEnd>,
    ) -> Result<(), DbError> {
        let Some(job) = self.writer.job(id).await? else { return Ok(()) };
        let mut end = match end {
            Some(end) => JobEnd { verdict, ..end.clone() },
            None => ended_by_the_lab(verdict, reason),
        };
        if verdict == Verdict::Cancelled && job.state == JobState::Cancelling && job.failure.is_some() {
            // Why it was cancelled is known better than by its worker: see `blame`.
            end.failure.clone_from(&job.failure);
        }
        self.told.groups.extend(job.target_group.clone());
        if !self.writer.finish_job(id, job.state, &end, self.now).await? {
            return Ok(());
        }
        if job.is_health_check
            && let Some(device) = &job.actual_device
        {
            self.writer.set_last_health_job(device, id.0).await?;
        }
        let device = job.actual_device.map(DeviceName);
        self.device_changed(device.as_ref(), Some(id)).await?;
        self.job_changed(id).await
    }

    /// Notes on a job that is to end which member of its group is to blame.
    async fn blame(&mut self, id: JobId, culprit: JobId) -> Result<(), DbError> {
        let Some(culprit) = self.writer.job(culprit).await? else { return Ok(()) };
        let why = groups::failure_of(&culprit)
            .map_or_else(|| "it was cancelled".to_owned(), |failure| failure.message);
        let role = culprit.role.clone().unwrap_or_default();
        let message =
            format!("job {} ({role}), without which this group is none: {why}", culprit.display_id());
        let failure = Failure::new(Cause::PeerFailed, message);
        self.writer.set_job_failure(id, &serde_json::to_string(&failure).unwrap_or_default()).await
    }

    async fn health(
        &mut self,
        device: &DeviceName,
        health: pumice_sched::DeviceHealth,
        reason: HealthReason,
    ) -> Result<(), DbError> {
        let health = health_for_database(health);
        let change = DeviceChange { health: Some(health), ..DeviceChange::default() };
        self.writer.update_device(device.as_str(), &change).await?;
        let why = match reason {
            HealthReason::CheckPassed(job) => format!("health check {job} passed"),
            HealthReason::CheckFailed(job) => format!("health check {job} failed"),
            HealthReason::JobFault(job, fault) => {
                format!("job {job} ended with an error of type {}", fault.lava_name())
            }
            HealthReason::Worker => "its worker's health changed".to_owned(),
            // Whoever it was has noted it already, with the reason given.
            HealthReason::Person => String::new(),
        };
        if !why.is_empty() {
            self.note("health", "device", device.as_str(), &format!("{health}: {why}")).await?;
        }
        self.device_changed(Some(device), None).await
    }

    async fn count_check(&mut self, device: &DeviceName) -> Result<(), DbError> {
        let Some((last_check, jobs_since)) = self.round.checks.get(device) else { return Ok(()) };
        let last_check = last_check.and_then(|time| i64::try_from(time.0).ok());
        self.writer.set_check_count(device.as_str(), last_check, i64::from(*jobs_since)).await
    }

    async fn worker_state(&mut self, hostname: &str, state: WorkerState) -> Result<(), DbError> {
        self.writer.set_worker_state(hostname, state).await?;
        if let Some(worker) = self.writer.worker(hostname).await? {
            self.told.events.push(worker_event(&worker, SERVER));
        }
        Ok(())
    }

    async fn job_changed(&mut self, id: JobId) -> Result<(), DbError> {
        let Some(job) = self.writer.job(id).await? else { return Ok(()) };
        let groups = self.writer.viewing_group_keys(id).await?;
        self.told.has_callbacks |= notify::enqueue(self.writer, &job, self.shared, self.now).await?;
        self.told.events.push(job_event(&job, groups));
        Ok(())
    }

    async fn device_of_job_changed(&mut self, id: JobId) -> Result<(), DbError> {
        let device = self.writer.job(id).await?.and_then(|job| job.actual_device).map(DeviceName);
        self.device_changed(device.as_ref(), Some(id)).await
    }

    async fn device_changed(&mut self, name: Option<&DeviceName>, job: Option<JobId>) -> Result<(), DbError> {
        let Some(name) = name else { return Ok(()) };
        if let Some(device) = self.writer.device(name.as_str()).await? {
            self.told.events.push(device_event(&device, job.map(|id| id.0), SERVER));
        }
        Ok(())
    }

    async fn note(&mut self, action: &str, kind: &str, object: &str, message: &str) -> Result<(), DbError> {
        self.writer
            .note(&AuditEntry {
                at: self.now,
                username: SERVER.to_owned(),
                action: action.to_owned(),
                kind: kind.to_owned(),
                object: object.to_owned(),
                message: message.to_owned(),
            })
            .await
    }
}

/// The end of a job that no worker reported.
fn ended_by_the_lab(verdict: Verdict, reason: FinishReason) -> JobEnd {
    let message = match reason {
        FinishReason::Reported => return JobEnd::plain(verdict),
        FinishReason::CancelledInQueue => "The job was cancelled while it waited",
        FinishReason::QueueTimeout => "The job waited for longer than its queue timeout",
        FinishReason::GroupBroken => "Another job of the group can never run",
        FinishReason::LeaseLost => "The worker was lost, as often as the lab tries again",
        FinishReason::Returned => "Workers handed the job back too often",
        FinishReason::GivenUp => "An operator gave the job up",
    };
    // A cancelled job has no error in LAVA's view: somebody wanted its end.
    let Some(cause) = reason.cause().filter(|_| reason != FinishReason::CancelledInQueue) else {
        return JobEnd::plain(verdict);
    };
    let failure = Failure::new(cause, message);
    JobEnd {
        verdict,
        error_type: Some(failure.fault.lava_name().to_owned()),
        error_msg: Some(failure.message.clone()),
        failure: serde_json::to_string(&failure).ok(),
        failure_comment: None,
    }
}
