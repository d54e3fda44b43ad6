//! What is free: the view that one pass places jobs in, and takes from as it goes.

use std::collections::BTreeMap;

use pumice_types::{DeviceName, WorkerName};

use crate::{Device, Job, JobKind, Lab};

/// Where a job goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The worker.
    pub(crate) worker: WorkerName,
    /// The device; `None` for a job beside another.
    pub(crate) device: Option<DeviceName>,
}

/// One free slot of a device.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    /// The device.
    pub(crate) device: &'a Device,
    /// Its worker.
    pub(crate) worker: &'a WorkerName,
}

/// What is left on a worker. Below zero where more was set aside than is free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) cores: i64,
    pub(crate) memory_mib: i64,
    pub(crate) jobs: i64,
}

impl Left {
    const UNLIMITED: i64 = i64::MAX / 4;

    fn fits(self, job: &Job) -> bool {
        let size = job.request.size;
        self.jobs >= 1
            && self.cores >= i64::from(size.cores)
            && self.memory_mib >= i64::try_from(size.memory_mib).unwrap_or(Self::UNLIMITED)
    }

    fn charge(&mut self, job: &Job, times: i64) {
        let size = job.request.size;
        self.jobs -= times;
        self.cores -= times * i64::from(size.cores);
        self.memory_mib -= times * i64::try_from(size.memory_mib).unwrap_or(Self::UNLIMITED);
    }
}

/// Free slots by device type, what is left of workers, and seats of licences.
#[derive(Clone)]
pub(crate) struct Room<'a> {
    pub(crate) spots: BTreeMap<&'a str, Vec<Spot<'a>>>,
    pub(crate) workers: BTreeMap<&'a WorkerName, Left>,
    pub(crate) seats: BTreeMap<&'a str, i64>,
}

impl<'a> Room<'a> {
    /// What is free now, of the device types that somebody waits for.
    pub(crate) fn free(lab: &'a Lab) -> Self {
        let mut room = Self::empty(lab);
        for job in lab.given_jobs() {
            if let Some(giving) = &job.given
                && let Some(left) = room.workers.get_mut(&giving.worker)
            {
                left.charge(job, 1);
            }
            for (licence, seats) in &job.request.licences {
                room.take_seats(licence, *seats);
            }
        }
        room.add_spots(lab, |device| device.slots.saturating_sub(lab.jobs_on(&device.name)), |_| 0);
        room
    }

    /// What would be free if nothing ran: free slots first, those of the workers with most room before others.
    pub(crate) fn potential(lab: &'a Lab, free: &Self) -> Self {
        let mut room = Self::empty(lab);
        let mut idle: BTreeMap<&DeviceName, u32> = BTreeMap::new();
        for spot in free.spots.values().flatten() {
            *idle.entry(&spot.device.name).or_default() += 1;
        }
        let mut workers: Vec<_> = free.workers.iter().collect();
        workers.sort_by_key(|(name, left)| (-left.cores, -left.memory_mib, -left.jobs, **name));
        let order: BTreeMap<_, _> = workers.into_iter().map(|(name, _)| *name).zip(0..).collect();
        room.add_spots(
            lab,
            |device| device.slots,
            |device| {
                let idle = idle.get_mut(&device.name).is_some_and(|count| {
                    let any = *count > 0;
                    *count = count.saturating_sub(1);
                    any
                });
                let worker =
                    device.worker.as_ref().and_then(|worker| order.get(worker)).copied().unwrap_or(0);
                if idle { worker } else { worker.saturating_add(u32::MAX / 2) }
            },
        );
        room
    }

    fn empty(lab: &'a Lab) -> Self {
        let limit = |limit: Option<u64>| limit.and_then(|n| i64::try_from(n).ok()).unwrap_or(Left::UNLIMITED);
        let workers = lab
            .workers()
            .filter(|worker| worker.takes_jobs())
            .map(|worker| {
                let facts = &worker.facts;
                let left = Left {
                    cores: limit(facts.capacity.map(|size| u64::from(size.cores))),
                    memory_mib: limit(facts.capacity.map(|size| size.memory_mib)),
                    jobs: limit(facts.job_limit.map(u64::from)),
                };
                (&facts.name, left)
            })
            .collect();
        let seats = lab.licences().iter().map(|(name, seats)| (name.as_str(), i64::from(*seats))).collect();
        Self { spots: BTreeMap::new(), workers, seats }
    }

    /// Adds `slots(device)` spots of every usable device. Within a type, devices with fewer tags come first, so that
    /// special ones are kept for who needs them, and then workers take turns.
    fn add_spots(
        &mut self,
        lab: &'a Lab,
        slots: impl Fn(&Device) -> u32,
        mut rank: impl FnMut(&'a Device) -> u32,
    ) {
        for (device_type, wanted) in lab.queue().wanted() {
            let mut depth: BTreeMap<&WorkerName, u32> = BTreeMap::new();
            let mut spots = Vec::new();
            for device in lab.devices_of_type(device_type) {
                let Some(worker) = &device.worker else { continue };
                if !device.health.takes_checks() || !self.workers.contains_key(worker) {
                    continue;
                }
                let wanted = u32::try_from(*wanted).unwrap_or(u32::MAX);
                for _ in 0..slots(device).min(wanted) {
                    let depth = depth.entry(worker).or_insert_with(|| lab.count_on_worker(worker));
                    let first = rank(device);
                    spots.push((first, device.tags.len(), *depth, Spot { device, worker }));
                    *depth += 1;
                }
            }
            spots.sort_by(|a, b| (a.0, a.1, a.2, &a.3.device.name).cmp(&(b.0, b.1, b.2, &b.3.device.name)));
            if !spots.is_empty() {
                self.spots.insert(device_type, spots.into_iter().map(|(.., spot)| spot).collect());
            }
        }
    }

    /// Whether `job` may have a slot of this device at all, whatever is free.
    pub(crate) fn suits(lab: &Lab, job: &Job, device: &Device) -> bool {
        let request = &job.request;
        let is_check = request.kind == JobKind::HealthCheck;
        let allowed = if is_check {
            device.health.takes_checks()
        } else {
            device.health.takes_jobs()
                && device.access.allows(&request.submitter)
                && !lab.is_being_checked(&device.name)
        };
        allowed
            && request.device_type == device.device_type
            && request.device.as_ref().is_none_or(|name| *name == device.name)
            && request.worker.as_ref().is_none_or(|name| device.worker.as_ref() == Some(name))
            && request.tags.is_subset(&device.tags)
            && lab.lacks_models(job, device.worker.as_ref()).is_empty()
            && !lab.avoids(job, device.worker.as_ref())
    }

    /// Whether the worker has room for `job`.
    pub(crate) fn worker_fits(&self, job: &Job, worker: &WorkerName) -> bool {
        self.workers.get(worker).is_some_and(|left| left.fits(job))
    }

    /// Whether the lab has the seats for all of `jobs`.
    pub(crate) fn seats_fit(&self, jobs: &[&Job]) -> bool {
        let mut needed: BTreeMap<&str, i64> = BTreeMap::new();
        for (licence, seats) in jobs.iter().flat_map(|job| &job.request.licences) {
            *needed.entry(licence).or_default() += i64::from(*seats);
        }
        needed.iter().all(|(licence, seats)| self.seats.get(licence).is_none_or(|free| free >= seats))
    }

    /// Takes what `job` needs of its worker and of the licences.
    pub(crate) fn charge(&mut self, job: &'a Job, worker: &WorkerName) {
        self.charge_worker(job, worker, 1);
        for (licence, seats) in &job.request.licences {
            self.take_seats(licence, *seats);
        }
    }

    /// Takes seats of a licence that the lab counts.
    fn take_seats(&mut self, licence: &str, seats: u32) {
        if let Some(free) = self.seats.get_mut(licence) {
            *free -= i64::from(seats);
        }
    }

    /// Takes, or with -1 gives back, what `job` needs of its worker.
    pub(crate) fn charge_worker(&mut self, job: &Job, worker: &WorkerName, times: i64) {
        if let Some(left) = self.workers.get_mut(worker) {
            left.charge(job, times);
        }
    }

    /// Removes one free slot of `device`; `false` when there is none.
    pub(crate) fn remove_spot(&mut self, device_type: &str, device: &DeviceName) -> bool {
        let Some(spots) = self.spots.get_mut(device_type) else { return false };
        let Some(at) = spots.iter().position(|spot| spot.device.name == *device) else { return false };
        spots.remove(at);
        if spots.is_empty() {
            self.spots.remove(device_type);
        }
        true
    }
}
