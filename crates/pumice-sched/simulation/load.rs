//! A lab and the work for it, made from a seed. Whatever is asked for can be had when everything is well.

use std::collections::BTreeMap;

use pumice_api::worker::Epoch;
use pumice_sched::{
    CheckEvery, Device, DeviceType, JobKind, JobRequest, Member, Record, Size, Time, WorkerFacts,
};
use pumice_types::{JobId, WorkerName};

use super::random::Random;

const TYPES: [&str; 3] = ["a15", "base", "qemu"];
const TAGS: [&str; 3] = ["big", "net", "kvm"];
const CAPACITY: Size = Size { cores: 8, memory_mib: 8192 };
const SEATS: u32 = 3;

/// A lab of a few workers with a few devices each.
pub(crate) fn lab(random: &mut Random) -> Record {
    let mut record = Record::default();
    for name in TYPES {
        let every = if random.chance(50) {
            CheckEvery::Jobs(20)
        } else {
            CheckEvery::Period(std::time::Duration::from_secs(300))
        };
        let check = random.chance(30).then_some(every);
        record.types.insert(name.to_owned(), DeviceType { check });
    }
    record.licences.insert("fm".to_owned(), SEATS);
    for number in 1..=random.between(1, 4) {
        let worker = WorkerName(format!("w{number}"));
        let mut facts = WorkerFacts::new(worker.as_str());
        facts.capacity = random.chance(70).then_some(CAPACITY);
        facts.job_limit = random.chance(30).then_some(4);
        record.workers.push((facts, Epoch(0)));
        // The first worker has one of everything.
        let count = if number == 1 { TYPES.len() as u64 } else { random.between(1, 4) };
        for index in 0..count {
            let device_type =
                if number == 1 { TYPES[usize::try_from(index).unwrap_or(0)] } else { *random.pick(&TYPES) };
            let mut device =
                Device::new(format!("w{number}-{device_type}-{index}").as_str(), device_type, worker.clone());
            device.slots = u32::try_from(random.between(1, 2)).unwrap_or(1);
            device.tags = TAGS.iter().filter(|_| random.chance(40)).map(|tag| (*tag).to_owned()).collect();
            record.devices.push(device);
        }
    }
    record
}

/// The work: when it is submitted (milliseconds), and the jobs of one entry.
pub(crate) fn work(record: &Record, until: u64, random: &mut Random) -> Vec<(u64, Vec<JobRequest>)> {
    let mut work = Vec::new();
    let mut id = 0;
    for _ in 0..random.between(10, 60) {
        let at = random.between(0, until);
        let submitter = format!("u{}", random.between(1, 4));
        let priority = *random.pick(&[0, 50, 50, 50, 100]);
        let size = if random.chance(20) { random.between(2, 4) } else { 1 };
        let mut slots: BTreeMap<usize, u32> = BTreeMap::new();
        let mut jobs = Vec::new();
        for member in 0..size {
            id += 1;
            let at_device = usize::try_from(random.between(0, record.devices.len() as u64 - 1)).unwrap_or(0);
            let device = &record.devices[at_device];
            // Members of a group are modelled on different slots, so that the group fits at least there.
            let taken = slots.entry(at_device).or_default();
            if *taken == device.slots {
                continue;
            }
            *taken += 1;
            let mut job = JobRequest::new(
                JobId(id),
                submitter.clone(),
                Time(10_000_000 + at),
                device.device_type.clone(),
            );
            job.priority = priority;
            job.tags = device.tags.iter().filter(|_| random.chance(30)).cloned().collect();
            if random.chance(10) {
                job.device = Some(device.name.clone());
            }
            if random.chance(10) {
                job.worker.clone_from(&device.worker);
            }
            if member == 0 && random.chance(30) {
                let seats = u32::try_from(random.between(1, u64::from(SEATS))).unwrap_or(1);
                job.licences.insert("fm".to_owned(), seats);
            }
            let most = if size == 1 { 8 } else { 2 };
            job.size = Size { cores: u32::try_from(random.between(0, most)).unwrap_or(0), memory_mib: 512 };
            if size > 1 {
                let group = format!("g{at}-{submitter}");
                job.kind = JobKind::Member(Member { group, essential: random.chance(30), beside: None });
            }
            jobs.push(job);
        }
        work.push((at, jobs));
    }
    work.sort_by_key(|(at, _)| *at);
    work
}
