//! Diagnostics must point into the text they are about.

use pumice_types::Diagnostics;

/// Every place that is named lies inside `text` and between two characters.
pub fn check_spans(diagnostics: &Diagnostics, text: &str) {
    for diagnostic in diagnostics {
        let related = diagnostic.related.iter().map(|related| related.span);
        let suggestion = diagnostic.suggestion.iter().map(|suggestion| suggestion.span);
        for span in diagnostic.span.into_iter().chain(related).chain(suggestion) {
            assert!(
                text.get(span.start..span.end).is_some(),
                "{:?} of `{}` is outside of the text",
                span,
                diagnostic.message
            );
        }
    }
}
