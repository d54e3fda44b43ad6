//! A simulator's name stands in its own crate, its library files and its fixtures (invariant 2).

use crate::repository::{none, rust_files};

/// Words that only ever mean one simulator.
const SIMULATORS: &[&str] =
    &["qemu", "fvp", "gem5", "renode", "simics", "corellium", "fastmodel", "isim_", "user-mode-linux"];

/// Where a name may stand, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("crates/pumice-platform-", "a simulator's own crate"),
    ("crates/pumice-platforms/", "the list of platforms"),
    ("crates/pumice-job/src/language/", "the table of LAVA's words"),
    ("crates/pumice/src/library.rs", "the list of library files"),
    ("crates/pumice/src/models.rs", "the list of library files"),
    ("crates/pumice/src/model_job.rs", "writes a job in LAVA's words"),
    ("crates/pumice-job/src/read/boot.rs", "reads what that table names"),
    ("crates/pumice-plan/src/build/deploy.rs", "a step's name in LAVA's results"),
    ("crates/pumice-device/src/template/filters.rs", "the name of a filter of LAVA's templates"),
];

#[test]
fn only_a_simulators_own_crate_names_it() {
    let mut offences = Vec::new();
    for file in rust_files(&["crates"]) {
        let is_allowed = ALLOWED.iter().any(|(prefix, _)| file.path.starts_with(prefix));
        if is_allowed || !file.is_source() {
            continue;
        }
        for (line, code) in file.code() {
            // `qemu-img` is a tool for images that a hint may name.
            let lower = code.to_lowercase().replace("qemu-img", "");
            for name in SIMULATORS.iter().filter(|name| lower.contains(*name)) {
                offences.push(format!("{}:{line}: `{name}` in `{}`", file.path, code.trim()));
            }
        }
    }
    none(
        &offences,
        "Ask the platform instead. Where a wire format fixes the word, add the file and the reason to ALLOWED.",
    );
}
