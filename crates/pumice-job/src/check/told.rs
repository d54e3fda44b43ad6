//! Mistakes, as many as anybody reads.

use pumice_types::{Diagnostic, Diagnostics, Severity};

/// What was found so far. Beyond what anybody reads nothing is added but a first error, so that hostile texts cost
/// little.
#[derive(Default)]
pub(super) struct Told {
    list: Diagnostics,
    count: usize,
    pub(super) has_errors: bool,
}

impl Told {
    /// More mistakes than this are not told.
    const MOST: usize = 500;

    pub(super) fn is_full(&self) -> bool {
        self.count >= Self::MOST
    }

    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        let is_error = diagnostic.severity == Severity::Error;
        if !self.is_full() || is_error && !self.has_errors {
            self.list.push(diagnostic);
            self.count += 1;
            self.has_errors |= is_error;
        }
    }

    pub(super) fn into_list(self) -> Diagnostics {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::Code;

    use super::*;

    #[test]
    fn warnings_beyond_the_most_are_dropped_and_a_first_error_is_not() {
        let mut told = Told::default();
        for _ in 0..2 * Told::MOST {
            told.add(Diagnostic::warning(Code("w"), None, "w"));
        }
        assert!(told.is_full() && !told.has_errors);
        told.add(Diagnostic::error(Code("e"), None, "first"));
        told.add(Diagnostic::error(Code("e"), None, "second"));
        let list = told.into_list();
        assert_eq!(list.iter().count(), Told::MOST + 1);
        assert_eq!(list.iter().last().map(|last| last.message.as_str()), Some("first"));
    }
}
