//! From rows to what the scheduler knows, and what it does not keep itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pumice_api::worker::{Epoch, Fence, HostFacts, JobRef};
use pumice_db::{
    Condition, DbError, Device, DeviceType, Job, ObjectKind, ObjectPermission, Page, Reader, Viewer, Worker,
};
use pumice_sched::{Access, CheckEvery, Giving, Leasing, Record, Size, Time, WorkerFacts};
use pumice_types::{DeviceName, JobState, WorkerName};

/// Every row at once.
const ALL: Page = Page { limit: 1 << 31, offset: 0 };

/// Reads everything that the scheduler needs to go on after a restart.
pub(super) async fn record(reader: &mut Reader, now: Time) -> Result<Record, DbError> {
    let everything = Viewer::everything();
    let access = access_of_devices(reader).await?;
    let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (device, tag) in reader.all_device_tags().await? {
        tags.entry(device).or_default().insert(tag);
    }
    let types = reader.device_types(&everything, &[], &[], ALL).await?.rows;
    let devices = reader.devices(&everything, &[], &[], ALL).await?.rows;
    let workers = reader.workers(&[], &[], ALL).await?.rows;
    let jobs = reader.unfinished_jobs().await?;
    let licences = reader.licences().await?;
    Ok(Record {
        types: types.iter().map(|known| (known.name.clone(), type_for_scheduler(known))).collect(),
        devices: devices
            .iter()
            .map(|device| {
                let tags = tags.remove(&device.hostname).unwrap_or_default();
                let access = access.get(&device.hostname).cloned().unwrap_or_default();
                device_for_scheduler(device, tags, access)
            })
            .collect(),
        workers: workers.iter().map(|worker| (worker_for_scheduler(worker), epoch(worker))).collect(),
        licences: licences
            .into_iter()
            .map(|(name, seats)| (name, u32::try_from(seats).unwrap_or(0)))
            .collect(),
        jobs: jobs.iter().filter_map(|job| job_for_scheduler(job, now)).collect(),
    })
}

/// The present giving of a job.
pub(crate) fn job_ref(job: &Job) -> JobRef {
    JobRef { job: job.id, fence: Fence(u64::try_from(job.fence).unwrap_or(0)) }
}

fn epoch(worker: &Worker) -> Epoch {
    Epoch(u64::try_from(worker.epoch).unwrap_or(0))
}

/// What the scheduler knows of a device type.
pub(crate) fn type_for_scheduler(known: &DeviceType) -> pumice_sched::DeviceType {
    let is_checked = known.display && !known.health_disabled && known.health_check.is_some();
    let count = u32::try_from(known.health_frequency).unwrap_or(0).max(1);
    let every = match known.health_denominator.as_str() {
        "jobs" => CheckEvery::Jobs(count),
        _ => CheckEvery::Period(Duration::from_secs(3600) * count),
    };
    pumice_sched::DeviceType { check: is_checked.then_some(every) }
}

/// What the scheduler knows of a device.
pub(crate) fn device_for_scheduler(
    device: &Device,
    tags: BTreeSet<String>,
    access: Access,
) -> pumice_sched::Device {
    pumice_sched::Device {
        name: DeviceName(device.hostname.clone()),
        device_type: device.device_type.clone(),
        worker: device.worker.clone().map(WorkerName),
        tags,
        slots: u32::try_from(device.slots).unwrap_or(1).max(1),
        access,
        health: health_for_scheduler(device.health),
        last_check: device.last_check.and_then(|time| u64::try_from(time).ok()).map(Time),
        jobs_since_check: u32::try_from(device.jobs_since_check).unwrap_or(0),
    }
}

/// The scheduler's word for a device's health.
pub(crate) fn health_for_scheduler(health: pumice_db::DeviceHealth) -> pumice_sched::DeviceHealth {
    match health {
        pumice_db::DeviceHealth::Good => pumice_sched::DeviceHealth::Good,
        pumice_db::DeviceHealth::Unknown => pumice_sched::DeviceHealth::Unknown,
        pumice_db::DeviceHealth::Looping => pumice_sched::DeviceHealth::Looping,
        pumice_db::DeviceHealth::Bad => pumice_sched::DeviceHealth::Bad,
        pumice_db::DeviceHealth::Maintenance => pumice_sched::DeviceHealth::Maintenance,
        pumice_db::DeviceHealth::Retired => pumice_sched::DeviceHealth::Retired,
    }
}

/// The database's word for a device's health.
pub(super) fn health_for_database(health: pumice_sched::DeviceHealth) -> pumice_db::DeviceHealth {
    match health {
        pumice_sched::DeviceHealth::Good => pumice_db::DeviceHealth::Good,
        pumice_sched::DeviceHealth::Unknown => pumice_db::DeviceHealth::Unknown,
        pumice_sched::DeviceHealth::Looping => pumice_db::DeviceHealth::Looping,
        pumice_sched::DeviceHealth::Bad => pumice_db::DeviceHealth::Bad,
        pumice_sched::DeviceHealth::Maintenance => pumice_db::DeviceHealth::Maintenance,
        pumice_sched::DeviceHealth::Retired => pumice_db::DeviceHealth::Retired,
    }
}

/// The scheduler's word for a worker's health.
pub(crate) fn worker_health_for_scheduler(health: pumice_db::WorkerHealth) -> pumice_sched::WorkerHealth {
    match health {
        pumice_db::WorkerHealth::Active => pumice_sched::WorkerHealth::Active,
        pumice_db::WorkerHealth::Maintenance => pumice_sched::WorkerHealth::Maintenance,
        pumice_db::WorkerHealth::Retired => pumice_sched::WorkerHealth::Retired,
    }
}

/// What the scheduler knows of a worker. One that never told what it has speaks LAVA's protocol, and keeps no leases.
pub(crate) fn worker_for_scheduler(worker: &Worker) -> WorkerFacts {
    let host: Option<HostFacts> = worker.offer.as_deref().and_then(|offer| serde_json::from_str(offer).ok());
    WorkerFacts {
        name: WorkerName(worker.hostname.clone()),
        health: worker_health_for_scheduler(worker.health),
        capacity: host.as_ref().map(|host| Size { cores: host.cores, memory_mib: host.memory_mib }),
        models: host.iter().flat_map(|host| host.models.iter().map(|model| model.name.clone())).collect(),
        job_limit: u32::try_from(worker.job_limit).ok().filter(|limit| *limit > 0),
        leasing: if host.is_some() { Leasing::Leased } else { Leasing::Unbounded },
    }
}

/// A job as the scheduler knew it. One whose submission was never whole is left out: nobody got its number.
fn job_for_scheduler(job: &Job, now: Time) -> Option<pumice_sched::Job> {
    let request = serde_json::from_str(&job.request).ok()?;
    let given = job.worker.clone().filter(|_| job.state != JobState::Submitted).map(|worker| Giving {
        worker: WorkerName(worker),
        device: job.actual_device.clone().map(DeviceName),
        since: now,
        lease_until: now,
        acknowledged: job.state != JobState::Scheduled,
        started: job.start_time.map(|time| Time(u64::try_from(time.0 / 1000).unwrap_or(0))),
    });
    Some(pumice_sched::Job {
        request,
        state: job.state,
        fence: Fence(u64::try_from(job.fence).unwrap_or(0)),
        given,
        losses: u32::try_from(job.losses).unwrap_or(0),
        returns: u32::try_from(job.returns).unwrap_or(0),
        avoid: None,
    })
}

/// Who may submit to each device that is not open to everybody.
pub(crate) async fn access_of_devices(reader: &mut Reader) -> Result<BTreeMap<String, Access>, DbError> {
    let on_types = reader.all_permissions_on(ObjectKind::DeviceType).await?;
    let on_devices = reader.all_permissions_on(ObjectKind::Device).await?;
    if on_types.is_empty() && on_devices.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut members: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for group in reader.groups(&[]).await? {
        members.insert(group.id, reader.members(group.id).await?.into_iter().collect());
    }
    let condition = Condition::on_users("id__gt", "0").ok();
    let users = reader.users(condition.as_slice(), &[], ALL).await?.rows;
    let superusers: BTreeSet<String> =
        users.into_iter().filter(|user| user.is_superuser).map(|user| user.username).collect();
    let mut access = BTreeMap::new();
    for device in reader.devices(&Viewer::everything(), &[], &[], ALL).await?.rows {
        let own: Vec<_> = on_devices.iter().filter(|grant| grant.object == device.hostname).collect();
        let of_type: Vec<_> = on_types.iter().filter(|grant| grant.object == device.device_type).collect();
        let deciding = if own.is_empty() { of_type } else { own };
        if let Some(mut users) = submitters(&deciding, &members) {
            users.extend(superusers.iter().cloned());
            access.insert(device.hostname, Access::Only(users));
        }
    }
    Ok(access)
}

/// Who may submit by these grants; `None` when everybody may.
fn submitters(
    grants: &[&ObjectPermission],
    members: &BTreeMap<i64, BTreeSet<String>>,
) -> Option<BTreeSet<String>> {
    let limits = |word: &str| grants.iter().any(|grant| grant.permission.starts_with(word));
    let strong = |grant: &&&ObjectPermission| !grant.permission.starts_with("view_");
    let of = |grants: &mut dyn Iterator<Item = &&ObjectPermission>| -> BTreeSet<String> {
        grants.filter_map(|grant| members.get(&grant.group_id)).flatten().cloned().collect()
    };
    if limits("submit_to_") {
        Some(of(&mut grants.iter().filter(strong)))
    } else if limits("view_") {
        Some(of(&mut grants.iter()))
    } else {
        None
    }
}
