//! What is wrong with a text, said so that a person can mend it.

use std::fmt;

use serde::Serialize;

use crate::Span;

/// How bad it is. An error stops the job before it starts; a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Accepted, but hardly what was meant.
    Warning,
    /// Refused.
    Error,
}

/// A stable name of one kind of mistake, for example `unknown-key`. Each has a page under `docs/user/codes/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A text that would mend the mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What to replace; empty to insert.
    pub span: Span,
    /// What to write there.
    pub replacement: String,
}

/// Another place that has to do with a mistake: where the name was given first, which of two was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is there, in a few words.
    pub label: String,
}

/// One mistake in a text the user wrote. Collected, never thrown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The kind of mistake.
    pub code: Code,
    /// What is wrong: a sentence without a full stop, naming the thing.
    pub message: String,
    /// Where; `None` only when no text is to blame.
    pub span: Option<Span>,
    /// A few words under the caret.
    pub label: Option<String>,
    /// Other places to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// What to do about it.
    pub help: Option<String>,
    /// The replacement a tool may apply.
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    /// A mistake that refuses the text.
    pub fn error(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: span.into(),
            label: None,
            related: Vec::new(),
            help: None,
            suggestion: None,
        }
    }

    /// A mistake that is let pass.
    pub fn warning(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// What to do about it, in sentences, each once: what was meant, then the help.
    pub fn advice(&self) -> Vec<String> {
        let meant = self.suggestion.as_ref().map(|one| format!("did you mean `{}`?", one.replacement));
        let help = self.help.clone().filter(|help| Some(help) != meant.as_ref());
        meant.into_iter().chain(help).collect()
    }

    /// With words under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With another place to look at.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push(Related { span, label: label.into() });
        self
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With the replacement of the diagnostic's own span, if there is a likely one.
    #[must_use]
    pub fn suggest(mut self, replacement: Option<impl Into<String>>) -> Self {
        if let (Some(span), Some(replacement)) = (self.span, replacement) {
            self.suggestion = Some(Suggestion { span, replacement: replacement.into() });
        }
        self
    }
}

/// The mistakes found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of them.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(diagnostics);
    }

    /// Whether any refuses the text.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// In the order a reader meets them: by source and place, those without a place last; doubles removed.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by_key(|diagnostic| (diagnostic.span.is_none(), diagnostic.span));
        self.0.dedup();
        self
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// The candidate that `word` was most likely meant to be, if one is near enough: at most a third of its
/// letters differ, a swap of neighbours counting as one difference (optimal string alignment distance).
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = |text: &str| text.to_lowercase().replace('_', "-").chars().collect::<Vec<_>>();
    let word = folded(word);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &folded(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= word.len().max(candidate.chars().count()).div_ceil(3))
        .map(|(_, candidate)| candidate)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut table = vec![0_usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (table[(i - 1) * width + j] + 1)
                    .min(table[i * width + j - 1] + 1)
                    .min(table[(i - 1) * width + j - 1] + change);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(table[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_the_word_meant_and_nothing_far_off() {
        let keys = ["timeouts", "visibility", "priority", "actions", "job_name", "device_type"];
        assert_eq!(nearest("timeout", keys), Some("timeouts"));
        assert_eq!(nearest("tiemouts", keys), Some("timeouts"));
        assert_eq!(nearest("job-name", keys), Some("job_name"));
        assert_eq!(nearest("DeviceType", keys), Some("device_type"));
        assert_eq!(nearest("xyzzy", keys), None);
        assert_eq!(nearest("", keys), None);
    }

    #[test]
    fn sorted_is_the_order_of_the_text_without_doubles() {
        let at = |start| Span::new(crate::SourceId(0), start, start + 1);
        let one = |start| Diagnostic::error(Code("x"), at(start), "m");
        let all: Diagnostics =
            [Diagnostic::error(Code("x"), None, "m"), one(5), one(2), one(5)].into_iter().collect();
        let starts: Vec<_> = all.sorted().iter().map(|d| d.span.map(|s| s.start)).collect();
        assert_eq!(starts, [Some(2), Some(5), None]);
    }
}
