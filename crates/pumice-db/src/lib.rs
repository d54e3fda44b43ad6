//! The lab's database on SQLite or PostgreSQL, with one set of queries.
//!
//! [`Database::open`] connects and brings the schema up to date. [`Database::read`] gives a [`Reader`],
//! [`Database::write`] a [`Writer`], which is a transaction and can read too. Their methods are the queries;
//! each table has a file of its own.
//!
//! What makes one set of queries do for both engines: columns are only `BIGINT`, `TEXT` and
//! `DOUBLE PRECISION`; times are microseconds since 1970 in UTC; placeholders are `$n`; rows are mapped by hand.
//! Nothing here knows HTTP, and nothing here reads a clock.

mod alias;
mod artifact_token;
mod attachment;
mod audit;
mod callback;
mod case;
mod case_list;
mod claim;
mod database;
mod device;
mod device_type;
mod error;
mod group;
mod group_word;
mod job;
mod job_list;
mod job_metadata;
mod job_state;
mod job_text;
mod migrate;
mod permission;
mod query;
mod row;
mod session;
mod setting;
mod statistics;
mod suite;
mod tag;
mod token;
mod upload;
mod user;
mod visibility;
mod web_session;
mod words;
mod worker;

pub use artifact_token::ArtifactToken;
pub use attachment::Attachment;
pub use audit::AuditEntry;
pub use callback::{Callback, CallbackState, NewCallback};
pub use case::{Case, NewCase};
pub use claim::{Claim, ClaimError};
pub use database::{Database, Engine};
pub use device::{Device, DeviceChange, NewDevice};
pub use device_type::{DeviceType, DeviceTypeChange};
pub use error::DbError;
pub use group::Group;
pub use group_word::{GroupWord, GroupWordKind};
pub use job::{Job, NewJob, Visibility};
pub use job_state::{JobEnd, JobHold};
pub use job_text::{JobConfiguration, JobText};
pub use migrate::{Migration, migrations};
pub use permission::{GlobalPermission, ObjectKind, ObjectPermission};
pub use pumice_types::Timestamp;
pub use query::{Condition, Listing, Lookup, Order, Page, UnknownField};
pub use session::{Reader, Writer};
pub use statistics::Statistics;
pub use suite::Suite;
pub use tag::Tag;
pub use token::Token;
pub use upload::Upload;
pub use user::{NewUser, User, UserChange};
pub use visibility::Viewer;
pub use words::{DeviceHealth, DeviceState, JobHealthWord, JobStateWord, WorkerHealth, WorkerState};
pub use worker::{Worker, WorkerFile};
