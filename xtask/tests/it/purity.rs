//! The pure crates know no clock, environment, file system, process or runtime (invariant 1).

use crate::repository::{none, rust_files};

const PURE: &[&str] =
    &["types", "yaml", "job", "device", "guest", "record", "api", "plan", "sched", "multinode"];

const FORBIDDEN: &[&str] = &[
    "std::fs",
    "fs_err",
    "std::env",
    "std::process",
    "std::net",
    "std::thread",
    "tokio",
    "Instant::now",
    "SystemTime::now",
    "Zoned::now",
    "Timestamp::now",
    "println!",
    "eprintln!",
];

#[test]
fn pure_crates_get_time_files_and_settings_as_arguments() {
    let directories: Vec<String> = PURE.iter().map(|name| format!("crates/pumice-{name}/src")).collect();
    let directories: Vec<&str> = directories.iter().map(String::as_str).collect();
    let mut offences = Vec::new();
    for file in rust_files(&directories) {
        for (line, code) in file.code().filter(|_| file.is_source()) {
            for word in FORBIDDEN.iter().filter(|word| code.contains(*word)) {
                offences.push(format!("{}:{line}: `{word}`", file.path));
            }
        }
    }
    none(&offences, "Take the value as an argument, or do this in a crate that is not pure.");
}
