//! What the engine says, in the words of the protocol.

use pumice_types::{Diagnostic, Severity};
use serde_json::{Value, json};

use super::document::{Document, Encoding};

/// `CompletionItemKind`: a key is a property, a word a value.
const KIND_PROPERTY: u8 = 10;
const KIND_VALUE: u8 = 12;

/// The answer to `initialize`.
pub(super) fn capabilities(encoding: Encoding) -> Value {
    json!({
        "capabilities": {
            "positionEncoding": encoding.name(),
            // 1: the whole text with each change.
            "textDocumentSync": { "openClose": true, "change": 1 },
            "completionProvider": { "triggerCharacters": [" ", ":", "-"] },
            "hoverProvider": true,
            "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        },
        "serverInfo": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    })
}

/// All mistakes of a text.
pub(super) fn diagnostics(document: &Document) -> Value {
    document.found.iter().map(|one| diagnostic(document, one)).collect()
}

fn diagnostic(document: &Document, one: &Diagnostic) -> Value {
    let mut message = one.message.clone();
    for advice in one.advice() {
        message = format!("{message}\n{advice}");
    }
    // The places of related notes have no URI of their own here: they are all in this text, and told in words.
    for related in &one.related {
        let line = document.range(related.span)["start"]["line"].as_u64().unwrap_or_default() + 1;
        message = format!("{message}\nline {line}: {}", related.label);
    }
    json!({
        "range": document.range(one.span.unwrap_or_default()),
        "severity": match one.severity {
            Severity::Error => 1,
            Severity::Warning => 2,
        },
        "code": one.code,
        "source": env!("CARGO_PKG_NAME"),
        "message": message,
    })
}

/// The words that could stand at a byte.
pub(super) fn completion(document: &Document, offset: usize) -> Value {
    let words =
        document.root().map(|root| pumice_job::complete(root, &document.node, &document.text, offset));
    let items = words.into_iter().flatten().map(|completion| {
        let colon = if completion.is_key { ": " } else { "" };
        json!({
            "label": completion.word,
            "kind": if completion.is_key { KIND_PROPERTY } else { KIND_VALUE },
            "documentation": completion.doc,
            "insertText": format!("{}{colon}", completion.word),
        })
    });
    items.collect()
}

/// What the word at a byte means.
pub(super) fn hover(document: &Document, offset: usize) -> Option<Value> {
    let hover = pumice_job::hover(document.root()?, &document.node, offset)?;
    Some(json!({
        "contents": { "kind": "markdown", "value": hover.text },
        "range": document.range(hover.span),
    }))
}

/// The replacements for mistakes on the lines of `range`.
pub(super) fn quick_fixes(uri: &str, document: &Document, range: &Value) -> Value {
    let line = |range: &Value, end: &str| range[end]["line"].as_u64().unwrap_or_default();
    let touches = |other: &Value| {
        line(other, "start") <= line(range, "end") && line(range, "start") <= line(other, "end")
    };
    let fixes = document.found.iter().filter_map(|one| {
        let suggestion = one.suggestion.as_ref()?;
        let place = document.range(suggestion.span);
        touches(&place).then(|| {
            let edit = json!({ "range": place, "newText": suggestion.replacement });
            json!({
                "title": format!("Write `{}`", suggestion.replacement),
                "kind": "quickfix",
                "diagnostics": [diagnostic(document, one)],
                "edit": { "changes": { uri: [edit] } },
            })
        })
    });
    fixes.collect()
}
