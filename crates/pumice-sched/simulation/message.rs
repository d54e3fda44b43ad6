//! What travels between simulated workers and the simulated server. It may be lost, repeated and late.

use pumice_api::worker::{Epoch, Held, JobRef, Orders};
use pumice_types::{Fault, Verdict};

/// To the server.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Hello { session: String },
    Poll { epoch: Epoch, sequence: u64, held: Vec<Held>, not_ready: bool, seen: Vec<JobRef> },
    Started(JobRef),
    Finish { job: JobRef, verdict: Verdict, fault: Option<Fault> },
    Return(JobRef),
    Lost(JobRef),
}

/// Back to the worker: the answer, and when, on the worker's clock, the request was sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) sent: u64,
    pub(crate) reply: Reply,
}

/// What an answer says.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Welcome { session: String, epoch: Epoch },
    StaleSession,
    Orders { epoch: Epoch, sequence: u64, held: Vec<JobRef>, orders: Orders },
    Done(JobRef),
}
