//! Runs a plan: steps, scopes, deadlines, retries, teardown.
