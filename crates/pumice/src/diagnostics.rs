//! Shows diagnostics: with the text around them for people, as JSON for programs.

use std::io::{IsTerminal as _, Write};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use pumice_types::{Diagnostic, Diagnostics, Severity, Sources};
use serde_json::{Value, json};

/// Writes all of them to standard error, with the lines they are about and a caret.
pub(crate) fn show(diagnostics: &Diagnostics, sources: &Sources) {
    let mut out = std::io::stderr().lock();
    let renderer = if out.is_terminal() { Renderer::styled() } else { Renderer::plain() };
    for diagnostic in diagnostics {
        let _ = writeln!(out, "{}\n", rendered(diagnostic, sources, &renderer));
    }
}

fn rendered(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.0).elements(None::<Snippet<'_, annotate_snippets::Annotation<'_>>>);
    if let Some(span) = diagnostic.span
        && let Some(source) = sources.get(span.source)
    {
        let end = span.end.min(source.text.len());
        let range = floor(&source.text, span.start.min(end))..floor(&source.text, end);
        let mut annotation = AnnotationKind::Primary.span(range);
        if let Some(label) = &diagnostic.label {
            annotation = annotation.label(label.as_str());
        }
        group = group.element(Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    } else if let Some(suggestion) = &diagnostic.suggestion {
        group = group.element(Level::HELP.message(format!("did you mean `{}`?", suggestion.replacement)));
    }
    renderer.render(&[group])
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// All of them as JSON: `[{severity, code, message, file, line, column, …}]`.
pub(crate) fn as_json(diagnostics: &Diagnostics, sources: &Sources) -> Value {
    let place = |diagnostic: &Diagnostic| {
        let span = diagnostic.span?;
        Some((sources.get(span.source)?.name.clone(), sources.position(span)?))
    };
    diagnostics
        .iter()
        .map(|diagnostic| {
            let place = place(diagnostic);
            json!({
                "severity": diagnostic.severity,
                "code": diagnostic.code,
                "message": diagnostic.message,
                "file": place.as_ref().map(|(file, _)| file),
                "line": place.as_ref().map(|(_, position)| position.line),
                "column": place.as_ref().map(|(_, position)| position.column),
                "help": diagnostic.help,
                "suggestion": diagnostic.suggestion.as_ref().map(|suggestion| &suggestion.replacement),
            })
        })
        .collect()
}
