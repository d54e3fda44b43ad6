//! How a job ended, from what it and its keeper left behind.

use fs_err as fs;
use pumice_api::worker::Outcome;
use pumice_client::LavaResult;
use pumice_types::{Cause, Failure, SourceId};

use super::{Directory, ExitReason, read_json};

/// The outcome for our server. The job's own word (`output/outcome.json`) counts, unless it was not left to end.
pub(crate) fn outcome(directory: &Directory) -> Outcome {
    let own: Option<Outcome> = read_json(&directory.output().join("outcome.json"));
    let evidence = last_words(directory);
    let fail = |cause, message: String| {
        Outcome::incomplete(Failure::new(cause, message).evidence("stderr", evidence.as_str()))
    };
    match directory.exit() {
        Some(exit) => match exit.reason {
            ExitReason::LeaseLost => fail(
                Cause::LeaseLost,
                "the worker was cut off from the server for longer than its lease".to_owned(),
            ),
            ExitReason::Cancelled => own.unwrap_or_else(Outcome::cancelled),
            ExitReason::NotStarted => {
                fail(Cause::HostRefused, format!("the job's process could not be started: {}", exit.status))
            }
            ExitReason::Ended => own.unwrap_or_else(|| {
                fail(
                    Cause::Bug,
                    format!("the job's process ended ({}) without saying how the job went", exit.status),
                )
            }),
        },
        None => fail(
            Cause::HostRefused,
            "the job's processes were killed from outside, or the host was restarted".to_owned(),
        ),
    }
}

/// The outcome for LAVA's server: what `lava-run` wrote in `output/result.yaml` (lava-compat 3.2, 3.5).
pub(crate) fn job_result(directory: &Directory) -> LavaResult {
    let read = |name: &str| fs::read_to_string(directory.output().join(name)).unwrap_or_default();
    let (node, _) = pumice_yaml::parse(&read("result.yaml"), SourceId::default());
    let field = |name: &str| node.as_ref().and_then(|node| Some(node.get(name)?.text()));
    let ended = directory.exit().map(|exit| exit.reason);
    let passed = field("result").as_deref() == Some("pass") && ended == Some(ExitReason::Ended);
    let error_type = match (passed, ended) {
        (true, _) => String::new(),
        (false, Some(ExitReason::Cancelled)) => "Canceled".to_owned(),
        // LAVA's worker says Bug where its runner left nothing; that nothing was left is the host's doing.
        (false, Some(ExitReason::Ended)) => field("error_type").unwrap_or_else(|| "Bug".to_owned()),
        (false, _) => "Infrastructure".to_owned(),
    };
    LavaResult { passed, error_type, errors: last_words(directory), description: read("description.yaml") }
}

/// The end of what the job's process said on its standard error.
fn last_words(directory: &Directory) -> String {
    const MOST: usize = 4_096;
    let bytes = fs::read(directory.file("stderr")).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(MOST)..];
    String::from_utf8_lossy(tail).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use pumice_api::worker::{Fence, JobRef};
    use pumice_types::{JobId, Verdict};

    use super::*;
    use crate::job::{Exit, Lease, write_json};

    struct Left {
        exit: Option<ExitReason>,
        own: Option<Outcome>,
        result: &'static str,
    }

    fn directory(left: &Left) -> (tempfile::TempDir, Directory) {
        let state = tempfile::tempdir().unwrap();
        let job = JobRef { job: JobId(1), fence: Fence(1) };
        let directory = Directory::create(state.path(), job, &Lease::endless()).unwrap();
        if let Some(reason) = left.exit {
            let status = "exit code 3".to_owned();
            write_json(&directory.file("exit.json"), &Exit { reason, status }).unwrap();
        }
        if let Some(own) = &left.own {
            write_json(&directory.output().join("outcome.json"), own).unwrap();
        }
        fs::write(directory.output().join("result.yaml"), left.result).unwrap();
        fs::write(directory.file("stderr"), "last words\n").unwrap();
        (state, directory)
    }

    #[track_caller]
    fn check(exit: Option<ExitReason>, own: Option<Outcome>, verdict: Verdict, cause: Option<Cause>) {
        let (_state, directory) = directory(&Left { exit, own, result: "" });
        let outcome = outcome(&directory);
        assert_eq!(outcome.verdict, verdict);
        assert_eq!(outcome.failure.as_ref().map(|failure| failure.cause), cause);
    }

    #[test]
    fn a_jobs_own_word_counts_unless_it_was_not_left_to_end() {
        let complete = || Some(Outcome::complete());
        check(Some(ExitReason::Ended), complete(), Verdict::Complete, None);
        check(Some(ExitReason::Ended), None, Verdict::Incomplete, Some(Cause::Bug));
        check(Some(ExitReason::Cancelled), None, Verdict::Cancelled, None);
        check(Some(ExitReason::Cancelled), complete(), Verdict::Complete, None);
        check(Some(ExitReason::LeaseLost), complete(), Verdict::Incomplete, Some(Cause::LeaseLost));
        check(Some(ExitReason::NotStarted), None, Verdict::Incomplete, Some(Cause::HostRefused));
        check(None, complete(), Verdict::Incomplete, Some(Cause::HostRefused));
    }

    #[track_caller]
    fn check_lava(exit: Option<ExitReason>, result: &'static str, passed: bool, error_type: &str) {
        let (_state, directory) = directory(&Left { exit, own: None, result });
        let found = job_result(&directory);
        assert_eq!(
            (found.passed, found.error_type.as_str(), found.errors.as_str()),
            (passed, error_type, "last words")
        );
    }

    #[test]
    fn lavas_result_file_is_read_as_lava_writes_it() {
        let pass = "{\"definition\": \"lava\", \"case\": \"job\", \"result\": \"pass\"}\n";
        let fail = "case: job\ndefinition: lava\nerror_msg: 'no: prompt'\nerror_type: Job\nresult: fail\n";
        check_lava(Some(ExitReason::Ended), pass, true, "");
        check_lava(Some(ExitReason::Ended), fail, false, "Job");
        check_lava(Some(ExitReason::Ended), "", false, "Bug");
        check_lava(Some(ExitReason::Cancelled), fail, false, "Canceled");
        check_lava(None, pass, false, "Infrastructure");
    }
}
