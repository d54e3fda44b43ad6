//! Shows diagnostics: with the text around them for people, as JSON for programs.

use std::io::{IsTerminal as _, Write as _};

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Renderer, Snippet};
use pumice_types::{Diagnostic, Diagnostics, Severity, Sources, Span};
use serde_json::{Value, json};

/// Writes all of them to standard error, with the lines they are about and a caret.
pub(crate) fn show(diagnostics: &Diagnostics, sources: &Sources) {
    let mut out = std::io::stderr().lock();
    let renderer = if out.is_terminal() { Renderer::styled() } else { Renderer::plain() };
    for diagnostic in diagnostics {
        // Nobody to tell when standard error is gone.
        drop(writeln!(out, "{}\n", rendered(diagnostic, sources, &renderer)));
    }
}

fn rendered(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.0);
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(span) = diagnostic.span {
        let label = diagnostic.label.as_deref();
        elements.extend(snippet(span, AnnotationKind::Primary, label, sources));
    }
    for related in &diagnostic.related {
        elements.extend(snippet(related.span, AnnotationKind::Context, Some(&related.label), sources));
    }
    elements.extend(diagnostic.advice().into_iter().map(|advice| Level::HELP.message(advice).into()));
    renderer.render(&[title.elements(elements)])
}

fn snippet<'a>(
    span: Span,
    kind: AnnotationKind,
    label: Option<&'a str>,
    sources: &'a Sources,
) -> Option<Element<'a>> {
    let source = sources.get(span.source)?;
    let end = floor(&source.text, span.end.min(source.text.len()));
    let annotation: Annotation<'_> = kind.span(floor(&source.text, span.start.min(end))..end).label(label);
    Some(Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation).into())
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
    let place = |span: Span| Some((sources.get(span.source)?.name.clone(), sources.position(span)?));
    diagnostics
        .iter()
        .map(|diagnostic| {
            let related = diagnostic.related.iter().filter_map(|related| {
                let (file, at) = place(related.span)?;
                let label = &related.label;
                Some(json!({ "file": file, "line": at.line, "column": at.column, "label": label }))
            });
            let related: Vec<_> = related.collect();
            let place = diagnostic.span.and_then(place);
            json!({
                "severity": diagnostic.severity,
                "code": diagnostic.code,
                "message": diagnostic.message,
                "file": place.as_ref().map(|(file, _)| file),
                "line": place.as_ref().map(|(_, position)| position.line),
                "column": place.as_ref().map(|(_, position)| position.column),
                "label": diagnostic.label,
                "related": related,
                "help": diagnostic.help,
                "suggestion": diagnostic.suggestion.as_ref().map(|suggestion| &suggestion.replacement),
            })
        })
        .collect()
}
