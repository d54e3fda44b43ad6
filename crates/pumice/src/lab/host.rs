//! What this host has to offer a lab.

use std::{collections::BTreeSet, fs, path::Path};

use pumice_api::worker::{HostFacts, OfferedDevice, Versioned};
use pumice_platform::Availability;
use pumice_types::{Failure, Name, Sources, WorkerName};

use super::{host_refused, private_directory};
use crate::{
    cli::Places, commands::model::program as model_program, config::Config, host::Prepared, library::Library,
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
    let (platforms, models) = runtime.block_on(async {
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
        let models = models_here(&config, &prepared.host.host).await;
        prepared.finish().await?;
        Ok::<_, Failure>((ready, models))
    })?;
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
        // So that a job may ask for a version of a model.
        tags: models.iter().filter(|(_, of)| of == kind).filter_map(|(model, _)| model.tag()).collect(),
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
async fn models_here(config: &Config, host: &pumice_platform::Host) -> Vec<(Versioned, String)> {
    let (library, _) = models::read(&config.models, &mut Sources::default());
    let mut here = Vec::new();
    for model in library.iter() {
        let Some(program) = model_program(model, config) else { continue };
        let said = pumice_platforms::examine::version(host, &program).await.unwrap_or_default();
        let version = number(&said).unwrap_or_default().to_owned();
        here.push((Versioned { name: model.name.to_string(), version }, model.platform.clone()));
    }
    here
}

/// The number in what a model says of its version: `11.27.19` of `Fast Models [11.27.19 (Aug 29 2024)]`.
fn number(said: &str) -> Option<&str> {
    let is_number = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    let words = said.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.map(|word| word.trim_matches('.')).find(is_number)
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB (`proc_meminfo(5)`).
fn memory_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_version_is_a_number() {
        let check = |said, expected| assert_eq!(number(said), expected);
        check("Fast Models [11.24.12 (Dec  4 2023)]", Some("11.24.12"));
        check("platform build 11.2.33", Some("11.2.33"));
        check("Model Shell 11", None);
        check("", None);
    }
}
