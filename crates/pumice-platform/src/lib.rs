//! The seam between jobs and simulators: Platform, Launch, Machine and the supervisor.
