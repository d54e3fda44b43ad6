//! The platform: from a machine's specification to a launch.

use std::{collections::BTreeMap, path::Path, time::Duration};

use pumice_plan::{
    BootSteps, ChannelDevice, DeployWay, ImageUse, MachinePlanner, MachineSpec, Outline, OverlayDelivery,
};
use pumice_platform::{
    Abilities, Availability, Bound, BoxFuture, ConsoleRole, ConsoleSource, Find, Host, Launch, Monitor,
    MonitorSource, OutputRule, Platform, StopHow, StopRung, UsualProgram,
};
use pumice_types::{Cause, Diagnostics};

use crate::{
    arguments::{Words, is_option, option},
    board::{Board, SpareUart},
    disk::disk_words,
    installer,
    monitor::Qmp,
    network::{self, host_seen},
    nfs_root::{self, NFS},
    probe,
};

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Qemu;

/// The name of the feature a probe reports when KVM was seen to work.
pub(crate) const KVM: &str = "kvm";

/// The boot method that runs an installer first.
pub(crate) const ISO: &str = "qemu-iso";

/// The main console's name in logs.
const MAIN: &str = "serial0";
/// The channel's name in logs.
const CHANNEL: &str = "channel";

impl MachinePlanner for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["qemu", NFS, ISO, "monitor"]
    }

    fn deploys(&self) -> &'static [DeployWay] {
        &[
            DeployWay { to: "tmpfs", device_method: "image", step: "deployimages" },
            DeployWay { to: "nfs", device_method: "nfs", step: "deploy-qemu-nfs" },
            DeployWay { to: "iso-installer", device_method: "image", step: "deploy-iso-installer" },
        ]
    }

    fn device_method<'a>(&self, method: &'a str) -> &'a str {
        match method {
            ISO | "monitor" => "qemu",
            other => other,
        }
    }

    fn check(&self, spec: &MachineSpec) -> Diagnostics {
        Words::read(spec).1
    }

    fn outline(&self, spec: &MachineSpec) -> Outline {
        let (words, _) = Words::read(spec);
        let board = Board::read(&words.program, words.all());
        let channel_devices = match board.spare_uart() {
            Some(SpareUart::Second { device } | SpareUart::Pci { device }) if !own_serial(&words) => {
                // Emulated lines know no speed and no carrier, and Linux opens a UART without one (`CLOCAL` is set in
                // drivers/tty/serial/serial_core.c, uart_register_driver).
                vec![ChannelDevice { path: device.to_owned(), is_ready: true }]
            }
            _ => Vec::new(),
        };
        let initramfs = initramfs(spec, &words).map(|label| OverlayDelivery::Initramfs { label });
        Outline {
            steps: steps(&spec.method.value),
            overlays: initramfs.into_iter().chain([OverlayDelivery::Disk]).collect(),
            channel_devices,
            image_uses: image_uses(spec, &words),
            licence: None,
            host: host_seen(spec.network.as_ref(), &words),
            time_factor: 1,
            boot_time: None,
        }
    }
}

impl Platform for Qemu {
    fn launch(&self, spec: &MachineSpec, bound: &Bound) -> Result<Launch, Diagnostics> {
        let (mut words, mut diagnostics) = Words::read(spec);
        let board = Board::read(&words.program, words.all());
        let mut paths: BTreeMap<_, _> =
            bound.images.iter().map(|(label, path)| (label.clone(), text(path))).collect();
        if let Some(nfs) = &bound.nfs {
            let seen = host_seen(spec.network.as_ref(), &words);
            nfs_root::bind(nfs, &seen, &mut words, &mut paths, spec.method.span, &mut diagnostics);
        }
        if spec.method.value == ISO {
            installer::bind(spec, bound, &board, &mut words, &mut diagnostics);
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let program = bound.facts.program.as_deref().map_or_else(|| words.program.clone(), text);
        let mut launch = Launch::new("qemu", program, &bound.work_dir);
        launch.offers.extend(bound.nfs.as_ref().map(|nfs| nfs.port));
        launch.args = words.bound(&paths);
        rename_formats(&mut launch, bound);
        accelerate(&mut launch, bound);
        if bound.facts.features.iter().any(|feature| feature == KVM) {
            launch.devices.push("/dev/kvm".into());
        }
        attach_consoles(&mut launch, spec, &words, &board);
        attach_monitor(&mut launch);
        if let Some(disk) = &bound.overlay_disk {
            launch.args.extend(disk_words(&spec.guest_disk, &board, disk));
        }
        if let Some(described) = &spec.network {
            network::attach(&mut launch, described, &board, bound)?;
        }
        if let (true, Some(lan)) = (spec.joins_lan, &bound.lan) {
            network::join_lan(&mut launch, lan, &board, bound.station());
        }
        launch.stop = vec![
            StopRung { how: StopHow::Monitor, grace: Duration::from_secs(2) },
            StopRung { how: StopHow::Terminate, grace: Duration::from_secs(2) },
        ];
        launch.abilities = Abilities { reset: true, pause: true, snapshot: true, debug: true };
        launch.rules = output_rules();
        let version = bound.facts.version.clone().unwrap_or_default();
        launch.extra = BTreeMap::from([
            ("qemu_version".to_owned(), version),
            ("host_arch".to_owned(), host_architecture().to_owned()),
            ("job_arch".to_owned(), board.architecture().to_owned()),
        ]);
        Ok(launch)
    }

    fn probe<'a>(&'a self, spec: Option<&'a MachineSpec>, host: &'a Host) -> BoxFuture<'a, Availability> {
        Box::pin(async move {
            let words = spec.map(|spec| Words::read(spec).0);
            let program = words.as_ref().map_or("qemu-system-aarch64", |words| words.program.as_str());
            let wants_kvm = words.as_ref().is_some_and(|words| words.all().any(asks_for_kvm));
            probe::probe(program, wants_kvm, host).await
        })
    }

    fn programs(&self) -> Vec<UsualProgram> {
        probe::usual_programs()
    }

    fn monitor(&self, _launch: &Launch) -> Option<Box<dyn Monitor>> {
        Some(Box::new(Qmp::default()))
    }
}

/// LAVA's names: an installation has others than a boot.
fn steps(method: &str) -> BootSteps {
    let (block, group, start) = match method {
        ISO => ("boot-installer-iso", None, "reboot-into-installed"),
        _ => ("boot-image-retry", Some("boot-qemu-image"), "execute-qemu"),
    };
    let install = (method == ISO).then_some(["execute-installer-command", "monitor-installer-connection"]);
    BootSteps { block, group, version: None, start, connect: None, beside: None, install }
}

/// Whether device or job give the serial ports themselves: then nothing is added to them.
fn own_serial(words: &Words) -> bool {
    words.all().any(|word| is_option(word, &["serial"]))
}

/// The image that is the initramfs and stays the root file system: appended archives are found only there.
fn initramfs(spec: &MachineSpec, words: &Words) -> Option<String> {
    let value = option(words.all(), &["initrd"])?;
    let kernel_line = option(words.all(), &["append"]).unwrap_or_default();
    let leaves = kernel_line.split_whitespace().filter_map(|word| word.strip_prefix("root="));
    if leaves.into_iter().any(|root| !root.starts_with("/dev/ram") && root != "tmpfs") {
        return None;
    }
    spec.images.iter().find(|image| value == format!("{{{}}}", image.label)).map(|image| image.label.clone())
}

/// How each image is used, from the words that name it: a drive is written and may be qcow2, what is loaded
/// once is read. An image that is named twice is written in place.
fn image_uses(spec: &MachineSpec, words: &Words) -> BTreeMap<String, ImageUse> {
    let loads = ["kernel", "initrd", "dtb", "bios", "append", "device", "fw_cfg", "cdrom"];
    let all: Vec<_> = words.all().collect();
    // Served, and never written: what the guest writes lies elsewhere.
    let served = (spec.method.value == NFS).then(|| (nfs_root::LABEL.to_owned(), ImageUse::Read));
    let mut uses: BTreeMap<_, _> = served.into_iter().collect();
    for image in &spec.images {
        let placeholder = format!("{{{}}}", image.label);
        let mut named = (0..all.len()).filter(|index| all[*index].contains(&placeholder));
        let (Some(index), None) = (named.next(), named.next()) else { continue };
        let option = if index > 0 { all[index - 1] } else { "" };
        let word = all[index];
        let read_only = ["readonly=on", "read-only=on", "media=cdrom"].iter().any(|key| word.contains(key));
        let is_raw_disk = !word.contains("if=pflash") && !word.contains("format=vmdk");
        if is_option(option, &loads) || read_only {
            uses.insert(image.label.clone(), ImageUse::Read);
        } else if is_option(option, &["drive"]) && is_raw_disk {
            uses.insert(image.label.clone(), ImageUse::Disk);
        }
    }
    uses
}

/// A drive whose image became qcow2 says so.
fn rename_formats(launch: &mut Launch, bound: &Bound) {
    for path in bound.qcow2.iter().filter_map(|label| bound.images.get(label)) {
        let path = text(path);
        for word in launch.args.iter_mut().filter(|word| word.contains(&path)) {
            *word = word.replace("format=raw", "format=qcow2");
        }
    }
}

/// Whether a word asks for KVM.
fn asks_for_kvm(word: &str) -> bool {
    is_option(word, &["enable-kvm"]) || word == "kvm" || word.contains("accel=kvm")
}

/// Replaces KVM where it was not seen to work. LAVA's device type asks for it by default on x86
/// (lava-compat 2.5), and a host where it is broken aborts.
fn accelerate(launch: &mut Launch, bound: &Bound) {
    if bound.facts.features.iter().any(|feature| feature == KVM)
        || !launch.args.iter().any(|word| asks_for_kvm(word))
    {
        return;
    }
    launch.args.retain(|word| !is_option(word, &["enable-kvm"]));
    for index in 0..launch.args.len() {
        let follows = |names: &[&str]| index > 0 && is_option(&launch.args[index - 1], names);
        let replacement = match launch.args[index].as_str() {
            "kvm" if follows(&["accel"]) => Some("tcg".to_owned()),
            "host" if follows(&["cpu"]) => Some("max".to_owned()),
            word if word.contains("accel=kvm") => Some(word.replace("accel=kvm", "accel=tcg")),
            _ => None,
        };
        if let Some(replacement) = replacement {
            launch.args[index] = replacement;
        }
    }
    launch.notes.push("KVM was asked for and does not work on this host: running under TCG".to_owned());
}

fn attach_consoles(launch: &mut Launch, spec: &MachineSpec, words: &Words, board: &Board) {
    let console =
        |name: &str, role, find| ConsoleSource { name: name.to_owned(), role, find, pacing: Duration::ZERO };
    if own_serial(words) {
        // The device wires its own ports; LAVA's convention is that the console is on the standard streams.
        launch.consoles.push(console(MAIN, ConsoleRole::Main, Find::Stdio));
        return;
    }
    let socket = |launch: &mut Launch, name: &str| {
        let path = launch.work_dir.join(format!("{name}.sock"));
        launch.args.extend(["-chardev".to_owned(), format!("socket,id={name},path={}", escaped(&path))]);
        Find::Listen { path }
    };
    let path = launch.work_dir.join(MAIN);
    launch.args.extend(["-chardev".to_owned(), format!("pipe,id={MAIN},path={}", escaped(&path))]);
    launch.consoles.push(console(MAIN, ConsoleRole::Main, Find::Pipes { path }));
    launch.args.extend(["-serial".to_owned(), format!("chardev:{MAIN}")]);
    if !spec.wants_channel {
        return;
    }
    let Some(uart) = board.spare_uart() else { return };
    let find = socket(launch, CHANNEL);
    launch.consoles.push(console(CHANNEL, ConsoleRole::Channel, find));
    launch.args.extend(match uart {
        SpareUart::Second { .. } => ["-serial".to_owned(), format!("chardev:{CHANNEL}")],
        SpareUart::Pci { .. } => ["-device".to_owned(), format!("pci-serial,chardev={CHANNEL}")],
    });
}

fn attach_monitor(launch: &mut Launch) {
    let path = launch.work_dir.join("monitor.sock");
    launch.args.extend([
        "-chardev".to_owned(),
        format!("socket,id=monitor,path={}", escaped(&path)),
        "-mon".to_owned(),
        "chardev=monitor,mode=control".to_owned(),
    ]);
    launch.monitor = Some(MonitorSource { protocol: "qmp", path });
}

fn output_rules() -> Vec<OutputRule> {
    vec![
        OutputRule::explains(
            r"Could not access KVM|failed to initialize kvm|KVM not supported",
            Cause::HostRefused,
            "set `no_kvm: true` in the job's context, or give the user access to /dev/kvm",
        ),
        OutputRule::explains(
            r"could not configure /dev/net/tun|network script .* failed",
            Cause::NetworkSetup,
            "tap networking needs privileges; `pumice doctor` says which",
        ),
        OutputRule::explains(
            r"Could not set up host forwarding rule",
            Cause::NetworkSetup,
            "another program uses that port; choose another, or 0 for a free one",
        ),
        OutputRule::explains(
            r"No space left on device",
            Cause::DiskFull,
            "free some room on the host, or let the store prune more",
        ),
        OutputRule::explains(
            r"Cannot allocate memory|cannot set up guest memory",
            Cause::HostRefused,
            "give the guest less memory, or run fewer machines on this host",
        ),
        OutputRule::explains(
            r"unsupported machine type|unable to find CPU model|Invalid SMP CPUs|invalid option|Device .* not found|is not a valid device model name|Unsupported NIC model",
            Cause::SimulatorRefused,
            "correct the option in the device or in the job's context",
        ),
        OutputRule::explains(
            r"could not load kernel|Could not open|could not load initrd|Image is not in .* format",
            Cause::ImageUnusable,
            "check that the file is what its argument says",
        ),
    ]
}

fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A path inside an option of QEMU's, where a comma is written twice.
pub(crate) fn escaped(path: &Path) -> String {
    text(path).replace(',', ",,")
}
