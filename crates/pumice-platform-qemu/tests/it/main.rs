//! The platform from outside.

mod conformance;
