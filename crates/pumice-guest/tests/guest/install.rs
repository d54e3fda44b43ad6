//! Install steps.
