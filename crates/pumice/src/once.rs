//! Each mistake told once: what follows from another one, and what two parts find at one place.

use pumice_types::{Code, Diagnostic, Diagnostics, Severity, Sources, Span};

/// What platforms say of `{LABEL}` in a text; the job's own check says it at the label.
const UNKNOWN_LABEL: Code = Code("unknown-label");

/// What was told of a job and what was found when it was planned, sorted, without what the reader knows already.
///
/// A mistake in the YAML comes first: what is wrong in its line, or at the end of the line before, is most likely its
/// doing.
pub(crate) fn together(told: Diagnostics, found: Diagnostics, sources: &Sources) -> Diagnostics {
    let told: Vec<Diagnostic> = told.into_iter().collect();
    let is_new = |one: &Diagnostic| !told.iter().any(|other| is_known(one, other));
    let found: Vec<Diagnostic> = found.into_iter().filter(is_new).collect();
    let all: Diagnostics = told.into_iter().chain(found).collect();
    let (syntax, rest): (Vec<_>, Vec<_>) = all.sorted().into_iter().partition(is_syntax);
    let lines: Vec<_> =
        syntax.iter().filter_map(|one| Some((one.span?.source, line(one.span?, sources)?))).collect();
    let follows = |one: &Diagnostic| {
        let Some(span) = one.span else { return !syntax.is_empty() };
        let last = Span::new(span.source, span.end, span.end);
        let ends = [line(span, sources), line(last, sources)];
        lines.iter().any(|(source, at)| {
            *source == span.source && ends.iter().flatten().any(|own| own == at || own + 1 == *at)
        })
    };
    let rest = rest.into_iter().filter(|one| !follows(one));
    syntax.iter().cloned().chain(rest).collect()
}

fn is_syntax(one: &Diagnostic) -> bool {
    one.severity == Severity::Error && one.code == pumice_yaml::codes::SYNTAX
}

fn line(span: Span, sources: &Sources) -> Option<usize> {
    sources.position(span).map(|position| position.line)
}

/// Whether whoever was told `other` learns nothing from `one`.
fn is_known(one: &Diagnostic, other: &Diagnostic) -> bool {
    let (Some(own), Some(place)) = (one.span, other.span) else { return false };
    let is_around = own.source == place.source && own.start <= place.start && place.end <= own.end;
    own == place && one.severity <= other.severity || one.code == UNKNOWN_LABEL && is_around
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nb: 2\nc: 3\nd: 4\n";

    #[track_caller]
    fn check(
        told: &[(&'static str, usize, usize)],
        found: &[(&'static str, usize, usize)],
        expected: &[&str],
    ) {
        let mut sources = Sources::default();
        let source = sources.add("job.yaml", TEXT);
        let list = |items: &[(&'static str, usize, usize)]| -> Diagnostics {
            let one = |(code, start, end): &(&'static str, usize, usize)| {
                Diagnostic::error(Code(code), Span::new(source, *start, *end), *code)
            };
            items.iter().map(one).collect()
        };
        let all = together(list(told), list(found), &sources);
        assert_eq!(all.iter().map(|one| one.code.0).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_two_find_at_one_place_is_told_in_the_words_of_the_first() {
        check(
            &[("wrong-value", 3, 4)],
            &[("not-supported", 3, 4), ("block-order", 8, 9)],
            &["wrong-value", "block-order"],
        );
        check(&[("undefined-label", 8, 9)], &[("unknown-label", 5, 9)], &["undefined-label"]);
    }

    #[test]
    fn a_mistake_in_the_yaml_comes_first_and_its_consequences_not_at_all() {
        let syntax = pumice_yaml::codes::SYNTAX.0;
        // In the second line: what is said of the first and of itself follows, what is said of the fourth does not.
        check(
            &[("wrong-type", 0, 4), (syntax, 8, 9), ("unknown-key", 5, 6), ("url", 18, 19)],
            &[],
            &[syntax, "url"],
        );
    }
}
