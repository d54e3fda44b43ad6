//! Checking a definition as a submission does, with the first mistake in LAVA's form.

use pumice_job::{Job, Rules, codes};
use pumice_types::{Diagnostic, Diagnostics, Severity, SourceId, Span};
use pumice_yaml::{Node, Value};

/// More warnings than this are not told.
const MOST_WARNINGS: usize = 20;

/// A definition that was read.
pub(crate) struct Checked {
    /// The tree.
    pub(crate) node: Node,
    /// The job; there unless the text is no mapping.
    pub(crate) job: Job,
    /// What is wrong, warnings too.
    pub(crate) diagnostics: Diagnostics,
}

/// A mistake as LAVA's `jobs.validate` reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The keys that lead to it.
    pub(crate) path: Vec<String>,
    /// What is wrong.
    pub(crate) message: String,
}

impl Mistake {
    /// `['timeouts', 'action']`, as Python prints a list.
    pub(crate) fn python_path(&self) -> String {
        let keys: Vec<_> = self.path.iter().map(|key| format!("'{}'", key.replace('\'', "\\'"))).collect();
        format!("[{}]", keys.join(", "))
    }

    /// `MESSAGE @ data['a']['b']`, as in the fault of a submission.
    pub(crate) fn at_data(&self) -> String {
        if self.path.is_empty() {
            return self.message.clone();
        }
        format!("{} @ data['{}']", self.message, self.path.join("']['"))
    }
}

/// Reads a definition; a mistake when it cannot be read at all.
pub(crate) fn read(text: &str, rules: &Rules) -> Result<Checked, Mistake> {
    let whole = |message: String| Mistake { path: Vec::new(), message };
    let (node, mut diagnostics) = pumice_yaml::parse(text, SourceId::default());
    let first_error =
        diagnostics.iter().find(|found| found.severity == Severity::Error).map(|found| found.message.clone());
    let unreadable = |reason: Option<String>| {
        whole(format!(
            "Loading job submission failed: {}.",
            reason.unwrap_or_else(|| "there is nothing in it".to_owned())
        ))
    };
    let Some(node) = node.filter(|_| first_error.is_none()) else { return Err(unreadable(first_error)) };
    let (job, found) = pumice_job::check(&node, rules);
    diagnostics.extend(found);
    match job {
        Some(job) => Ok(Checked { node, job, diagnostics }),
        None => Err(whole("expected a dictionary".to_owned())),
    }
}

impl Checked {
    /// What is hardly meant, or will not be done, each with its line; the first of them.
    pub(crate) fn warnings(&self, text: &str) -> Vec<String> {
        let line = |span: Span| text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
        let one = |found: &Diagnostic| {
            let place = found.span.map(|span| format!("line {}: ", line(span))).unwrap_or_default();
            format!("{place}{}", found.message)
        };
        let warnings = self.diagnostics.iter().filter(|found| found.severity == Severity::Warning);
        let warnings = warnings.filter(|found| !found.code.0.starts_with("strict-"));
        warnings.filter(|found| found.code != codes::NOT_IN_STRICT).take(MOST_WARNINGS).map(one).collect()
    }

    /// The first mistake that refuses a submission.
    pub(crate) fn mistake(&self) -> Option<Mistake> {
        self.first(|found| found.severity == Severity::Error)
    }

    /// The first mistake that LAVA's strict schema refuses.
    pub(crate) fn strict_mistake(&self) -> Option<Mistake> {
        self.first(|found| {
            let is_strict = found.code.0.starts_with("strict-") || found.code == codes::NOT_IN_STRICT;
            found.severity == Severity::Error || is_strict || self.is_global_timeout(found)
        })
    }

    /// The first mistake that LAVA's loose validation refuses: it lets unknown keys pass, which a submission does not,
    /// and refuses timeouts that a submission lets pass.
    pub(crate) fn loose_mistake(&self) -> Option<Mistake> {
        self.first(|found| {
            found.severity == Severity::Error && found.code != codes::UNKNOWN_KEY
                || self.is_global_timeout(found)
        })
    }

    fn is_global_timeout(&self, found: &Diagnostic) -> bool {
        found.code == codes::TIMEOUT_TOO_LONG && self.path(found).first().is_some_and(|key| key == "timeouts")
    }

    /// The keys that lead to what a diagnostic is about.
    fn path(&self, found: &Diagnostic) -> Vec<String> {
        found.span.map(|span| path_to(&self.node, span)).unwrap_or_default()
    }

    fn first(&self, refuses: impl Fn(&Diagnostic) -> bool) -> Option<Mistake> {
        self.diagnostics.iter().find(|found| refuses(found)).map(|found| self.in_lavas_words(found))
    }

    fn in_lavas_words(&self, found: &Diagnostic) -> Mistake {
        let mut path = self.path(found);
        let code = found.code;
        let message = if code == codes::UNKNOWN_KEY || code == codes::STRICT_UNKNOWN_KEY {
            "extra keys not allowed".to_owned()
        } else if code == codes::MISSING_KEY || code == codes::STRICT_MISSING_KEY {
            // What is missing stands nowhere; the diagnostic points at the beginning of the mapping that lacks it.
            if found.message.ends_with("in a job definition") {
                path.clear();
            }
            path.extend(found.message.split('`').nth(1).map(str::to_owned));
            "required key not provided".to_owned()
        } else if self.is_global_timeout(found) {
            "Global timeout is larger than job timeout".to_owned()
        } else if code == codes::WRONG_VALUE || code == codes::STRICT_WRONG_VALUE {
            "not a valid value for dictionary value".to_owned()
        } else {
            found.message.clone()
        };
        Mistake { path, message }
    }
}

/// The keys that lead to what stands at `span`: to the innermost node that holds it.
fn path_to(node: &Node, span: Span) -> Vec<String> {
    let holds = |outer: Span| outer.start <= span.start && span.end <= outer.end;
    let mut path = Vec::new();
    let mut node = node;
    loop {
        let next = match &node.value {
            Value::Map(map) => map.iter().find_map(|entry| {
                (holds(entry.key_span) || holds(entry.value.span)).then(|| (entry.key.clone(), &entry.value))
            }),
            Value::Seq(items) => {
                let found = items.iter().enumerate().find(|(_, item)| holds(item.span));
                found.map(|(index, item)| (index.to_string(), item))
            }
            _ => None,
        };
        let Some((key, inner)) = next else { return path };
        path.push(key);
        node = inner;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_innermost_node() {
        let text = "timeouts:\n  action: {minutes: 3}\nactions:\n- boot:\n    method: x\n";
        let (node, _) = pumice_yaml::parse(text, SourceId::default());
        let node = node.unwrap();
        let at = |needle: &str| {
            let start = text.find(needle).unwrap();
            path_to(&node, Span::new(SourceId::default(), start, start + needle.len()))
        };
        assert_eq!(at("action:").first().map(String::as_str), Some("timeouts"));
        assert_eq!(at("{minutes: 3}"), ["timeouts", "action"]);
        assert_eq!(at("method"), ["actions", "0", "boot", "method"]);
    }

    #[track_caller]
    fn check(change: (&str, &str), loose: &str, submitted: bool) {
        let job = "job_name: x\ndevice_type: virtual\nvisibility: public\ntimeouts:\n  job: {minutes: 5}\n  \
                   action: {minutes: 3}\nactions:\n- boot: {method: minimal, prompts: [p]}\n";
        let Ok(checked) = read(&job.replace(change.0, change.1), &Rules::default()) else {
            panic!("a mapping")
        };
        let found = checked.loose_mistake().map(|m| format!("{} {}", m.python_path(), m.message));
        assert_eq!(found.unwrap_or_default(), loose);
        assert_eq!(checked.mistake().is_none(), submitted, "{:?}", checked.mistake());
    }

    #[test]
    fn mistakes_are_said_in_lavas_words() {
        check(("", ""), "", true);
        check(("visibility: public\n", ""), "['visibility'] required key not provided", false);
        let global = "['timeouts', 'action'] Global timeout is larger than job timeout";
        check(("job: {minutes: 5}", "job: {seconds: 40}"), global, true);
        check(("job_name: x", "job_name: x\nzz: 1"), "", false);
        let wrong = "['visibility'] not a valid value for dictionary value";
        check(("visibility: public", "visibility: moon"), wrong, false);
    }

    #[test]
    fn mistakes_print_as_python_prints_them() {
        let mistake = Mistake { path: vec!["timeouts".into(), "action".into()], message: "bad".into() };
        assert_eq!(mistake.python_path(), "['timeouts', 'action']");
        assert_eq!(mistake.at_data(), "bad @ data['timeouts']['action']");
    }
}
