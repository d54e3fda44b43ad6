//! The worker against servers on loopback, with shell scripts for jobs and this program for keepers and watchers.

#![expect(clippy::unwrap_used, reason = "a fake that cannot work fails the test")]

mod agent;
mod crash;
#[path = "../../../pumice-client/tests/it/fake_server.rs"]
mod fake_server;
mod lava;
mod server;
mod world;

/// The test that is a keeper when it was started as one: the last argument is a job's directory, which the test
/// harness takes for one more name of a test.
#[test]
fn this_program_is_also_its_own_keeper() {
    world::keeper_body();
}

/// The same for an agent that is to be killed, whose last argument is a file that says what it needs.
#[test]
fn this_program_is_also_its_own_agent() {
    crash::agent_body();
}

/// The same for a keeper's watcher, whose last argument is a ledger.
#[test]
fn this_program_is_also_its_own_watcher() {
    world::watcher_body();
}
