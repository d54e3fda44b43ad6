//! The platform: from a machine's specification to a launch.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use pumice_plan::{
    BesideSteps, BootSteps, ChannelDevice, DeployWay, ImageUse, MachinePlanner, MachineSpec, Outline,
    OverlayDelivery,
};
use pumice_platform::{
    Abilities, Availability, Bound, BoxFuture, Host, Launch, LaunchLink, Platform, SecretVariables, Stdio,
    StopHow, StopRung, host_on_made_network,
};
use pumice_types::Diagnostics;

use crate::{
    application, consoles,
    entry::Entry,
    library_form, network, options, output, parameters, probe,
    request::{ARTIFACT_DIR, Request},
};

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fvp;

/// Where all files are found under their own names, below the work directory.
const ARTIFACTS: &str = "artifacts";

/// How long a model may take to end after SIGINT when its entry does not say: it writes flash back and prints its
/// statistics, which may take many seconds (fastmodels 4.5).
const GRACE: Duration = Duration::from_secs(15);

/// How long it may take after SIGTERM, which it may answer the same way.
const LAST_GRACE: Duration = Duration::from_secs(5);

impl MachinePlanner for Fvp {
    fn name(&self) -> &'static str {
        "fvp"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["fvp"]
    }

    fn deploys(&self) -> &'static [DeployWay] {
        &[DeployWay { to: "fvp", device_method: "fvp", step: "fvp-deploy" }]
    }

    fn check(&self, spec: &MachineSpec) -> Diagnostics {
        let (request, mut diagnostics) = Request::read(spec);
        if let Some(entry) = library_entry(spec, &request) {
            diagnostics.extend(library_form::check(spec, &request, &entry));
        }
        diagnostics
    }

    fn outline(&self, spec: &MachineSpec) -> Outline {
        let (request, _) = Request::read(spec);
        let entry = library_entry(spec, &request);
        let channel = entry.as_ref().and_then(|entry| entry.consoles.get("channel")?.1.clone());
        let append = request.append.clone().or_else(|| entry.as_ref().and_then(Entry::append));
        let mut overlays = Vec::new();
        let initramfs = match &entry {
            Some(_) => library_form::initramfs(spec, append.as_deref()),
            None => initramfs_in_words(spec, &request),
        };
        overlays.extend(initramfs.map(|label| OverlayDelivery::Initramfs { label }));
        if entry.as_ref().is_some_and(|entry| !entry.words("overlay_disk").is_empty()) {
            overlays.push(OverlayDelivery::Disk);
        }
        Outline {
            steps: BootSteps {
                block: "boot-fvp",
                group: Some("boot-fvp-main"),
                version: Some("check-fvp-version"),
                start: "run-fvp",
                connect: Some("fvp-serial-connect"),
                beside: Some(BesideSteps { file: "run-fvp-erpc-app", commands: "run-fvp-shell-commands" }),
                install: None,
            },
            overlays,
            // Models keep to the speed of a line.
            channel_devices: channel
                .map(|device| ChannelDevice { path: format!("/dev/{device}"), is_ready: false })
                .into_iter()
                .collect(),
            image_uses: image_uses(spec),
            licence: entry.as_ref().and_then(|entry| entry.licence.clone()),
            host: spec.network.as_ref().and_then(host_on_made_network).unwrap_or_default(),
            time_factor: entry.as_ref().map_or(1, |entry| entry.time_factor),
            boot_time: entry.as_ref().and_then(|entry| entry.timeouts.get("boot").copied()),
        }
    }
}

impl Platform for Fvp {
    fn launch(&self, spec: &MachineSpec, bound: &Bound) -> Result<Launch, Diagnostics> {
        let (request, mut diagnostics) = Request::read(spec);
        let entry = library_entry(spec, &request);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let found = bound.facts.program.as_deref().map(text);
        let first = entry.as_ref().and_then(|entry| entry.binaries.first().cloned());
        let named = request.image.clone().or(first).unwrap_or_default();
        let program = found.unwrap_or_else(|| named.clone());
        let mut launch = Launch::new("fvp", program, &bound.work_dir);
        if let Some(entry) = &entry {
            let filling = library_form::Filling {
                files: bound.images.iter().map(|(label, path)| (label.clone(), text(path))).collect(),
                directory: text(&bound.work_dir.join(ARTIFACTS)),
                known: &bound.facts.parameters,
            };
            launch.args = library_form::arguments(spec, &request, entry, &filling);
            if let Some(disk) = &bound.overlay_disk {
                let words = entry.words("overlay_disk");
                launch.args.extend(words.iter().map(|word| word.replace("{file}", &text(disk))));
            }
            if spec.joins_lan {
                launch.notes.push(network::NO_LAN.to_owned());
            }
            if let Some(network) = &spec.network {
                network::attach(&mut launch, network, entry, bound);
            }
            launch.env.extend(entry.environment());
        }
        let own = request.bound(&values(bound));
        launch.claims = network::claims(&own);
        launch.args.extend(own);
        launch.links = links(bound);
        let model = named.rsplit('/').next().unwrap_or(&named).to_owned();
        diagnostics.extend(application::check(bound, &model));
        diagnostics.extend(parameters::check(&launch.args, &bound.facts.parameters, &model));
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        // Blocks of output would arrive with the end only (fastmodels 4.4, 8: complaint 2).
        launch.stdio = Stdio::Pty;
        consoles::attach(&mut launch, &request, entry.as_ref(), spec.wants_channel);
        launch.notes.extend(consoles::notes(&launch));
        launch.notes.extend(options::debugger_note(&launch.args));
        launch.notes.extend(application::notes(bound));
        launch.env.extend(request.environment.clone());
        let mut inherited = bound.inherited_env.clone();
        inherited.retain(|name, _| !launch.env.contains_key(name));
        inherited.extend(bound.licence_env.clone());
        launch.secret_env = SecretVariables(inherited);
        launch.env_remove = vec!["DISPLAY".to_owned()];
        let grace = entry.as_ref().and_then(|entry| entry.timeouts.get("stop").copied()).unwrap_or(GRACE);
        launch.stop = vec![
            StopRung { how: StopHow::Interrupt, grace },
            StopRung { how: StopHow::Terminate, grace: LAST_GRACE },
        ];
        launch.power_off = Some(output::POWER_OFF.to_owned());
        launch.abilities = Abilities::default();
        launch.rules = output::rules();
        launch.measures = output::measures();
        launch.licence = entry.as_ref().and_then(|entry| entry.licence.clone());
        launch.extra = BTreeMap::from([
            ("fvp-version".to_owned(), bound.facts.version.clone().unwrap_or_default()),
            ("model".to_owned(), model),
        ]);
        let applications = bound.executables.iter();
        launch.extra.extend(applications.map(|(label, one)| (label.clone(), application::shown(one))));
        Ok(launch)
    }

    /// A licensed model is where the operator put it, and a job written elsewhere names a container for it.
    fn prefers_own_program(&self) -> bool {
        true
    }

    fn inherits(&self) -> &'static [&'static str] {
        &probe::INHERITED
    }

    fn executables(&self, spec: &MachineSpec) -> Vec<String> {
        let (request, _) = Request::read(spec);
        let entry = library_entry(spec, &request);
        application::labels(spec, &request, entry.as_ref())
    }

    fn probe<'a>(&'a self, spec: Option<&'a MachineSpec>, host: &'a Host) -> BoxFuture<'a, Availability> {
        Box::pin(async move {
            let Some(spec) = spec else {
                return Availability::Missing {
                    reason: "no model was named".to_owned(),
                    hint: Some("`pumice doctor` looks for every model of the library".to_owned()),
                };
            };
            let (request, _) = Request::read(spec);
            let entry = library_entry(spec, &request);
            probe::probe(&request, entry.as_ref(), host).await
        })
    }
}

/// The entry of the model library that the machine is made from: a job that names its program itself needs none.
fn library_entry(spec: &MachineSpec, request: &Request) -> Option<Entry> {
    if request.image.is_some() && request.model.is_none() { None } else { Entry::read(&spec.model) }
}

/// The values of `{LABEL}` on the host.
fn values(bound: &Bound) -> BTreeMap<String, String> {
    let files = bound.images.iter().map(|(label, path)| (label.to_uppercase(), text(path)));
    files.chain([(ARTIFACT_DIR.to_owned(), text(&bound.work_dir.join(ARTIFACTS)))]).collect()
}

/// Every file under its own name in one directory, as in LAVA's container: UEFI's shell looks for them there.
fn links(bound: &Bound) -> Vec<LaunchLink> {
    let link = |path: &PathBuf| {
        let name = path.file_name()?;
        Some(LaunchLink { path: Path::new(ARTIFACTS).join(name), target: path.clone() })
    };
    bound.images.values().filter_map(link).collect()
}

/// What is loaded once is read; a disk is written in place, and its format stays (fastmodels 3.2).
fn image_uses(spec: &MachineSpec) -> BTreeMap<String, ImageUse> {
    const READ: [&str; 8] = ["axf", "kernel", "dtb", "bl1", "bl2", "fip", "initrd", "ramdisk"];
    let read = spec.images.iter().filter(|image| READ.contains(&image.label.to_lowercase().as_str()));
    read.map(|image| (image.label.clone(), ImageUse::Read)).collect()
}

/// The initramfs among the files that LAVA's form loads: named in the boot-wrapper's `--initrd`, or preloaded
/// under a label that says so.
fn initramfs_in_words(spec: &MachineSpec, request: &Request) -> Option<String> {
    let words: Vec<_> = request.words.iter().map(|(word, _)| word.as_str()).collect();
    if words.iter().flat_map(|word| word.split_whitespace()).any(|word| word.starts_with("root=/dev/")) {
        return None;
    }
    let is_initramfs = |label: &str| {
        let field = format!("{{{}}}", label.to_uppercase());
        let says_so = ["initrd", "ramdisk"].iter().any(|name| label.to_lowercase().contains(name));
        words.iter().any(|word| {
            word.contains(&format!("--initrd {field}")) || says_so && word.contains(&format!("{field}@"))
        })
    };
    spec.images.iter().map(|image| &image.label).find(|label| is_initramfs(label)).cloned()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
