//! Why a request failed.

use pumice_api::{Problem, ProblemCode};
use pumice_types::{Blame, Cause};
use thiserror::Error;

/// A request that brought no usable answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The text is not the address of a server, or one that we may not send a token to.
    #[error("`{address}` cannot be used as a server's address: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file of certificates cannot be used.
    #[error("the certificates in `{path}` cannot be used: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// No answer came.
    #[error("no answer from {url}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server said no.
    #[error("{problem} ({url}, status {status})")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        problem: Problem,
    },
    /// The answer is not what it should be: perhaps it is not a server of this kind.
    #[error("the answer of {url} cannot be read: {reason}")]
    Unreadable {
        /// What was asked.
        url: String,
        /// Why.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Address { .. } | Self::Certificates { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// The kind of refusal, when it is one.
    pub fn code(&self) -> Option<ProblemCode> {
        self.problem().map(|problem| problem.code)
    }

    /// What the server said, when it refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

impl Blame for ClientError {
    fn root_cause(&self) -> Cause {
        Cause::HostRefused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { source, .. } => Some(unreachable_hint(source)),
            Self::Refused { problem, .. } => problem.hint.clone().or_else(|| refused_hint(problem.code)),
            Self::Address { .. } => Some("write for example `https://lab.example.org`".to_owned()),
            Self::Certificates { .. } => Some("give a file of certificates in PEM form".to_owned()),
            Self::Unreadable { .. } => Some("check that the address is that of a lab's server".to_owned()),
        }
    }
}

/// What to do where no answer came.
fn unreachable_hint(error: &ureq::Error) -> String {
    let text = error.to_string();
    let is_tls = ["certificate", "tls", "handshake", "UnknownIssuer"].iter().any(|word| text.contains(word));
    if text.contains("certificate") || text.contains("UnknownIssuer") {
        "the server's certificate is not trusted: give --ca-cert FILE (PUMICE_CA_CERT) where no public authority signed it, \
         and the name it is made out to as the address"
            .to_owned()
    } else if is_tls || text.contains("InvalidContentType") {
        "the server does not speak TLS there: check the port, and http:// against https://".to_owned()
    } else {
        "check the server's address, and that it is running".to_owned()
    }
}

/// What to do about a refusal that says nothing of it.
fn refused_hint(code: ProblemCode) -> Option<String> {
    let hint = match code {
        ProblemCode::Unauthenticated => {
            "give a valid token with --token or PUMICE_TOKEN; one that expired or was ended is replaced on the page `You`, or by \
             `pumice tokens create` with another token"
        }
        ProblemCode::Forbidden => "use a token that may, or ask an administrator",
        ProblemCode::RateLimited => "wait a moment and try again",
        ProblemCode::Internal => "the server's log says more; ask its operator",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What a server that does not speak [`Problem`] means by its body: LAVA says `error`, its REST API `message` or
/// `detail`.
pub(crate) fn problem(status: u16, body: &[u8]) -> Problem {
    if let Ok(problem) = serde_json::from_slice(body) {
        return problem;
    }
    let code = match status {
        401 => ProblemCode::Unauthenticated,
        403 => ProblemCode::Forbidden,
        404 => ProblemCode::NotFound,
        409 => ProblemCode::Conflict,
        413 => ProblemCode::TooLarge,
        422 => ProblemCode::DigestMismatch,
        429 => ProblemCode::RateLimited,
        503 => ProblemCode::Unavailable,
        500.. => ProblemCode::Internal,
        _ => ProblemCode::Invalid,
    };
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said = json.as_ref().and_then(|json| {
        ["error", "message", "detail"].into_iter().find_map(|key| Some(json.get(key)?.as_str()?.to_owned()))
    });
    // A page for people, or a proxy's: its first line says enough.
    let line = || {
        let text = String::from_utf8_lossy(body);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('<'));
        line.map(|line| line.chars().take(200).collect::<String>())
    };
    let message = said.or_else(line).unwrap_or_else(|| "no reason given".to_owned());
    Problem::new(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, code: ProblemCode, message: &str) {
        let problem = problem(status, body.as_bytes());
        assert_eq!((problem.code, problem.message.as_str()), (code, message));
    }

    #[test]
    fn a_refusal_is_understood_whoever_sends_it() {
        check(409, r#"{"code": "stale-fence", "message": "gone"}"#, ProblemCode::StaleFence, "gone");
        check(404, r#"{"error": "Unknown job '7'"}"#, ProblemCode::NotFound, "Unknown job '7'");
        check(403, r#"{"detail": "no"}"#, ProblemCode::Forbidden, "no");
        check(502, "<html>\n<body>\nBad Gateway\n", ProblemCode::Internal, "Bad Gateway");
        check(400, "", ProblemCode::Invalid, "no reason given");
    }
}
