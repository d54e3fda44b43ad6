//! Why a job waits.

use std::collections::BTreeSet;

use pumice_sched::{
    Access, CheckEvery, Device, DeviceHealth, DeviceType, Event, JobRequest, Obstacle, Size, WorkerFacts,
    WorkerHealth,
};
use pumice_types::JobId;

use crate::floor::{Floor, job, seconds, tags};

/// After `change`, job 1 waits for exactly `expected`, said in words and with a remedy.
#[track_caller]
fn check(change: impl Fn(&mut Floor), request: JobRequest, expected: &Obstacle) {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    change(&mut floor);
    floor.submit(request);
    let why = floor.lab.why(JobId(1)).expect("job 1 waits");
    assert_eq!(why.obstacles, [(expected.clone(), 1)]);
    assert!(!expected.to_string().is_empty() && !expected.remedy().is_empty());
}

fn put(floor: &mut Floor, change: impl Fn(&mut Device)) {
    let mut device = Device::new("d1", "qemu", "w1".into());
    change(&mut device);
    floor.step(Event::PutDevice(device));
}

#[test]
fn each_obstacle_is_named() {
    let plain = || job(1, "qemu");
    check(|_| {}, job(1, "gem5"), &Obstacle::NoDevice { device_type: "gem5".to_owned() });
    check(|_| {}, JobRequest { device: Some("d9".into()), ..plain() }, &Obstacle::NotTheOneNamed);
    let missing = Obstacle::MissingTags(vec!["kvm".to_owned()]);
    check(|_| {}, JobRequest { tags: tags(&["kvm"]), ..plain() }, &missing);
    let missing = Obstacle::MissingModels(vec!["A15x1".to_owned()]);
    check(|_| {}, JobRequest { models: tags(&["A15x1"]), ..plain() }, &missing);
    check(
        |floor| put(floor, |device| device.access = Access::Only(BTreeSet::new())),
        plain(),
        &Obstacle::NotPermitted,
    );
    check(
        |floor| drop(floor.step(Event::SetDeviceHealth("d1".into(), DeviceHealth::Bad))),
        plain(),
        &Obstacle::Health(DeviceHealth::Bad),
    );
    let every = CheckEvery::Period(seconds(9));
    check(
        |floor| drop(floor.step(Event::PutDeviceType("qemu".to_owned(), DeviceType { check: Some(every) }))),
        plain(),
        &Obstacle::HealthCheck,
    );
    check(|floor| put(floor, |device| device.worker = None), plain(), &Obstacle::NoWorker);
    check(|floor| drop(floor.pass_without(61, &["w1"])), plain(), &Obstacle::WorkerOffline("w1".to_owned()));
    check(
        |floor| drop(floor.step(Event::SetWorkerHealth("w1".into(), WorkerHealth::Maintenance))),
        plain(),
        &Obstacle::WorkerHealth("w1".to_owned(), WorkerHealth::Maintenance),
    );
    check(|floor| drop(floor.submit(job(7, "qemu"))), plain(), &Obstacle::Busy);
    let small = WorkerFacts { capacity: Some(Size { cores: 1, memory_mib: 1 }), ..WorkerFacts::new("w1") };
    let big = JobRequest { size: Size { cores: 2, memory_mib: 0 }, ..plain() };
    check(
        |floor| drop(floor.step(Event::PutWorker(small.clone()))),
        big,
        &Obstacle::WorkerFull("w1".to_owned()),
    );
}

#[test]
fn missing_seats_are_named_beside_what_the_devices_lack() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.step(Event::PutLicence("fm".to_owned(), 1));
    let mut wants = job(1, "qemu");
    wants.licences.insert("fm".to_owned(), 2);
    floor.submit(wants);
    let obstacles = floor.lab.why(JobId(1)).unwrap().obstacles;
    let seats = Obstacle::Seats { licence: "fm".to_owned(), needed: 2, of: 1 };
    assert_eq!(obstacles[0], (seats.clone(), 1));
    assert_eq!(seats.to_string(), "needs 2 seats of licence fm, and the lab has 1");
}

#[test]
fn the_jobs_ahead_are_counted_and_a_running_job_waits_for_nothing() {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 fvp w1"]);
    for id in 1..=4 {
        floor.submit(job(id, "qemu"));
    }
    floor.submit(JobRequest { priority: 90, ..job(5, "qemu") });
    floor.submit(job(6, "gem5"));
    let ahead = |id| floor.lab.why(JobId(id)).map(|why| why.ahead);
    assert_eq!([1, 2, 4, 5, 6].map(ahead), [None, Some(1), Some(3), Some(0), Some(0)]);
}
