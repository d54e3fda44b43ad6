//! Priority, then fair share, then age.

use pumice_sched::{Event, JobRequest, Policy};
use pumice_types::JobId;

use crate::floor::{Floor, given, job, job_of, seconds};

/// Lets `jobs` come while the only device is taken, then serves one after the other.
#[track_caller]
fn check_order(jobs: Vec<JobRequest>, expected: &[i64]) {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job_of(1_000, "first", "qemu"));
    for job in jobs {
        floor.submit(job);
    }
    let mut served = Vec::new();
    let mut running = 1_000;
    for _ in expected {
        floor.pass(10);
        let next = given(&floor.complete(running));
        running = next[0].0;
        served.push(running);
    }
    assert_eq!(served, expected);
}

#[test]
fn the_older_job_goes_first() {
    check_order(vec![job(3, "qemu"), job(2, "qemu"), job(4, "qemu")], &[2, 3, 4]);
}

#[test]
fn the_higher_priority_goes_first_whatever_its_age() {
    let of = |id, priority| JobRequest { priority, ..job(id, "qemu") };
    check_order(vec![of(1, 0), of(2, 50), of(3, 100), of(4, 50)], &[3, 2, 4, 1]);
}

#[test]
fn who_used_less_goes_first_within_a_priority() {
    let mut jobs: Vec<_> = (1..5).map(|id| job_of(id, "ann", "qemu")).collect();
    jobs.extend((5..7).map(|id| job_of(id, "bob", "qemu")));
    check_order(jobs, &[1, 5, 2, 6, 3, 4]);
}

#[test]
fn who_holds_a_device_comes_behind_who_holds_none() {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w1"]);
    floor.submit(job_of(1, "ann", "qemu"));
    floor.submit(job_of(2, "carl", "qemu"));
    floor.submit(job_of(3, "ann", "qemu"));
    floor.submit(job_of(4, "bob", "qemu"));
    assert_eq!(given(&floor.complete(2)), [(4, "d2".to_owned())]);
}

#[test]
fn a_job_that_waited_long_enough_gets_the_highest_priority() {
    let policy = Policy { promote_after: seconds(100), ..Policy::default() };
    let mut floor = Floor::with_policy(&["d1 qemu w1"], policy);
    floor.submit(job(1, "qemu"));
    floor.submit(JobRequest { priority: 0, ..job(2, "qemu") });
    floor.pass(101);
    floor.submit(JobRequest { priority: 99, ..job(101_000, "qemu") });
    assert_eq!(given(&floor.complete(1)), [(2, "d1".to_owned())]);
}

#[test]
fn a_changed_priority_counts_at_once() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    floor.submit(job(2, "qemu"));
    floor.submit(job(3, "qemu"));
    floor.step(Event::SetPriority(JobId(3), 90));
    assert_eq!(given(&floor.complete(1)), [(3, "d1".to_owned())]);
}

#[test]
fn an_idle_device_goes_to_a_job_at_its_submission() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    assert_eq!(given(&floor.submit(job(1, "qemu"))), [(1, "d1".to_owned())]);
    assert_eq!(given(&floor.submit(job(2, "qemu"))), []);
}
