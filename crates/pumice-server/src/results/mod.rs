//! From a job's log to its results, and from results to the forms that others read.

mod book;
mod compare;
mod ingest;
mod view;

pub(crate) use book::{
    LogBook, PIECE_BYTES, append_bytes, append_lines, place, read_bytes, read_lines, settle, size,
};
pub(crate) use compare::{Change, compare};
pub(crate) use view::{case_yaml, csv, decimal, job_metadata, job_metadata_map, metadata_yaml, report};
