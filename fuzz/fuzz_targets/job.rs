//! Job definitions, and what an editor asks about them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_job::Root;
use pumice_types::SourceId;

fuzz_target!(|text: &str| {
    let (job, diagnostics) = pumice_job::parse(text, SourceId::default());
    pumice_fuzz::check_spans(&diagnostics, text);
    if let Some(job) = &job {
        pumice_job::split(job);
    }
    if let (Some(tree), _) = pumice_yaml::parse(text, SourceId::default()) {
        for offset in (0..=text.len()).step_by(text.len() / 8 + 1) {
            pumice_job::hover(Root::Job, &tree, offset);
            pumice_job::complete(Root::Job, &tree, text, offset);
        }
    }
});
