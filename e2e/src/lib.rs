//! End-to-end tests: real simulators, real servers.
