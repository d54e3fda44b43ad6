//! What the end that a LAVA worker reports means.

use pumice_db::JobEnd;
use pumice_types::{Cause, Failure, Fault, Verdict};

/// Whose failure it was, from LAVA's word (lava-compat 3.5).
pub(super) fn fault(word: &str) -> Option<Fault> {
    Some(match word {
        "Job" => Fault::Job,
        "Test" | "LAVATimeout" => Fault::Test,
        "Infrastructure" => Fault::Infrastructure,
        "Configuration" => Fault::Configuration,
        "MultinodeTimeout" => Fault::MultinodeTimeout,
        "Canceled" => Fault::Cancelled,
        "Bug" => Fault::Bug,
        _ => return None,
    })
}

/// The likeliest of our causes: LAVA says no more than whose failure it was.
fn cause(fault: Fault) -> Cause {
    match fault {
        Fault::Job => Cause::CommandFailed,
        Fault::Test => Cause::TestRaised,
        Fault::Infrastructure => Cause::HostRefused,
        Fault::Configuration => Cause::DeviceInvalid,
        Fault::MultinodeTimeout => Cause::PeerTimeout,
        Fault::Cancelled => Cause::Cancelled,
        Fault::Bug => Cause::Bug,
    }
}

/// The end of a job.
pub(super) fn end(
    passed: bool,
    error_type: &str,
    message: Option<&str>,
    errors: &str,
) -> (JobEnd, Option<Fault>) {
    let verdict = if passed { Verdict::Complete } else { Verdict::Incomplete };
    let fault = fault(error_type).filter(|_| !passed);
    let failure = fault.map(|fault| {
        let message = message.unwrap_or("the runner gave no reason");
        Failure::new(cause(fault), message).blame(fault).evidence("the runner", errors)
    });
    let end = JobEnd {
        verdict,
        error_type: fault.map(|_| error_type.to_owned()),
        error_msg: message.filter(|_| !passed).map(str::to_owned),
        failure: failure.and_then(|failure| serde_json::to_string(&failure).ok()),
        failure_comment: Some(errors.to_owned()).filter(|errors| !errors.trim().is_empty()),
    };
    (end, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reported_end_keeps_whose_failure_it_was() {
        let (passed, fault) = end(true, "", None, "");
        assert_eq!((passed.verdict, fault, passed.error_type), (Verdict::Complete, None, None));
        let (failed, fault) = end(false, "Infrastructure", Some("no room"), "stderr");
        assert_eq!((failed.verdict, fault), (Verdict::Incomplete, Some(Fault::Infrastructure)));
        assert_eq!(failed.failure_comment.as_deref(), Some("stderr"));
        assert!(failed.failure.is_some_and(|failure| failure.contains("no room")));
    }
}
