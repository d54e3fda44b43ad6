//! How a request is refused: one shape for every route of ours.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The body of an answer whose status is 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of refusal it is, for programs.
    pub code: ProblemCode,
    /// What is wrong, in one sentence, for people.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where to go on, for [`ProblemCode::OffsetGap`]: the number of bytes the server has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Problem {
    /// A refusal with no advice.
    pub fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, offset: None }
    }

    /// With advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $code:literal, $status:literal;)*) => {
        /// The kinds of refusal. Each has one HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
            /// A kind that this version does not know.
            #[serde(other, rename = "other")]
            Other,
        }

        impl ProblemCode {
            /// The HTTP status it travels with.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* Self::Other => 500 }
            }
        }
    };
}

codes! {
    /// The request cannot be read, or a field is out of range.
    Invalid => "invalid", 400;
    /// There is no token, or it is not valid (any more).
    Unauthenticated => "unauthenticated", 401;
    /// The token is valid and does not allow this.
    Forbidden => "forbidden", 403;
    /// There is no such thing, or the token may not know of it.
    NotFound => "not-found", 404;
    /// The thing is in a state that does not allow this.
    Conflict => "conflict", 409;
    /// The worker's session was replaced by a newer one; open a session and try again.
    StaleSession => "stale-session", 409;
    /// The job was given away or has ended; stop it and forget it.
    StaleFence => "stale-fence", 409;
    /// Bytes before this offset are missing; go on at `offset`.
    OffsetGap => "offset-gap", 409;
    /// The job's log or files are not whole yet; send the rest first.
    Unfinished => "unfinished", 409;
    /// The server speaks none of the protocol's versions that were offered.
    ProtocolVersion => "protocol-version", 426;
    /// The body is larger than the server takes; send less at once.
    TooLarge => "too-large", 413;
    /// The bytes received do not have the digest that was announced; they were thrown away, send them again.
    DigestMismatch => "digest-mismatch", 422;
    /// Too many requests; wait and try again.
    RateLimited => "rate-limited", 429;
    /// The server is at fault; try again later.
    Internal => "internal", 500;
    /// The server has no room left or is going down; try again later.
    Unavailable => "unavailable", 503;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_the_future_is_read_as_other() {
        let problem: Problem = serde_json::from_str(r#"{"code": "too-late", "message": "m"}"#).unwrap();
        assert_eq!(problem.code, ProblemCode::Other);
        let text = serde_json::to_string(&Problem::new(ProblemCode::StaleFence, "m")).unwrap();
        assert_eq!(text, r#"{"code":"stale-fence","message":"m"}"#);
    }
}
