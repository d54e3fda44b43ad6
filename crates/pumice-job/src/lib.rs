//! Job definitions: YAML text to a typed, spanned job, with every mistake found on the way.
//!
//! [`parse`] reads a text, checks it against the words of LAVA's job language (one table, [`language`]) and
//! turns it into a [`Job`]. It finds all mistakes, not the first one. What LAVA refuses on submission is an error; what
//! it accepts there and its strict schema refuses is a warning; what it accepts and cannot run is a defect of the job.

mod assist;
mod check;
pub mod codes;
mod job;
pub mod language;
mod named_files;
mod read;
mod schema;
mod split;

pub use assist::{Completion, Hover, Root, complete, hover};
pub use codes::codes;
pub use job::*;
pub use named_files::{NamedFile, NamedFileKind, named_files, replace_addresses};
pub use schema::{schema, test_definition_schema};
pub use split::split;

use std::collections::BTreeMap;

use pumice_types::{Diagnostic, Diagnostics, Severity, SourceId};
use pumice_yaml::{Limits, Node};

/// What an operator may set about the language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Variables that a job's `context` may have beside LAVA's (`EXTRA_CONTEXT_VARIABLES`).
    pub extra_context_variables: Vec<String>,
    /// The definition is not one that a person submitted but one that a server split from a MultiNode job and gave
    /// to a worker: `lava-multinode` then says which node it is (lava-compat 5.1).
    pub is_assigned: bool,
    /// What stands in the place of a URL and is the path of a file, with its `file:` URL: for who runs a job beside its
    /// files. A lab has none, and a path is a mistake there.
    pub files: BTreeMap<String, String>,
}

/// What is read of a definition: a hundred times what the largest one known from the field takes, and little enough
/// to be copied for each machine of a MultiNode job.
pub const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 64, nodes: 50_000 };

/// Reads and checks a job definition by the rules of a lab that has none of its own.
///
/// The job is there whenever the text is a mapping at all, so that later stages can look for more mistakes; it may be
/// run only when the diagnostics, and [`Job::defects`], have no error.
pub fn parse(text: &str, source: SourceId) -> (Option<Job>, Diagnostics) {
    parse_by(text, source, &Rules::default())
}

/// Reads and checks a job definition. Otherwise as [`parse`].
pub fn parse_by(text: &str, source: SourceId, rules: &Rules) -> (Option<Job>, Diagnostics) {
    parse_with(text, source, |_| rules.clone())
}

/// Reads and checks a job definition by rules that its tree is looked at for. Otherwise as [`parse`].
pub fn parse_with(
    text: &str,
    source: SourceId,
    rules: impl FnOnce(&Node) -> Rules,
) -> (Option<Job>, Diagnostics) {
    let (node, mut diagnostics) = pumice_yaml::parse_within(text, source, LIMITS);
    let Some(node) = node else { return (None, diagnostics) };
    let rules = rules(&node);
    // What follows a mistake in the YAML may be missing from the tree and present in the text.
    let cut = [pumice_yaml::codes::SYNTAX, pumice_yaml::codes::LIMIT];
    let complete = !diagnostics.iter().any(|diagnostic| cut.contains(&diagnostic.code));
    let (job, found) = check_tree(&node, &rules, complete);
    diagnostics.extend(found);
    (job, diagnostics.sorted())
}

/// Checks a definition that was read already. Otherwise as [`parse`].
pub fn check(node: &Node, rules: &Rules) -> (Option<Job>, Diagnostics) {
    let (job, diagnostics) = check_tree(node, rules, true);
    (job, diagnostics.sorted())
}

/// Everything that keeps a job from being run, and everything else that is wrong with it: its diagnostics and its
/// defects, each once. Where a warning tells of a defect, it is an error, in its own words: they know more of what was
/// meant.
pub fn for_planning(job: &Job, diagnostics: Diagnostics) -> Diagnostics {
    let mut all: Vec<Diagnostic> = diagnostics.into_iter().collect();
    let mut untold = Vec::new();
    for defect in &job.defects {
        if all.iter().any(|told| told.severity == Severity::Error && tells_of(told, defect)) {
            continue;
        }
        match all.iter_mut().find(|told| tells_of(told, defect)) {
            Some(told) => {
                told.severity = Severity::Error;
                told.code =
                    if defect.code == codes::UNUSABLE { codes::of_errors(told.code) } else { defect.code };
            }
            None => untold.push(defect.clone()),
        }
    }
    all.into_iter().chain(untold).collect::<Diagnostics>().sorted()
}

/// How far a mapping may begin behind its key: a line break, and the indentation of a job that nests deep.
const NEAR_BYTES: usize = 120;

/// Whether a reader of `told` has learned of `defect` too: it stands at the same place or, where a value is missing or
/// is none, in it or at its key.
fn tells_of(told: &Diagnostic, defect: &Diagnostic) -> bool {
    let (Some(at), Some(place)) = (told.span, defect.span) else { return told.span == defect.span };
    if at == place {
        return true;
    }
    if defect.code != codes::UNUSABLE || at.source != place.source {
        return false;
    }
    // `key:` and nothing behind it: the value is right behind the colon.
    let is_its_key = place.start == place.end && at.end <= place.start && place.start - at.end <= 2;
    let is_inside = place.start <= at.start && at.end <= place.end;
    let names_it = || {
        let meant =
            told.suggestion.as_ref().map(|suggestion| format!("`{}` is missing", suggestion.replacement));
        meant.is_some_and(|meant| meant == defect.message) || told.message.starts_with(&defect.message)
    };
    // What is missing in a mapping is told at its key, which stands a line before at most.
    let is_before = at.end <= place.start && place.start - at.end <= NEAR_BYTES;
    is_its_key || (is_inside && told.severity == Severity::Error) || ((is_inside || is_before) && names_it())
}

fn check_tree(node: &Node, rules: &Rules, complete: bool) -> (Option<Job>, Diagnostics) {
    let mut diagnostics = check::check(node, rules, complete);
    let mut job = read::job(node, rules.is_assigned);
    if let Some(job) = &mut job {
        read::resolve_paths(job, &rules.files);
        let written = node.get("actions").and_then(Node::as_seq).map_or(0, <[Node]>::len);
        let is_whole = complete && written == job.actions.len();
        diagnostics.extend(check::check_across(job, &diagnostics, is_whole));
        diagnostics = check::soften_boards(job, diagnostics);
    }
    (job, diagnostics)
}
