//! `pumice compare`: how the results of two jobs differ.

use pumice_client::{Change, Comparison};
use pumice_types::Failure;
use serde_json::json;

use crate::{
    cli::{Format, lab::CompareArgs},
    exit::Exit,
    lab::{self, asked, asked_of, connect, number_of},
    terminal::{print, print_error},
};

pub(crate) fn main(args: &CompareArgs) -> Exit {
    lab::exit(compare(args))
}

fn compare(args: &CompareArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let (before, after) = (number_of(&client, &args.before)?, number_of(&client, &args.after)?);
    for id in [before, after] {
        let job = asked_of(id, client.job(id))?;
        if !job.is_finished() {
            print_error(&format!("job {id} has not ended: it is {}", job.state));
        }
    }
    let found = asked(client.compare(before, after))?;
    match args.lab.format {
        Format::Json => print(&json!(found).to_string()),
        Format::Text => show(&found),
    }
    let is_worse = found.changes.iter().any(is_regression);
    Ok(if is_worse { Exit::TestsFailed } else { Exit::Success })
}

/// A test that passed and does not any more, or is gone.
fn is_regression(change: &Change) -> bool {
    change.before.as_deref() == Some("pass") && change.after.as_deref() != Some("pass")
}

fn show(found: &Comparison) {
    if found.changes.is_empty() {
        print(&format!("jobs {} and {} have the same results", found.before, found.after));
    }
    for change in &found.changes {
        print(&line(change));
    }
}

fn line(change: &Change) -> String {
    let side = |result: &Option<String>, measured: Option<f64>| {
        let result = result.as_deref().unwrap_or("absent");
        measured.map_or_else(|| result.to_owned(), |number| format!("{result} {number} {}", change.unit))
    };
    let before = side(&change.before, change.measurement_before);
    let after = side(&change.after, change.measurement_after);
    let mark = if is_regression(change) { "!" } else { " " };
    format!("{mark} {}/{}: {} -> {}", change.suite, change.name, before.trim_end(), after.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: Option<&str>, after: Option<&str>, measured: [Option<f64>; 2], expected: &str) {
        let change = Change {
            suite: "0_s".to_owned(),
            name: "c".to_owned(),
            unit: "ms".to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            measurement_before: measured[0],
            measurement_after: measured[1],
        };
        assert_eq!(line(&change), expected);
    }

    #[test]
    fn what_got_worse_is_marked() {
        check(Some("pass"), Some("fail"), [None; 2], "! 0_s/c: pass -> fail");
        check(Some("pass"), None, [None; 2], "! 0_s/c: pass -> absent");
        check(Some("fail"), Some("pass"), [None; 2], "  0_s/c: fail -> pass");
        check(Some("pass"), Some("pass"), [Some(1.0), Some(2.5)], "  0_s/c: pass 1 ms -> pass 2.5 ms");
    }
}
