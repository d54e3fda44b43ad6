//! The platform: from a declaration to a launch.

use std::{collections::BTreeMap, time::Duration};

use pumice_plan::{
    BootSteps, ChannelDevice, DeployWay, HostSeen, MachinePlanner, MachineSpec, Outline, OverlayDelivery,
};
use pumice_platform::{
    Announcement, Availability, Bound, BoxFuture, ConsoleRole, ConsoleSource, Facts, Find, Host, Launch,
    Platform, StopHow, StopRung, probe_output, substitute,
};
use pumice_types::{Code, Diagnostic, Diagnostics};

use crate::declaration::{ConsoleBy, Declaration};

/// The text cannot be split into words.
const QUOTING: Code = Code("unbalanced-quotes");

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandPlatform;

impl MachinePlanner for CommandPlatform {
    fn name(&self) -> &'static str {
        "command"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["command"]
    }

    fn deploys(&self) -> &'static [DeployWay] {
        &[DeployWay { to: "tmpfs", device_method: "image", step: "deployimages" }]
    }

    fn check(&self, spec: &MachineSpec) -> Diagnostics {
        let (_, mut diagnostics) = Declaration::read(spec);
        for image in &spec.images {
            if let Some(argument) = &image.image_arg
                && shell_words::split(&argument.value).is_err()
            {
                let message = "a quote is opened and never closed";
                diagnostics.push(Diagnostic::error(QUOTING, argument.span, message));
            }
        }
        diagnostics
    }

    fn outline(&self, spec: &MachineSpec) -> Outline {
        let (declaration, _) = Declaration::read(spec);
        let initramfs = declaration
            .overlay_initramfs
            .clone()
            .filter(|label| spec.image(label).is_some())
            .map(|label| OverlayDelivery::Initramfs { label });
        let disk = (!declaration.overlay_disk.is_empty()).then_some(OverlayDelivery::Disk);
        let channels = declaration.consoles.iter().filter(|console| console.role == ConsoleRole::Channel);
        Outline {
            steps: BootSteps {
                block: "boot-command",
                group: None,
                version: None,
                start: "run-command",
                connect: None,
                beside: None,
                install: None,
            },
            overlays: initramfs.into_iter().chain(disk).collect(),
            channel_devices: channels
                .filter_map(|console| console.device.clone())
                .map(|path| ChannelDevice { path, is_ready: false })
                .collect(),
            image_uses: BTreeMap::new(),
            licence: None,
            host: HostSeen::default(),
            time_factor: declaration.time_factor,
            boot_time: None,
        }
    }
}

impl Platform for CommandPlatform {
    fn launch(&self, spec: &MachineSpec, bound: &Bound) -> Result<Launch, Diagnostics> {
        let (declaration, diagnostics) = Declaration::read(spec);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let found = bound.facts.program.as_ref().map(|path| path.to_string_lossy().into_owned());
        let program = found.unwrap_or_else(|| declaration.program.clone());
        let mut launch = Launch::new("command", program, &bound.work_dir);
        let files = bound.images.iter();
        let mut known: BTreeMap<String, String> =
            files.map(|(label, path)| (label.clone(), path.to_string_lossy().into_owned())).collect();
        known.insert("WORK_DIR".to_owned(), bound.work_dir.to_string_lossy().into_owned());
        let mut words = declaration.arguments.clone();
        for argument in spec.images.iter().filter_map(|image| image.image_arg.as_ref()) {
            words.extend(shell_words::split(&argument.value).unwrap_or_default());
        }
        if let Some(disk) = &bound.overlay_disk {
            known.insert("OVERLAY".to_owned(), disk.to_string_lossy().into_owned());
            words.extend(declaration.overlay_disk.iter().cloned());
        }
        launch.args = words.iter().map(|word| substitute(word, &known)).collect();
        launch.env.clone_from(&declaration.environment);
        launch.stdio = declaration.stdio();
        launch.consoles = consoles(&declaration, bound);
        launch.announcement = declaration.announcement.as_ref().map(|announcement| Announcement {
            pattern: announcement.pattern.clone(),
            telnet: announcement.telnet,
            raw: Vec::new(),
            within: announcement.within,
        });
        launch.stop.clone_from(&declaration.stop);
        if launch.stop.is_empty() {
            launch.stop = vec![StopRung { how: StopHow::Terminate, grace: Duration::from_secs(5) }];
        }
        launch.rules.clone_from(&declaration.rules);
        if let Some(version) = &bound.facts.version {
            launch.extra.insert("version".to_owned(), version.clone());
        }
        Ok(launch)
    }

    fn probe<'a>(&'a self, spec: Option<&'a MachineSpec>, host: &'a Host) -> BoxFuture<'a, Availability> {
        Box::pin(async move {
            let Some(spec) = spec else { return Availability::Ready(Facts::default()) };
            let (declaration, _) = Declaration::read(spec);
            let Some(program) = host.find(&declaration.program) else {
                return Availability::Missing {
                    reason: format!("`{}` is not on this host", declaration.program),
                    hint: declaration.install_hint,
                };
            };
            let mut version = None;
            if let Some((arguments, pattern)) = &declaration.version {
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                let output = probe_output(host, &program, &arguments, Duration::from_secs(10)).await;
                version = output.ok().and_then(|output| first_group(pattern, &output));
            }
            Availability::Ready(Facts { program: Some(program), version, ..Facts::default() })
        })
    }
}

/// Without a declared console the standard streams are the console.
fn consoles(declaration: &Declaration, bound: &Bound) -> Vec<ConsoleSource> {
    let pacing = Duration::from_millis(declaration.pacing_ms);
    let source = |name: &str, role, find| ConsoleSource { name: name.to_owned(), role, find, pacing };
    if declaration.consoles.is_empty() {
        return vec![source("main", ConsoleRole::Main, Find::Stdio)];
    }
    let find = |by: &ConsoleBy, role| match by {
        ConsoleBy::Stdio => Find::Stdio,
        ConsoleBy::Listen(path) => Find::Listen { path: bound.work_dir.join(path) },
        ConsoleBy::Connect(path) => Find::Connect { path: bound.work_dir.join(path) },
        ConsoleBy::Announced(pattern) => {
            Find::Announced { pattern: pattern.clone(), required: role != ConsoleRole::Feedback }
        }
        ConsoleBy::AnnouncedPath(pattern) => Find::AnnouncedPath { pattern: pattern.clone() },
    };
    let declared = declaration.consoles.iter();
    declared.map(|console| source(&console.name, console.role, find(&console.by, console.role))).collect()
}

fn first_group(pattern: &str, text: &str) -> Option<String> {
    let regex = regex_automata::meta::Regex::new(pattern).ok()?;
    let mut captures = regex.create_captures();
    regex.captures(text, &mut captures);
    let span = captures.get_group(1).or_else(|| captures.get_group(0))?;
    Some(text[span.start..span.end].to_owned())
}
