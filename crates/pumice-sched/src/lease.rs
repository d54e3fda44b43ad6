//! Workers: sessions, polls, leases, and what happens when one is not heard of.

use pumice_api::worker::{Epoch, Held, JobRef, Orders, Phase};
use pumice_types::{JobEvent, JobId, JobState, Verdict, WorkerName};

use crate::{Action, FinishReason, Job, JobKind, Lab, Leasing, RequeueReason, Time, WorkerState};

impl Lab {
    pub(crate) fn hello(&mut self, name: &WorkerName, session: String, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(name) else { return };
        if worker.session != session {
            worker.session = session;
            worker.epoch = Epoch(worker.epoch.0 + 1);
            worker.sequence = 0;
            worker.not_ready = None;
            actions.push(Action::OpenSession { worker: name.clone(), epoch: worker.epoch });
        }
        self.hear(name, actions);
    }

    fn hear(&mut self, name: &WorkerName, actions: &mut Vec<Action>) {
        let now = self.now();
        let Some(worker) = self.workers.get_mut(name) else { return };
        worker.last_seen = Some(now);
        if worker.state == WorkerState::Offline {
            worker.state = WorkerState::Online;
            actions.push(Action::MarkOnline(name.clone()));
        }
    }

    pub(crate) fn polled(
        &mut self,
        name: &WorkerName,
        epoch: Epoch,
        sequence: u64,
        held: &[Held],
        not_ready: Option<String>,
        actions: &mut Vec<Action>,
    ) {
        let now = self.now();
        let lease_until = now + self.policy().lease;
        let Some(worker) = self.workers.get_mut(name) else { return };
        // A poll that was overtaken says how things were, and the worker counts no lease from its answer.
        if worker.epoch != epoch || sequence <= worker.sequence {
            return;
        }
        worker.sequence = sequence;
        worker.not_ready = not_ready;
        self.hear(name, actions);
        for item in held {
            let Some(job) = self.lent(name, item.job_ref()) else { continue };
            if let Some(giving) = &mut job.given {
                giving.lease_until = lease_until;
                giving.acknowledged = true;
            }
            if item.phase != Phase::Accepted {
                self.started(item.job_ref(), actions);
            }
        }
        // The answer offers these again, so the worker's time for them begins anew.
        for offer in self.orders(name, held).offers {
            if let Some(giving) = self.jobs.get_mut(&offer.job).and_then(|job| job.given.as_mut()) {
                giving.lease_until = lease_until;
            }
        }
    }

    /// Renews what `name` holds, and nothing else, for a server that cannot write down at the moment what else a poll leads to. Nothing
    /// that is kept changes, so that it may be done between a decision and its being written. Answers whether all of it is
    /// `name`'s; where something is not, nothing is renewed.
    pub fn renew(&mut self, name: &WorkerName, epoch: Epoch, held: &[Held], now: Time) -> bool {
        let until = self.now().max(now) + self.policy().lease;
        let is_present = self.worker(name).is_some_and(|worker| worker.epoch == epoch);
        if !is_present || held.iter().any(|item| self.lent(name, item.job_ref()).is_none()) {
            return false;
        }
        for item in held {
            if let Some(giving) = self.lent(name, item.job_ref()).and_then(|job| job.given.as_mut()) {
                giving.lease_until = giving.lease_until.max(until);
            }
        }
        if let Some(worker) = self.workers.get_mut(name) {
            worker.last_seen = worker.last_seen.max(Some(now));
        }
        true
    }

    pub(crate) fn goodbye(&mut self, name: &WorkerName, epoch: Epoch, actions: &mut Vec<Action>) {
        if let Some(worker) = self.workers.get_mut(name)
            && worker.epoch == epoch
            && worker.state == WorkerState::Online
        {
            worker.state = WorkerState::Offline;
            actions.push(Action::MarkOffline(name.clone()));
        }
    }

    /// What `worker`, which says that it holds `held`, should do. Channels are the server's own affair.
    pub fn orders(&self, worker: &WorkerName, held: &[Held]) -> Orders {
        let mut orders = Orders::default();
        let holds = |job: &Job| held.iter().any(|held| held.job_ref() == job.job_ref());
        for job in self.jobs_of(worker) {
            match job.state {
                JobState::Scheduled if self.is_offered(job) && !holds(job) => {
                    orders.offers.push(job.job_ref());
                }
                JobState::Cancelling => orders.cancel.push(job.job_ref()),
                _ => {}
            }
        }
        for held in held {
            let is_its_own = self.job(held.job).is_some_and(|job| {
                job.fence == held.fence && job.given.as_ref().is_some_and(|giving| giving.worker == *worker)
            });
            if !is_its_own {
                orders.stop.push(held.job_ref());
            }
        }
        orders
    }

    /// Whether a job is still offered to its worker: until it was acknowledged, and not for longer than a lease, so that
    /// a worker that never takes it loses it.
    fn is_offered(&self, job: &Job) -> bool {
        let Some(giving) = &job.given else { return false };
        !giving.acknowledged && self.now() < giving.since + self.policy().lease
    }

    /// The job, if this is its present giving and `worker` has it.
    fn lent(&mut self, worker: &WorkerName, job_ref: JobRef) -> Option<&mut Job> {
        self.current(job_ref).filter(|job| job.given.as_ref().is_some_and(|giving| giving.worker == *worker))
    }

    /// The job, if this is its present giving and it is lent.
    pub(crate) fn current(&mut self, job_ref: JobRef) -> Option<&mut Job> {
        self.jobs.get_mut(&job_ref.job).filter(|job| job.fence == job_ref.fence && job.given.is_some())
    }

    pub(crate) fn started(&mut self, job_ref: JobRef, actions: &mut Vec<Action>) {
        let now = self.now();
        let Some(job) = self.current(job_ref) else { return };
        let Ok(state) = job.state.next(JobEvent::Start) else { return };
        job.state = state;
        if let Some(giving) = &mut job.given {
            giving.acknowledged = true;
            if giving.started.is_none() {
                giving.started = Some(now);
                actions.push(Action::MarkRunning { job: job_ref.job, fence: job_ref.fence });
            }
        }
    }

    pub(crate) fn returned(&mut self, job_ref: JobRef, actions: &mut Vec<Action>) {
        let until = self.now() + self.policy().return_pause;
        let most = self.policy().returns;
        let Some(job) = self.current(job_ref) else { return };
        match job.state {
            JobState::Cancelling => {
                self.end(job_ref.job, Verdict::Cancelled, FinishReason::Reported, None, actions);
            }
            JobState::Scheduled => {
                job.returns += 1;
                job.avoid = job.given.as_ref().map(|giving| (giving.worker.clone(), until));
                if job.returns > most || job.request.kind != JobKind::Single {
                    self.end(job_ref.job, Verdict::Incomplete, FinishReason::Returned, None, actions);
                } else {
                    self.requeue(job_ref.job, RequeueReason::Returned, actions);
                }
            }
            JobState::Submitted | JobState::Running | JobState::Finished(_) => {}
        }
    }

    /// Puts a job that no worker runs back into the queue, as old as it is.
    fn requeue(&mut self, id: JobId, reason: RequeueReason, actions: &mut Vec<Action>) {
        self.take_back(id);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.state = JobState::Submitted;
            self.enqueue(&[id]);
            actions.push(Action::Requeue { job: id, reason });
        }
    }

    pub(crate) fn expire_leases(&mut self, actions: &mut Vec<Action>) {
        let over: Vec<_> = self
            .given_jobs()
            .filter(|job| {
                job.given.as_ref().is_some_and(|giving| {
                    let leasing = self.worker(&giving.worker).map_or(Leasing::Leased, |w| w.facts.leasing);
                    leasing == Leasing::Leased && self.now() > giving.lease_until + self.policy().margin
                })
            })
            .map(Job::id)
            .collect();
        for id in over {
            self.lose(id, actions);
        }
    }

    pub(crate) fn lost(&mut self, job_ref: JobRef, actions: &mut Vec<Action>) {
        if self.current(job_ref).is_some() {
            self.lose(job_ref.job, actions);
        }
    }

    /// No worker runs the job any more, and none has finished it.
    fn lose(&mut self, id: JobId, actions: &mut Vec<Action>) {
        let repeats = self.policy().repeats;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.losses += 1;
        let again =
            job.request.kind == JobKind::Single && job.losses <= job.request.repeats.unwrap_or(repeats);
        if job.state == JobState::Cancelling {
            self.end(id, Verdict::Cancelled, FinishReason::LeaseLost, None, actions);
        } else if again {
            self.requeue(id, RequeueReason::Lost, actions);
        } else {
            self.end(id, Verdict::Incomplete, FinishReason::LeaseLost, None, actions);
        }
    }

    pub(crate) fn miss_workers(&mut self, actions: &mut Vec<Action>) {
        let (now, after) = (self.now(), self.policy().offline_after);
        for worker in self.workers.values_mut() {
            let is_missed = |last_seen: Time| now > last_seen + after;
            if worker.state == WorkerState::Online && worker.last_seen.is_none_or(is_missed) {
                worker.state = WorkerState::Offline;
                actions.push(Action::MarkOffline(worker.facts.name.clone()));
            }
        }
    }
}
