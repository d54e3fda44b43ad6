//! The group's verdict: `group.json`, and what a person or a program is shown.

use std::path::Path;

use pumice_types::{Failure, Fault, Verdict};
use serde_json::{Value, json};

use super::Ended;
use crate::{
    cli::{Format, RunArgs},
    execute::written,
    exit::Exit,
    terminal::{print, show_failure},
};

/// Writes `group.json` (docs/protocol/multinode.md), the last file of a group.
pub(super) fn write(output_dir: &Path, ended: &[Ended], first: Option<&Failure>) -> Result<(), Failure> {
    let text = format!("{:#}\n", as_json(output_dir, ended, first, |_| None));
    let new = output_dir.join(".group.json.new");
    let result =
        std::fs::write(&new, text).and_then(|()| std::fs::rename(new, output_dir.join("group.json")));
    written(output_dir, result)
}

/// Shows it, and says how the program ends.
pub(super) fn show(args: &RunArgs, output_dir: &Path, ended: &[Ended], first: Option<&Failure>) -> Exit {
    if args.format == Format::Json {
        let report = |one: &Ended| serde_json::from_slice::<Value>(&one.finished.stdout).ok();
        print(&as_json(output_dir, ended, first, report).to_string());
    } else {
        for one in ended {
            print(&format!("── {} ({}), job {}", one.member.name, one.member.role, one.member.id));
            print(String::from_utf8_lossy(&one.finished.stdout).trim_end());
        }
        print(match verdict_of(first) {
            Verdict::Complete => "the group: complete",
            Verdict::Incomplete => "the group: incomplete",
            Verdict::Cancelled => "the group: cancelled",
        });
        first.into_iter().for_each(show_failure);
    }
    match first {
        Some(failure) => Exit::of_fault(failure.fault),
        None if ended.iter().any(|one| one.finished.tests_failed()) => Exit::TestsFailed,
        None => Exit::Success,
    }
}

fn verdict_of(failure: Option<&Failure>) -> Verdict {
    match failure {
        None => Verdict::Complete,
        Some(failure) if failure.fault == Fault::Cancelled => Verdict::Cancelled,
        Some(_) => Verdict::Incomplete,
    }
}

fn as_json(
    output_dir: &Path,
    ended: &[Ended],
    first: Option<&Failure>,
    report: impl Fn(&Ended) -> Option<Value>,
) -> Value {
    let nodes: Vec<_> = ended
        .iter()
        .map(|one| {
            let directory = one.output_dir.strip_prefix(output_dir).unwrap_or(&one.output_dir);
            let mut node = json!({
                "name": one.member.name,
                "role": one.member.role,
                "job": one.member.id,
                "directory": directory,
                "verdict": verdict_of(one.failure.as_ref()),
                "failure": one.failure,
            });
            if let (Some(report), Value::Object(fields)) = (report(one), &mut node) {
                fields.insert("report".to_owned(), report);
            }
            node
        })
        .collect();
    json!({ "version": 1, "verdict": verdict_of(first), "failure": first, "nodes": nodes })
}
