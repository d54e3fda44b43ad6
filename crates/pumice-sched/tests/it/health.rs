//! The health of devices (lava-compat 6.1 and 6.2).

use pumice_sched::{
    Action, CheckEvery, DeviceHealth, DeviceState, DeviceType, Event, JobKind, JobRequest, WorkerHealth,
};
use pumice_types::{DeviceName, Fault, JobId, Verdict};

use crate::floor::{Floor, given, job, seconds};

fn check_job(id: i64) -> JobRequest {
    JobRequest {
        kind: JobKind::HealthCheck,
        device: Some("d1".into()),
        submitter: "lava-health".to_owned(),
        ..job(id, "qemu")
    }
}

fn asks(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::StartHealthCheck(_))).count()
}

/// A job of `kind` runs on a good device; its health is set to `meanwhile`; then it ends.
#[track_caller]
fn check_after(
    kind: &JobKind,
    meanwhile: DeviceHealth,
    verdict: Verdict,
    fault: Option<Fault>,
    expected: DeviceHealth,
) {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(JobRequest { kind: kind.clone(), ..check_job(1) });
    floor.pass(1);
    floor.step(Event::SetDeviceHealth("d1".into(), meanwhile));
    floor.finish(1, verdict, fault);
    assert_eq!(floor.health("d1"), expected);
}

#[test]
fn a_failure_that_is_not_the_jobs_makes_a_good_device_unknown() {
    use DeviceHealth::{Good, Unknown};
    for (fault, expected) in [
        (Fault::Infrastructure, Unknown),
        (Fault::Configuration, Unknown),
        (Fault::Bug, Unknown),
        (Fault::Job, Good),
        (Fault::Test, Good),
        (Fault::Cancelled, Good),
        (Fault::MultinodeTimeout, Good),
    ] {
        check_after(&JobKind::Single, Good, Verdict::Incomplete, Some(fault), expected);
    }
}

#[test]
fn a_failure_never_overwrites_what_a_person_decided() {
    use DeviceHealth::{Bad, Looping, Maintenance, Retired};
    for health in [Maintenance, Retired, Bad, Looping] {
        check_after(&JobKind::Single, health, Verdict::Incomplete, Some(Fault::Infrastructure), health);
    }
}

#[test]
fn a_health_check_decides_unless_a_person_did() {
    use DeviceHealth::{Bad, Good, Looping, Maintenance, Retired, Unknown};
    let check =
        |meanwhile, verdict, expected| check_after(&JobKind::HealthCheck, meanwhile, verdict, None, expected);
    for meanwhile in [Good, Unknown] {
        check(meanwhile, Verdict::Complete, Good);
        check(meanwhile, Verdict::Incomplete, Bad);
        check(meanwhile, Verdict::Cancelled, Bad);
    }
    check(Bad, Verdict::Complete, Good);
    for health in [Looping, Maintenance, Retired] {
        check(health, Verdict::Complete, health);
        check(health, Verdict::Incomplete, health);
    }
}

fn checked(every: CheckEvery) -> Floor {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    let actions = floor.step(Event::PutDeviceType("qemu".to_owned(), DeviceType { check: Some(every) }));
    assert_eq!(asks(&actions), 1, "a device that was never checked is checked first");
    floor
}

#[test]
fn a_health_check_comes_before_jobs_and_is_asked_for_again_when_it_does_not_come() {
    let mut floor = checked(CheckEvery::Period(seconds(1_000)));
    assert_eq!(given(&floor.submit(job(2, "qemu"))), []);
    assert_eq!(asks(&floor.pass(30)), 0);
    assert_eq!(asks(&floor.pass(1)), 1);
    assert_eq!(given(&floor.submit(check_job(1))), [(1, "d1".to_owned())]);
    assert_eq!(given(&floor.complete(1)), [(2, "d1".to_owned())]);
    assert_eq!(floor.health("d1"), DeviceHealth::Good);
}

#[test]
fn the_next_health_check_is_due_after_the_period_or_the_jobs() {
    let mut floor = checked(CheckEvery::Period(seconds(1_000)));
    floor.submit(check_job(1));
    floor.complete(1);
    assert_eq!(asks(&floor.pass(999)), 0);
    assert_eq!(asks(&floor.pass(2)), 1);

    let mut floor = checked(CheckEvery::Jobs(2));
    floor.submit(check_job(1));
    floor.complete(1);
    floor.submit(job(2, "qemu"));
    assert_eq!(asks(&floor.complete(2)), 0);
    floor.submit(job(3, "qemu"));
    assert_eq!(asks(&floor.complete(3)), 1);
}

#[test]
fn a_looping_device_is_checked_again_and_again_and_runs_nothing_else() {
    let mut floor = checked(CheckEvery::Period(seconds(1_000)));
    floor.step(Event::SetDeviceHealth("d1".into(), DeviceHealth::Looping));
    floor.submit(job(9, "qemu"));
    for id in 1..4 {
        assert_eq!(given(&floor.submit(check_job(id))), [(id, "d1".to_owned())]);
        assert_eq!(asks(&floor.complete(id)), 1);
    }
    assert!(floor.is_waiting(9));
}

#[test]
fn a_health_check_lost_with_its_worker_says_nothing_of_the_device() {
    let mut floor = checked(CheckEvery::Period(seconds(1_000)));
    floor.step(Event::SetDeviceHealth("d1".into(), DeviceHealth::Unknown));
    floor.submit(check_job(1));
    floor.pass_without(80, &["w1"]);
    assert!(floor.lab.job(JobId(1)).is_none());
    assert_eq!(floor.health("d1"), DeviceHealth::Unknown);
    assert_eq!(asks(&floor.pass(1)), 1);
}

#[test]
fn a_check_that_still_waits_goes_with_its_device_into_maintenance() {
    let mut floor = checked(CheckEvery::Period(seconds(1_000)));
    floor.pass_without(61, &["w1"]);
    floor.submit(check_job(1));
    floor.step(Event::SetDeviceHealth("d1".into(), DeviceHealth::Maintenance));
    assert!(floor.lab.job(JobId(1)).is_none());
}

#[test]
fn devices_follow_their_worker() {
    use DeviceHealth::{Bad, Good, Looping, Maintenance, Retired, Unknown};
    use WorkerHealth as W;
    for (before, after, device, expected) in [
        (W::Maintenance, W::Active, Good, Unknown),
        (W::Maintenance, W::Active, Maintenance, Maintenance),
        (W::Retired, W::Active, Good, Good),
        (W::Active, W::Maintenance, Good, Good),
        (W::Active, W::Retired, Good, Retired),
        (W::Active, W::Retired, Looping, Retired),
        (W::Active, W::Retired, Bad, Bad),
    ] {
        let mut floor = Floor::new(&["d1 qemu w1"]);
        floor.step(Event::SetWorkerHealth("w1".into(), before));
        floor.step(Event::SetDeviceHealth("d1".into(), device));
        floor.step(Event::SetWorkerHealth("w1".into(), after));
        assert_eq!(floor.health("d1"), expected, "{before:?} to {after:?}, {device:?}");
    }
}

#[test]
fn a_devices_state_follows_its_job() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    let state = |floor: &Floor| floor.lab.device_state(&DeviceName::from("d1"));
    assert_eq!(state(&floor), DeviceState::Idle);
    floor.submit(job(1, "qemu"));
    assert_eq!(state(&floor), DeviceState::Reserved);
    floor.pass(1);
    assert_eq!(state(&floor), DeviceState::Running);
    floor.complete(1);
    assert_eq!(state(&floor), DeviceState::Idle);
}
