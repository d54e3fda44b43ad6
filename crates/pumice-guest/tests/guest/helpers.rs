//! The helpers beside results.
