//! What this host has to offer a lab.

use std::{collections::BTreeSet, fs, path::Path};

use pumice_api::worker::{HostFacts, OfferedDevice, Versioned};
use pumice_platform::Availability;
use pumice_types::{Failure, Name, Sources, WorkerName};

use super::{host_refused, private_directory};
use crate::{
    cli::Places,
    config::Config,
    host::{Prepared, find_program},
    library::Library,
    models,
};

/// The name of a worker where nothing better is known.
const UNNAMED: &str = "worker";

/// A host as its worker describes it.
pub(crate) struct Host {
    /// Its processors, memory and platforms.
    pub(crate) facts: HostFacts,
    /// One device of each type that works here with no further word.
    pub(crate) devices: Vec<OfferedDevice>,
}

/// The worker's name: the given one, or the host's.
pub(crate) fn worker_name(given: Option<&str>) -> WorkerName {
    let own = hostname();
    let name = given.unwrap_or(&own);
    WorkerName(name.parse::<Name>().map_or_else(|_| UNNAMED.to_owned(), Into::into))
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Looks which platforms work here. `directory` is for what the probes write.
pub(crate) fn look(directory: &Path, name: &WorkerName) -> Result<Host, Failure> {
    private_directory(directory)?;
    let config = Config::read(None)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| host_refused("cannot start", &error))?;
    let platforms = runtime.block_on(async {
        let prepared =
            Prepared::new(&Places::default(), pumice_platforms::all(), directory, None, Vec::new(), &config)?;
        let mut ready = Vec::new();
        for platform in &prepared.host.platforms {
            // One that needs no program of its own needs a description by the operator.
            if let Availability::Ready(facts) = platform.probe(None, &prepared.host.host).await
                && facts.program.is_some()
            {
                let version = facts.version.unwrap_or_default();
                ready.push(Versioned { name: platform.name().to_owned(), version });
            }
        }
        prepared.finish().await?;
        Ok::<_, Failure>(ready)
    })?;
    let models = models_here(&config);
    let library = Library::default();
    // What runs here: platforms that need no model, and those of the models.
    let kinds: BTreeSet<&str> = platforms
        .iter()
        .map(|platform| platform.name.as_str())
        .chain(models.iter().map(|(_, platform)| platform.as_str()))
        .filter(|kind| library.has(kind))
        .collect();
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let devices = kinds.into_iter().map(|kind| OfferedDevice {
        name: format!("{kind}-{name}"),
        device_type: kind.to_owned(),
        // A machine takes a core or more: the lab counts what each takes.
        slots: cores,
        tags: Vec::new(),
    });
    Ok(Host {
        devices: devices.collect(),
        facts: HostFacts {
            hostname: hostname(),
            architecture: std::env::consts::ARCH.to_owned(),
            cores,
            memory_mib: memory_mib(),
            platforms,
            models: models.iter().map(|(model, _)| model.clone()).collect(),
        },
    })
}

/// The models of the library whose program is here, each with its platform.
fn models_here(config: &Config) -> Vec<(Versioned, String)> {
    let (library, _) = models::read(&config.models, &mut Sources::default());
    let is_here = |model: &&pumice_device::Model| {
        model.binaries.iter().any(|binary| find_program(binary, config).is_some())
            || find_program(model.name.as_str(), config).is_some()
    };
    let shown = |model: &pumice_device::Model| {
        let model_here = Versioned { name: model.name.to_string(), version: String::new() };
        (model_here, model.platform.clone())
    };
    library.iter().filter(is_here).map(shown).collect()
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB (`proc_meminfo(5)`).
fn memory_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}
