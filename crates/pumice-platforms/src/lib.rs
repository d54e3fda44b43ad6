//! The list of platforms, nothing else.
