//! What is written here, read by others: PyYAML, LAVA's own files, the schema.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod corpus;
mod exports;
mod properties;
mod pyyaml;
mod schema;
