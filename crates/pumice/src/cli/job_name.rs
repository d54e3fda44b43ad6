//! How people name a job of a lab.

use std::{fmt, str::FromStr};

/// A job's number, `12`, or that of a node of a MultiNode job, `12.0` (lava-compat 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobName(String);

impl JobName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = |part: &str| {
            !part.is_empty() && part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let fits = match text.split_once('.') {
            Some((job, node)) => is_number(job) && is_number(node),
            None => is_number(text),
        };
        let wrong =
            || format!("`{text}` is no job's number, such as 12, or 12.0 for a node of a MultiNode job");
        fits.then(|| Self(text.to_owned())).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_its_number_or_by_its_groups_and_its_own() {
        for (text, is_one) in [
            ("12", true),
            ("12.0", true),
            ("0", true),
            ("", false),
            ("-1", false),
            ("12.", false),
            (".1", false),
            ("1.2.3", false),
            ("job", false),
            ("out/", false),
            ("99999999999999999999", false),
        ] {
            assert_eq!(text.parse::<JobName>().is_ok(), is_one, "{text}");
        }
    }
}
