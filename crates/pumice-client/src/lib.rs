//! The HTTP client of servers, for workers and people.
//!
//! [`WorkerClient`] speaks our worker protocol (`docs/protocol/worker.md`), [`LavaWorkerClient`] that of LAVA's workers
//! (lava-compat 6.3), [`LabClient`] what people ask: LAVA's REST API, and ours beside it. All are blocking and may be
//! shared by threads. A refusal is a [`pumice_api::Problem`] whoever refused; whether trying again makes sense is
//! [`ClientError::is_temporary`], and how long to wait is [`Backoff`].

mod backoff;
mod connection;
mod error;
mod lab;
mod lava_worker;
mod upload;
mod worker;

pub use backoff::Backoff;
pub use connection::{Address, Connection, Credentials, Options, PlainHttp};
pub use error::ClientError;
pub use lab::{
    Change, Comparison, Device, Job, JobFilter, LabClient, LogPiece, Page, Submitted, Tag, TestCase, Worker,
};
pub use lava_worker::{LavaJob, LavaOrders, LavaPackage, LavaResult, LavaWorkerClient};
pub use upload::{NewUpload, Sent, UploadError};
pub use worker::{ChannelPiece, WorkerClient};
