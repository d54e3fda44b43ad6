//! Whether everybody can be told who is to be told.

use pumice_types::{Diagnostic, Spanned};

use super::across::Findings;
use crate::{Job, Query, codes};

/// Looks at what is asked for and not done here.
pub(super) fn check(job: &Job, found: &mut Findings) {
    let Some(notify) = &job.notify else { return };
    for recipient in notify.recipients.iter().filter(|recipient| recipient.method.value == "irc") {
        let help = "name an address, `method: email`, or a URL, `callback:`";
        found.add(left_out(&recipient.method, "nobody is told on IRC: it is not spoken").help(help));
    }
    if let Some(Query::Stored(name)) = notify.compare.as_ref().and_then(|compare| compare.query.as_ref()) {
        let message = "no queries are stored: the job is compared with the last one of its name";
        let help = "say what the jobs are like: `query: {entity: testjob, conditions: {submitter: ann}}`";
        found.add(left_out(name, message).help(help));
    }
}

fn left_out(what: &Spanned<String>, message: &str) -> Diagnostic {
    Diagnostic::warning(codes::NOT_TOLD, what.span, message)
}
