//! The agent on a machine that hosts models: lease, one process a job, ship, reap.
