//! Web pages.

/// The templates of the pages.
pub(crate) struct Templates;

impl Templates {
    pub(crate) fn new() -> Self {
        Self
    }
}
