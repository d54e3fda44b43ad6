//! Agreement with LAVA over jobs from the field.

use std::{fs, path::Path};

use pumice_types::SourceId;

#[test]
fn jobs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/jobs.jsonl");
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let (job, diagnostics) = pumice_job::parse(row["text"].as_str().unwrap(), SourceId(0));
        let name = row["name"].as_str().unwrap();
        let job = job.unwrap();
        for d in diagnostics.iter().chain(&job.defects) {
            println!("{name}: {d:?}");
        }
    }
}
