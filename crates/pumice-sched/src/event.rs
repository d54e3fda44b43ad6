//! What the scheduler is told, and what it answers.

use pumice_api::worker::{Epoch, Fence, Held, JobRef};
use pumice_types::{Cause, DeviceName, Fault, JobId, Verdict, WorkerName};

use crate::{Device, DeviceHealth, DeviceType, JobRequest, WorkerFacts, WorkerHealth};

/// Something happened. An event about something that is not there (any more) changes nothing: messages
/// may be late or repeated.
#[derive(Clone, Debug)]
pub enum Event {
    /// A job, or all members of one group, were submitted.
    Submit(Vec<JobRequest>),
    /// Somebody wants a job to end.
    Cancel(JobId),
    /// An operator knows that a job's worker will never report it: it ends now.
    GiveUp(JobId),
    /// Somebody changed a waiting job's priority.
    SetPriority(JobId, i32),
    /// A device type is new or was changed.
    PutDeviceType(String, DeviceType),
    /// A device is new or was changed. Its present health is kept: see [`Event::SetDeviceHealth`].
    PutDevice(Device),
    /// A device is gone.
    RemoveDevice(DeviceName),
    /// A person set a device's health.
    SetDeviceHealth(DeviceName, DeviceHealth),
    /// A worker is new or was changed. Its present health is kept: see [`Event::SetWorkerHealth`].
    PutWorker(WorkerFacts),
    /// A worker is gone; ignored while jobs are lent to it.
    RemoveWorker(WorkerName),
    /// A person set a worker's health.
    SetWorkerHealth(WorkerName, WorkerHealth),
    /// The lab has so many seats of a licence.
    PutLicence(String, u32),
    /// A worker opened a session.
    WorkerHello {
        /// Which.
        worker: WorkerName,
        /// The text that names the session.
        session: String,
    },
    /// A worker polled.
    WorkerPolled {
        /// Which.
        worker: WorkerName,
        /// Its session.
        epoch: Epoch,
        /// The poll's place in it.
        sequence: u64,
        /// What it has.
        held: Vec<Held>,
        /// Why it takes no new job.
        not_ready: Option<String>,
    },
    /// A worker went down properly.
    WorkerGoodbye {
        /// Which.
        worker: WorkerName,
        /// Its session.
        epoch: Epoch,
    },
    /// A job's process started.
    JobStarted(JobRef),
    /// A job is over, and everything it left is with the server.
    JobFinished {
        /// Which giving of which job.
        job: JobRef,
        /// How it ended.
        verdict: Verdict,
        /// Whose failure it was, if it is not complete.
        fault: Option<Fault>,
    },
    /// A worker hands a job back that it has not started.
    JobReturned(JobRef),
    /// A member of a group has said that it failed; its end is yet to come. Where it is essential, the others end now.
    MemberFailed(JobRef),
    /// A worker lost a job: it was cut off for too long, or the host went down under it. Nothing of the job runs
    /// any more, so that it need not wait for the end of its lease.
    JobLost(JobRef),
    /// Time went on. Comes at least as often as half of [`crate::Policy::stall`].
    Tick,
}

/// What is to be done: written to the database in one transaction, then told to whom it concerns. Whatever
/// is to reach a worker is also in [`crate::Lab::orders`], so that nothing depends on one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The job was given to a worker: wake the worker's poll.
    Assign {
        /// The job.
        job: JobId,
        /// The number of this giving.
        fence: Fence,
        /// The worker.
        worker: WorkerName,
        /// The device; `None` for a job beside another.
        device: Option<DeviceName>,
    },
    /// The job's process started.
    MarkRunning {
        /// The job.
        job: JobId,
        /// Which giving.
        fence: Fence,
    },
    /// The job waits again; what the last giving recorded does not count.
    Requeue {
        /// The job.
        job: JobId,
        /// Why.
        reason: RequeueReason,
    },
    /// The job is to be cancelled by its worker: wake the worker's poll.
    TellWorkerCancel {
        /// Which giving of which job.
        job: JobRef,
        /// The worker.
        worker: WorkerName,
        /// The member of its group that breaks the group; `None` when somebody wants the end of this very job.
        because: Option<JobId>,
    },
    /// The job is over.
    FinishJob {
        /// The job.
        job: JobId,
        /// How it ended.
        verdict: Verdict,
        /// Who says so.
        reason: FinishReason,
    },
    /// A device's health changed.
    SetDeviceHealth {
        /// The device.
        device: DeviceName,
        /// Its health now.
        health: DeviceHealth,
        /// Why.
        reason: HealthReason,
    },
    /// A device's count of jobs since its last check, or the time of that check, changed.
    RecordCheck {
        /// The device.
        device: DeviceName,
    },
    /// The worker is there.
    MarkOnline(WorkerName),
    /// The worker was not heard of for too long, or said goodbye.
    MarkOffline(WorkerName),
    /// A worker's session has this number; it is kept, so that it never repeats.
    OpenSession {
        /// The worker.
        worker: WorkerName,
        /// The session's number.
        epoch: Epoch,
    },
    /// Submit a health check of this device.
    StartHealthCheck(DeviceName),
}

/// Why a job waits again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequeueReason {
    /// Its lease ran out.
    Lost,
    /// Its worker handed it back.
    Returned,
}

/// Who says that a job is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// Its worker.
    Reported,
    /// It was cancelled while it waited.
    CancelledInQueue,
    /// It waited for longer than it allows.
    QueueTimeout,
    /// Its group can never be whole any more.
    GroupBroken,
    /// Its lease ran out.
    LeaseLost,
    /// Workers handed it back too often.
    Returned,
    /// An operator gave it up.
    GivenUp,
}

impl FinishReason {
    /// The cause to record, where the worker has not given one.
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Reported => None,
            Self::CancelledInQueue | Self::QueueTimeout => Some(Cause::Cancelled),
            Self::GroupBroken => Some(Cause::PeerFailed),
            Self::LeaseLost | Self::GivenUp => Some(Cause::LeaseLost),
            Self::Returned => Some(Cause::HostRefused),
        }
    }
}

/// Why a device's health changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthReason {
    /// A health check of it was complete.
    CheckPassed(JobId),
    /// A health check of it was not.
    CheckFailed(JobId),
    /// A job failed for a reason that is not its own.
    JobFault(JobId, Fault),
    /// Its worker was retired, or came back from maintenance.
    Worker,
    /// A person said so.
    Person,
}
