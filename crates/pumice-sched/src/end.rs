//! How jobs end: reported, cancelled, too late, broken with their group.

use pumice_api::worker::JobRef;
use pumice_types::{Fault, JobEvent, JobId, JobState, Verdict};

use crate::{Action, FinishReason, Job, JobKind, Lab};

impl Lab {
    pub(crate) fn finished(
        &mut self,
        job_ref: JobRef,
        verdict: Verdict,
        fault: Option<Fault>,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.current(job_ref) else { return };
        let Ok(JobState::Finished(verdict)) = job.state.next(JobEvent::Finish(verdict)) else { return };
        self.end(job_ref.job, verdict, FinishReason::Reported, fault, actions);
    }

    /// Ends a job gently; `because` is the member of its group that makes it so, where one does.
    pub(crate) fn cancel(&mut self, id: JobId, because: Option<JobId>, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match job.state {
            JobState::Submitted => {
                self.end(id, Verdict::Cancelled, FinishReason::CancelledInQueue, None, actions);
            }
            JobState::Scheduled | JobState::Running => {
                job.state = JobState::Cancelling;
                let (job_ref, spreads) = (job.job_ref(), breaks_its_group(job));
                if let Some(giving) = &job.given {
                    let worker = giving.worker.clone();
                    actions.push(Action::TellWorkerCancel { job: job_ref, worker, because });
                }
                if spreads {
                    self.cancel_group_of(id, because.unwrap_or(id), actions);
                }
            }
            JobState::Cancelling | JobState::Finished(_) => {}
        }
    }

    pub(crate) fn member_failed(&mut self, job_ref: JobRef, actions: &mut Vec<Action>) {
        let is_essential = |job: &mut Job| job.request.member().is_some_and(|member| member.essential);
        if self.current(job_ref).is_some_and(is_essential) {
            self.cancel_group_of(job_ref.job, job_ref.job, actions);
        }
    }

    pub(crate) fn give_up(&mut self, id: JobId, actions: &mut Vec<Action>) {
        let verdict = match self.job(id).map(|job| job.state) {
            None => return,
            Some(JobState::Submitted | JobState::Cancelling) => Verdict::Cancelled,
            Some(_) => Verdict::Incomplete,
        };
        self.end(id, verdict, FinishReason::GivenUp, None, actions);
    }

    /// The job is over: it leaves the lab, and what follows for its device and its group follows.
    pub(crate) fn end(
        &mut self,
        id: JobId,
        verdict: Verdict,
        reason: FinishReason,
        fault: Option<Fault>,
        actions: &mut Vec<Action>,
    ) {
        let waited = self.job(id).is_some_and(|job| job.state == JobState::Submitted);
        let breaks = self.job(id).is_some_and(|job| {
            job.request.member().is_some()
                && (waited || (verdict != Verdict::Complete && breaks_its_group(job)))
        });
        if waited {
            self.dequeue(id);
        }
        let giving = self.take_back(id);
        let Some(job) = self.jobs.remove(&id) else { return };
        actions.push(Action::FinishJob { job: id, verdict, reason });
        self.judge_device(&job, giving.as_ref(), verdict, reason, fault, actions);
        if let Some(member) = job.request.member() {
            let rest = self.groups.get_mut(&member.group).map(|members| {
                members.remove(&id);
                members.clone()
            });
            let rest = rest.unwrap_or_default();
            if rest.is_empty() {
                self.groups.remove(&member.group);
            } else if breaks {
                for other in rest {
                    self.break_off(other, id, actions);
                }
            }
        }
    }

    /// Ends a member because its group is broken.
    fn break_off(&mut self, id: JobId, because: JobId, actions: &mut Vec<Action>) {
        if self.job(id).is_some_and(|job| job.state == JobState::Submitted) {
            self.end(id, Verdict::Cancelled, FinishReason::GroupBroken, None, actions);
        } else {
            self.cancel(id, Some(because), actions);
        }
    }

    fn cancel_group_of(&mut self, id: JobId, because: JobId, actions: &mut Vec<Action>) {
        let group = self.job(id).and_then(|job| job.request.member()).map(|member| member.group.clone());
        let members = group.and_then(|group| self.groups.get(&group).cloned()).unwrap_or_default();
        for other in members {
            if other != id {
                self.break_off(other, because, actions);
            }
        }
    }

    pub(crate) fn expire_queue(&mut self, actions: &mut Vec<Action>) {
        let late: Vec<_> = self
            .queue()
            .iter()
            .flat_map(|(_, entry)| &entry.jobs)
            .filter_map(|id| self.job(*id))
            .filter(|job| {
                let request = &job.request;
                // A health check waits as long as its device does.
                request.kind != JobKind::HealthCheck
                    && request.queue_timeout.is_some_and(|limit| self.now() > request.submitted + limit)
            })
            .map(Job::id)
            .collect();
        for id in late {
            self.end(id, Verdict::Cancelled, FinishReason::QueueTimeout, None, actions);
        }
    }
}

/// Whether the others of its group cannot go on without this job: it is essential, or it has not even
/// started and the others would wait for it.
fn breaks_its_group(job: &Job) -> bool {
    job.request.member().is_some_and(|member| {
        member.essential || job.given.as_ref().is_none_or(|giving| giving.started.is_none())
    })
}
