//! What a job takes of the lab beside a device: models, seats of licences, cores and memory of its worker.
//!
//! It is worked out when the job is submitted, before anybody knows which device it gets. So where devices of its type differ,
//! the most that any of them takes is counted: seats are rather kept free than promised twice.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use pumice_db::{Page, Reader, Viewer};
use pumice_device::{Device, HostShare, LicenceKind, Model};
use pumice_job::{Action, Boot, BootDetail, Job};
use pumice_sched::Size;
use pumice_types::SourceId;
use pumice_yaml::Map;

use super::render;
use crate::{app::Shared, refusal::Refusal};

/// What a job takes.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Models that its worker must have.
    pub(crate) models: BTreeSet<String>,
    /// Seats of licences.
    pub(crate) licences: BTreeMap<String, u32>,
    /// Cores and memory.
    pub(crate) size: Size,
}

/// What one machine takes.
#[derive(Clone, Debug, Default)]
struct Share {
    licences: BTreeMap<String, u32>,
    host: Option<HostShare>,
}

impl Share {
    fn of_model(model: &Model) -> Self {
        let counted = model.licence.iter().filter(|licence| licence.kind == LicenceKind::Floating);
        Self {
            licences: counted.map(|licence| (licence.feature.clone(), licence.seats)).collect(),
            host: model.host,
        }
    }

    /// The most that either takes.
    fn most(mut self, other: &Self) -> Self {
        for (name, seats) in &other.licences {
            let own = self.licences.entry(name.clone()).or_default();
            *own = (*own).max(*seats);
        }
        self.host = match (self.host, other.host) {
            (Some(one), Some(other)) => Some(HostShare {
                cores: one.cores.max(other.cores),
                memory_mib: one.memory_mib.max(other.memory_mib),
            }),
            (one, other) => one.or(other),
        };
        self
    }
}

/// What a machine of each device type takes, as far as it is known. Rendering every device for every job would cost more
/// than all the rest of a submission.
#[derive(Debug, Default)]
pub(crate) struct OfTypes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    types: HashMap<String, Share>,
    devices: HashMap<Source, Share>,
}

/// What a device's share was read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    /// Its dictionary.
    Dictionary(String),
    /// Its type alone, which many may have in common.
    Type(String),
}

impl OfTypes {
    /// A device has changed, or is there no more.
    pub(crate) fn forget_device(&self, hostname: &str) {
        let mut known = self.lock();
        known.types.clear();
        known.devices.remove(&Source::Dictionary(hostname.to_owned()));
    }

    /// A template has changed.
    pub(crate) fn forget(&self) {
        *self.lock() = Known::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get(&self, shared: &Shared, reader: &mut Reader, kind: &str) -> Result<Share, Refusal> {
        let known = self.lock().types.get(kind).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let all = Page { limit: 1 << 31, offset: 0 };
        let devices = reader.devices(&Viewer::everything(), &[], &[], all).await?.rows;
        let mut most = Share::default();
        for device in devices.iter().filter(|device| device.device_type == kind) {
            most = most.most(&self.of_device(shared, reader, device).await?);
        }
        self.lock().types.insert(kind.to_owned(), most.clone());
        Ok(most)
    }

    async fn of_device(
        &self,
        shared: &Shared,
        reader: &mut Reader,
        device: &pumice_db::Device,
    ) -> Result<Share, Refusal> {
        let own = Source::Dictionary(device.hostname.clone());
        let known = self.lock().devices.get(&own).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let is_plain = device.is_offered && reader.dictionary(&device.hostname).await?.is_none();
        let source = if is_plain { Source::Type(device.device_type.clone()) } else { own.clone() };
        let known = self.lock().devices.get(&source).cloned();
        let share = match known {
            Some(known) => known,
            None => rendered_share(shared, reader, device).await?,
        };
        let devices = &mut self.lock().devices;
        devices.insert(source, share.clone());
        devices.insert(own, share.clone());
        Ok(share)
    }
}

/// What a device takes. One that does not render gets no job, and takes nothing.
async fn rendered_share(
    shared: &Shared,
    reader: &mut Reader,
    device: &pumice_db::Device,
) -> Result<Share, Refusal> {
    let rendered = render::device(shared, reader, device, &Map::default()).await?;
    let node = rendered.ok().and_then(|text| pumice_yaml::parse(&text, SourceId::default()).0);
    let Some(node) = node else { return Ok(Share::default()) };
    let device = Device::read(&node).0;
    let model = device.model.and_then(|name| shared.config.models.get(&name.value).ok());
    let mut share = model.map(Share::of_model).unwrap_or_default();
    for licence in &device.licences {
        share.licences.entry(licence.clone()).or_insert(1);
    }
    share.host = device.host.or(share.host);
    Ok(share)
}

/// What `job` takes on a device of type `kind`. Machines of several namespaces run side by side; a boot in a namespace that
/// had one before takes its place.
pub(crate) async fn of_job(
    shared: &Shared,
    reader: &mut Reader,
    job: &Job,
    kind: &str,
) -> Result<Needs, Refusal> {
    let mut machines: BTreeMap<&str, Share> = BTreeMap::new();
    let mut needs = Needs::default();
    for block in &job.actions {
        let Action::Boot(boot) = block else { continue };
        let of_device = shared.needs.get(shared, reader, kind).await?;
        let mut share = of_device.clone();
        if let Some(name) = &boot.model {
            let model = shared.config.models.get(&name.value).ok();
            needs.models.insert(model.map_or(name.value.as_str(), |model| model.name.as_str()).to_owned());
        }
        if let Some(model) = model_of(shared, boot) {
            let of_model = Share::of_model(model);
            share.host = of_device.host.or(of_model.host);
            share = share.most(&Share { host: None, ..of_model });
        }
        let machine = machines.entry(boot.block.namespace()).or_default();
        *machine = std::mem::take(machine).most(&share);
    }
    for share in machines.values() {
        for (name, seats) in &share.licences {
            *needs.licences.entry(name.clone()).or_default() += seats;
        }
        let host = share.host.unwrap_or(HostShare { cores: 0, memory_mib: 0 });
        needs.size.cores = needs.size.cores.saturating_add(host.cores);
        needs.size.memory_mib = needs.size.memory_mib.saturating_add(u64::from(host.memory_mib));
    }
    if !machines.is_empty() {
        // Nobody said what they take: a simulator keeps a core busy.
        needs.size.cores = needs.size.cores.max(HostShare::default().cores);
    }
    Ok(needs)
}

/// The model of a boot: by its name in the library, or by its program's.
fn model_of<'a>(shared: &'a Shared, boot: &Boot) -> Option<&'a Model> {
    let library = &shared.config.models;
    if let Some(name) = &boot.model {
        return library.get(&name.value).ok();
    }
    let BootDetail::Model(detail) = &boot.detail else { return None };
    library.by_binary(detail.image.as_ref()?.value.rsplit('/').next()?)
}
