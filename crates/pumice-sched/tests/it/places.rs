//! Which device suits a job: type, tags, names, rights, room, licences.

use std::collections::BTreeSet;

use pumice_sched::{
    Access, Device, DeviceHealth, Event, JobRequest, Policy, Size, WorkerFacts, WorkerHealth,
};
use pumice_types::DeviceName;

use crate::floor::{Floor, given, job, seconds, tags};

const DEVICES: [&str; 4] = ["plain qemu w1", "tagged qemu w1 kvm", "both qemu w2 kvm net", "model fvp w2"];

#[track_caller]
fn check(job: JobRequest, expected: Option<&str>) {
    let mut floor = Floor::new(&DEVICES);
    let device = given(&floor.submit(job)).first().map(|(_, device)| device.clone());
    assert_eq!(device.as_deref(), expected);
}

#[test]
fn a_job_gets_a_device_of_its_type_with_its_tags_and_the_fewest_others() {
    check(job(1, "qemu"), Some("plain"));
    check(JobRequest { tags: tags(&["kvm"]), ..job(1, "qemu") }, Some("tagged"));
    check(JobRequest { tags: tags(&["net"]), ..job(1, "qemu") }, Some("both"));
    check(JobRequest { tags: tags(&["kvm", "gpu"]), ..job(1, "qemu") }, None);
    check(job(1, "fvp"), Some("model"));
    check(job(1, "gem5"), None);
}

#[test]
fn a_named_device_or_worker_is_the_one_it_gets() {
    check(JobRequest { device: Some("both".into()), ..job(1, "qemu") }, Some("both"));
    check(JobRequest { worker: Some("w2".into()), ..job(1, "qemu") }, Some("both"));
    check(JobRequest { device: Some("model".into()), ..job(1, "qemu") }, None);
}

#[track_caller]
fn check_device(change: impl Fn(&mut Device), expected: bool) {
    let mut floor = Floor::new(&["w-only other w1"]);
    let mut device = Device::new("d1", "qemu", "w1".into());
    change(&mut device);
    floor.step(Event::PutDevice(device));
    assert_eq!(!given(&floor.submit(job(1, "qemu"))).is_empty(), expected);
}

#[test]
fn rights_and_health_decide_over_a_device() {
    let only = |name: &str| Access::Only(BTreeSet::from([name.to_owned()]));
    check_device(|_| {}, true);
    check_device(|device| device.access = only("ann"), true);
    check_device(|device| device.access = only("bob"), false);
    check_device(|device| device.worker = None, false);
    for (health, expected) in [
        (DeviceHealth::Good, true),
        (DeviceHealth::Unknown, true),
        (DeviceHealth::Looping, false),
        (DeviceHealth::Bad, false),
        (DeviceHealth::Maintenance, false),
        (DeviceHealth::Retired, false),
    ] {
        check_device(|device| device.health = health, expected);
    }
}

#[track_caller]
fn check_worker(change: impl Fn(&mut Floor), expected: bool) {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    change(&mut floor);
    assert_eq!(!given(&floor.submit(job(1, "qemu"))).is_empty(), expected);
}

#[test]
fn a_worker_gets_jobs_while_it_is_there_active_and_ready() {
    check_worker(|_| {}, true);
    check_worker(
        |floor| drop(floor.step(Event::SetWorkerHealth("w1".into(), WorkerHealth::Maintenance))),
        false,
    );
    check_worker(|floor| drop(floor.pass_without(61, &["w1"])), false);
    check_worker(
        |floor| {
            let epoch = floor.lab.worker(&"w1".into()).unwrap().epoch;
            floor.step(Event::WorkerGoodbye { worker: "w1".into(), epoch });
        },
        false,
    );
    check_worker(
        |floor| {
            let epoch = floor.lab.worker(&"w1".into()).unwrap().epoch;
            let not_ready = Some("no room on the disk".to_owned());
            floor.step(Event::WorkerPolled {
                worker: "w1".into(),
                epoch,
                sequence: 1,
                held: vec![],
                not_ready,
            });
        },
        false,
    );
}

/// A worker with one device row of 8 slots; how many of `jobs` run at once?
#[track_caller]
fn check_room(facts: WorkerFacts, jobs: &[JobRequest], expected: usize) {
    let mut floor = Floor::new(&[]);
    floor.worker(facts);
    let mut device = Device::new("d1", "fvp", "w1".into());
    device.slots = 8;
    floor.step(Event::PutDevice(device));
    floor.step(Event::PutLicence("fm".to_owned(), 3));
    let placed: usize = jobs.iter().map(|job| given(&floor.submit(job.clone())).len()).sum();
    assert_eq!(placed, expected);
    assert_eq!(floor.lab.device_jobs(&DeviceName::from("d1")).count(), expected);
}

#[test]
fn one_device_row_runs_as_many_as_slots_cores_memory_limit_and_seats_allow() {
    let facts = || WorkerFacts::new("w1");
    let many = |size: Size| (1..=10).map(|id| JobRequest { size, ..job(id, "fvp") }).collect::<Vec<_>>();
    let small = Size { cores: 2, memory_mib: 1_024 };
    check_room(facts(), &many(small), 8);
    check_room(WorkerFacts { job_limit: Some(5), ..facts() }, &many(small), 5);
    check_room(
        WorkerFacts { capacity: Some(Size { cores: 7, memory_mib: 99_999 }), ..facts() },
        &many(small),
        3,
    );
    check_room(
        WorkerFacts { capacity: Some(Size { cores: 99, memory_mib: 4_096 }), ..facts() },
        &many(small),
        4,
    );
    let mut licensed = many(Size::default());
    for job in &mut licensed {
        job.licences.insert("fm".to_owned(), 1);
    }
    check_room(facts(), &licensed, 3);
    licensed[0].licences.insert("nobody counts it".to_owned(), 9);
    check_room(facts(), &licensed, 3);
}

#[test]
fn a_job_goes_where_its_model_is() {
    let has = |models: &[&str]| WorkerFacts { models: tags(models), ..WorkerFacts::new("w2") };
    let mut floor = Floor::new(&["a1 fvp w1", "b1 fvp w2"]);
    floor.worker(has(&["base-revc"]));
    let wants = |id| JobRequest { models: tags(&["A15x1"]), ..job(id, "fvp") };
    assert!(given(&floor.submit(wants(1))).is_empty());
    floor.worker(has(&["A15x1", "base-revc"]));
    assert_eq!(floor.device_of(1).as_deref(), Some("b1"));
}

#[test]
fn jobs_are_spread_over_workers() {
    let mut floor = Floor::new(&["a1 qemu w1", "a2 qemu w1", "b1 qemu w2", "b2 qemu w2"]);
    let devices: Vec<_> = (1..=4).map(|id| given(&floor.submit(job(id, "qemu")))[0].1.clone()).collect();
    assert_eq!(devices, ["a1", "b1", "a2", "b2"]);
}

/// Small jobs come for ever, each taking the room that the last one left; a big one must get its turn.
#[track_caller]
fn check_turn(big: JobRequest, small: impl Fn(i64) -> JobRequest) {
    let mut floor = Floor::with_policy(&[], Policy { claim_after: seconds(30), ..Policy::default() });
    floor.worker(WorkerFacts {
        capacity: Some(Size { cores: 4, memory_mib: 4_096 }),
        ..WorkerFacts::new("w1")
    });
    let mut device = Device::new("d1", "fvp", "w1".into());
    device.slots = 8;
    floor.step(Event::PutDevice(device));
    floor.step(Event::PutLicence("fm".to_owned(), 4));
    let mut next = 100;
    for _ in 0..4 {
        floor.submit(small(next));
        next += 1;
    }
    let big_id = big.id.0;
    floor.submit(big);
    for done in 100..200 {
        floor.submit(JobRequest { priority: 60, ..small(next) });
        next += 1;
        floor.pass(5);
        if floor.device_of(done).is_some() {
            floor.complete(done);
        }
        if !floor.is_waiting(big_id) {
            return;
        }
    }
    panic!("the big job still waits after {} small ones", next - 100);
}

#[test]
fn a_big_job_is_not_starved_by_small_ones() {
    let small = |id| JobRequest { size: Size { cores: 1, memory_mib: 64 }, ..job(id, "fvp") };
    let big = JobRequest { size: Size { cores: 4, memory_mib: 64 }, priority: 60, ..job(1, "fvp") };
    check_turn(big, small);
}

#[test]
fn a_job_of_many_seats_is_not_starved_by_jobs_of_one() {
    let with = |id, seats| {
        let mut job = job(id, "fvp");
        job.licences.insert("fm".to_owned(), seats);
        job
    };
    check_turn(JobRequest { priority: 60, ..with(1, 4) }, |id| with(id, 1));
}
