//! Where a value of a rendered device came from.
//!
//! A template does not say which line gave which value. So the device is rendered again without one thing at a
//! time, a key of the context or a `set` of the dictionary, and what makes a mistake go away is where it came from.
//! It is looked for only when there is a mistake.

use pumice_device::{DeviceTypes, RenderRequest};
use pumice_types::{Diagnostic, Diagnostics, Severity, SourceId, Sources, Span};
use pumice_yaml::Map;

/// Adds to each error of a rendered device the places it came from, as related places; where no one place is to
/// blame, says which templates it came from.
pub(crate) fn explain(
    found: Diagnostics,
    types: &DeviceTypes,
    request: &RenderRequest<'_>,
    dictionary: Option<SourceId>,
) -> Diagnostics {
    if !found.has_errors() {
        return found;
    }
    let mut origins: Vec<(Span, String, Vec<Diagnostic>)> = Vec::new();
    for entry in &request.context.0 {
        let rest = request.context.iter().filter(|other| other.key != entry.key).cloned().collect();
        let context = Map(rest);
        let without = mistakes(types, &RenderRequest { context: &context, ..*request });
        origins.push((entry.key_span, format!("comes from `context.{}`", entry.key), without));
    }
    for (span, name) in dictionary.iter().flat_map(|source| sets(request.dictionary, *source)) {
        let blank = " ".repeat(span.end - span.start);
        let mut text = request.dictionary.to_owned();
        text.replace_range(span.start..span.end, &blank);
        let without = mistakes(types, &RenderRequest { dictionary: &text, ..*request });
        origins.push((span, format!("comes from `{name}`, set here"), without));
    }
    found.into_iter().map(|diagnostic| with_origin(diagnostic, &origins)).collect()
}

fn with_origin(mut diagnostic: Diagnostic, origins: &[(Span, String, Vec<Diagnostic>)]) -> Diagnostic {
    if diagnostic.severity != Severity::Error {
        return diagnostic;
    }
    let same = |other: &Diagnostic| other.code == diagnostic.code && other.message == diagnostic.message;
    let from: Vec<_> = origins.iter().filter(|(_, _, without)| !without.iter().any(same)).cloned().collect();
    for (span, label, _) in from {
        diagnostic = diagnostic.related(span, label);
    }
    diagnostic
}

/// What is wrong with the device of `request`. A device that cannot be rendered at all says nothing about its
/// values, so it keeps no mistake away.
fn mistakes(types: &DeviceTypes, request: &RenderRequest<'_>) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    types.device(request, &mut sources).map(|(_, found)| found.into_iter().collect()).unwrap_or_default()
}

/// The `{% set NAME = … %}` of a dictionary, with the place of each.
fn sets(dictionary: &str, source: SourceId) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = dictionary[from..].find("{%").map(|at| from + at) {
        let Some(end) = dictionary[start..].find("%}").map(|at| start + at + 2) else { break };
        let inside = dictionary[start + 2..end - 2].trim_matches(['-', '+']).trim();
        let named = inside.strip_prefix("set ").and_then(|rest| rest.split_once('='));
        if let Some((name, _)) = named {
            found.push((Span::new(source, start, end), name.trim().to_owned()));
        }
        from = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "{% set base = arch | default('arm64') %}\n\
                        device_type: x\navailable_architectures: {{ base }}\n\
                        constants:\n  boot_retry: {{ tries | default(1) }}\n";

    fn explained(dictionary: &str, context: &str) -> Vec<(String, Vec<String>)> {
        let mut sources = Sources::default();
        let id = sources.add("lab/x-01.jinja2", dictionary);
        let (context, _) = pumice_yaml::parse(context, sources.add("job.yaml", context));
        let context = context.and_then(|node| node.as_map().cloned()).unwrap_or_default();
        let types = DeviceTypes::new(|name| (name == "x.jinja2").then(|| TYPE.to_owned()));
        let request = RenderRequest {
            source: "lab/x-01.jinja2",
            dictionary,
            device: "x-01",
            device_type: "x",
            context: &context,
        };
        let (_, found) = types.device(&request, &mut sources).expect("it renders");
        let shown = |diagnostic: Diagnostic| {
            let related = diagnostic.related.iter().map(|one| one.label.clone()).collect();
            (diagnostic.message, related)
        };
        explain(found, &types, &request, Some(id)).into_iter().map(shown).collect()
    }

    #[test]
    fn a_mistake_names_the_set_that_made_it() {
        let found = explained("{% extends 'x.jinja2' %}\n{% set tries = '[' %}\n", "{}");
        assert!(found.iter().any(|(_, related)| related == &["comes from `tries`, set here"]), "{found:?}");
    }

    #[test]
    fn a_mistake_names_the_key_of_the_context_that_made_it() {
        let found = explained("{% extends 'x.jinja2' %}\n", "{tries: '['}");
        assert!(found.iter().any(|(_, related)| related == &["comes from `context.tries`"]), "{found:?}");
    }

    #[test]
    fn sets_are_found_with_their_whitespace_marks() {
        let text = "{%- set a = 1 -%}\n{% if a %}{% set b=2 %}{% endif %}{% set broken";
        let names: Vec<_> = sets(text, SourceId(0)).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
