//! The mistakes a job definition can have, each with a paragraph that explains it.

use pumice_types::Code;

macro_rules! codes {
    ($($name:ident => $code:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($code);)*

        /// Every code of a job definition.
        const OWN: &[(Code, &str)] = &[$(($name, $text),)*];
    };
}

/// Every code that checking a job can give, those of YAML included, with a paragraph that explains it.
pub fn codes() -> impl Iterator<Item = (Code, &'static str)> {
    pumice_yaml::codes::ALL.iter().chain(OWN).copied()
}

codes! {
    UNKNOWN_KEY => "unknown-key",
        "A key that a lab refuses. Most often it is misspelt, or indented too little or too much, so that it \
         belongs to another part of the job.";
    STRICT_UNKNOWN_KEY => "strict-unknown-key",
        "A key that LAVA lets pass and then ignores; its strict schema refuses it. Most often it is misspelt.";
    NOT_IN_STRICT => "not-in-strict",
        "A key that LAVA's strict schema does not know although its dispatcher reads it. It works; a check against \
         the strict schema fails.";
    WRONG_TYPE => "wrong-type",
        "A value of the wrong kind: a text where a number is wanted, a single value where a list is wanted. Remember \
         that YAML takes `yes`, `on`, `1:30` and `2026-01-01` for something else than a text; quote them.";
    STRICT_WRONG_TYPE => "strict-wrong-type",
        "A value of the wrong kind that a lab accepts on submission and LAVA's strict schema refuses. The job most \
         likely fails when that part of it runs.";
    WRONG_VALUE => "wrong-value",
        "A value that is none of those allowed here.";
    STRICT_WRONG_VALUE => "strict-wrong-value",
        "A value that is none of those allowed here. A lab accepts it on submission, LAVA's strict schema refuses it.";
    MISSING_KEY => "missing-key",
        "A key that must be there.";
    STRICT_MISSING_KEY => "strict-missing-key",
        "A key that must be there. A lab accepts the job without it on submission; it then fails.";
    NEEDS_BOARD => "needs-board",
        "A way to deploy or to boot that needs a physical board: a boot loader on a serial line, a flashing tool, a \
         power switch. A virtual platform has other ways; a boot loader on a simulator's console is reached by \
         `bootloader:` in the boot block of the simulator.";
    UNKNOWN_METHOD => "unknown-method",
        "A way to deploy, to boot or to get tests that does not exist. A lab accepts the job on submission and fails \
         it when it starts.";
    TIMEOUT_UNITS => "timeout-units",
        "A timeout is one of `days`, `hours`, `minutes` and `seconds` with a whole number from 1. Two units are \
         refused; no unit and 0 mean 30 seconds to LAVA, which is hardly what was meant.";
    TIMEOUT_TOO_LONG => "timeout-too-long",
        "A timeout that is longer than that of the whole job, which ends first.";
    ACTION_NAME => "action-name",
        "A name under `timeouts` may have lower-case letters and `-` only.";
    UNKNOWN_ACTION_NAME => "unknown-action-name",
        "A name under `timeouts` that no action has, so that the timeout has no effect.";
    SEVERAL_ACTIONS => "several-actions",
        "An item of `actions` has more than one action, or none. LAVA takes the first and ignores the others; begin \
         each with a `- ` of its own.";
    NO_ACTIONS => "no-actions",
        "The job does nothing.";
    NAMESPACE => "namespace",
        "Either every block has a namespace or none has; `common` is the name of having none, and \
         `docker-test-shell` is reserved.";
    REPEAT_AND_RETRY => "repeat-and-retry",
        "A block has `repeat` and `failure_retry`. One runs it again after success, the other after failure; together \
         they mean nothing.";
    DUPLICATE_NAME => "duplicate-name",
        "Two test definitions of one namespace have the same name, or one is called `lava`, which is the suite of the \
         job itself. Their results could not be told apart.";
    FILE_NAME => "file-name",
        "The label of a file, a namespace or a role holds a `/`, is `.` or `..`, or is too long. Directories on the host \
         are called by it, and a job must not write anywhere else.";
    SHALLOW_REVISION => "shallow-revision",
        "A test definition asks for a certain commit (`revision`) and for one commit only (`shallow: true`). The one \
         that is fetched need not be the one asked for.";
    NO_BOOT => "test-before-boot",
        "Tests that run on a machine come before the machine is booted.";
    NO_DEPLOY => "boot-before-deploy",
        "A machine is booted before anything is deployed for it.";
    NOT_TOLD => "not-told",
        "A way to tell somebody of the job, or a query, that LAVA has and Pumice has not: IRC is not spoken, and no \
         queries are stored under names. The job runs, and everybody else is told.";
    ROLE => "role",
        "In a MultiNode job every block says for which roles it is, and those roles stand under `lava-multinode`.";
    DEVICE_TYPE => "device-type",
        "A job names one device type; a MultiNode job names one for each role instead.";
    UNDEFINED_LABEL => "undefined-label",
        "`{label}` in an argument stands for the path of a deployed file, and no file has this label. Where braces \
         are meant as they are in the arguments of a model, write them twice.";
    PATTERN => "pattern",
        "A pattern lacks a group that it must have: `(?P<PORT>…)` to find a console, `(?P<test_case_id>…)` to find a \
         result. Or the pattern of a file that is taken out of an image (`extract`) is none.";
    URL => "url",
        "A URL whose scheme is not one that files can be fetched by.";
    CHECKSUM => "checksum",
        "A checksum that has the wrong length or is not hexadecimal, so that no file can have it.";
    UNUSABLE => "unusable",
        "Something that a lab accepts on submission and that nothing can be done with. The job is refused when it is \
         planned.";
}

/// The code of the same mistake where it refuses the job: what only LAVA's strict schema finds may end a run too.
pub(crate) fn of_errors(code: Code) -> Code {
    match code {
        STRICT_UNKNOWN_KEY => UNKNOWN_KEY,
        STRICT_WRONG_TYPE => WRONG_TYPE,
        STRICT_WRONG_VALUE => WRONG_VALUE,
        STRICT_MISSING_KEY => MISSING_KEY,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let mut names: Vec<_> = codes().map(|(code, _)| code.0).collect();
        assert!(codes().all(|(code, text)| text.len() > 15 && text.ends_with('.') && !code.0.contains(' ')));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
