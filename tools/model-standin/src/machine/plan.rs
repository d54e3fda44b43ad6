//! QEMU's command line, for each kind of machine (reference, section 9.2).

use crate::boot::{self, BareMetal, Linux, Program};
use crate::cli::Invocation;
use crate::knobs::Knobs;
use crate::media::{self, Card, FLASH_BYTES, Media};
use crate::model::{MachineKind, Model};
use crate::network::{Backend, Forward, Nic};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to start.
#[derive(Debug)]
pub(super) struct QemuPlan {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Files the child inherits under the same numbers.
    pub(super) inherited: Vec<OwnedFd>,
    /// Where semihosting's relative paths start.
    pub(super) directory: Option<PathBuf>,
    /// Ports to open once QEMU is there, where a refusal can be passed over.
    pub(super) forwards: Vec<Forward>,
}

/// Everything that decides what to start.
pub(super) struct Wanted<'a> {
    pub(super) model: &'a Model,
    pub(super) program: &'a Program,
    pub(super) invocation: &'a Invocation,
    pub(super) knobs: &'a Knobs,
    pub(super) nic: Option<&'a Nic>,
}

impl QemuPlan {
    fn push<T: AsRef<OsStr>>(&mut self, words: impl IntoIterator<Item = T>) {
        self.arguments.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
    }

    /// Lets the child have `file`, and names it.
    fn inherit(&mut self, file: impl Into<OwnedFd>) -> i32 {
        let file = file.into();
        let number = file.as_raw_fd();
        self.inherited.push(file);
        number
    }

    /// A path to a file that may have no name.
    fn path_of(&mut self, file: &File) -> io::Result<String> {
        Ok(format!("/proc/self/fd/{}", self.inherit(file.try_clone()?)))
    }

    /// Ties a chardev to our other end of `stream`.
    pub(super) fn character_device(&mut self, name: &str, stream: impl Into<OwnedFd>) {
        let number = self.inherit(stream);
        self.push(["-chardev".to_owned(), format!("socket,id={name},fd={number}")]);
    }
}

/// The machine without serial lines, which the caller ties up.
pub(super) fn plan(wanted: &Wanted<'_>, media: &mut Media) -> io::Result<QemuPlan> {
    let Wanted { model, knobs, .. } = *wanted;
    let arm64 = model.is_arm64();
    let name = if arm64 { "qemu-system-aarch64" } else { "qemu-system-arm" };
    let program = knobs.qemu_dir.as_ref().map_or_else(|| name.into(), |directory| directory.join(name));
    let mut plan = QemuPlan {
        program,
        arguments: Vec::new(),
        inherited: Vec::new(),
        directory: None,
        forwards: Vec::new(),
    };
    plan.push(["-nodefaults", "-no-user-config", "-display", "none", "-S", "-no-shutdown"]);
    plan.push(["-accel", "tcg,tb-size=256", "-rtc", "base=utc,clock=vm"]);
    let machine = machine_arguments(wanted);
    plan.push(&machine);
    match wanted.program {
        Program::Linux(linux) => linux_arguments(&mut plan, wanted, linux, &machine)?,
        Program::BareMetal(bare) => bare_metal_arguments(&mut plan, wanted, bare)?,
        Program::Nothing | Program::Failed => {}
    }
    media_arguments(&mut plan, model, media)?;
    if matches!(model.machine, MachineKind::Vexpress | MachineKind::Virt) {
        device_arguments(&mut plan, model)?;
    }
    network_arguments(&mut plan, model.machine, wanted.nic);
    plan.push(&knobs.qemu_args);
    Ok(plan)
}

/// How many cores QEMU starts: those the parameters and options ask for, as far as QEMU has them.
pub(crate) fn cores(model: &Model, invocation: &Invocation, knobs: &Knobs) -> usize {
    let mut count = 0;
    for core in &model.cores {
        let (cluster, number) = core.rsplit_once(".cpu").unwrap_or((core, "0"));
        let wanted = model.parameters.int(&format!("{cluster}.NUM_CORES")).unwrap_or(i64::MAX);
        if number.parse::<i64>().is_ok_and(|number| number < wanted) {
            count += 1;
        }
    }
    let most = match model.machine {
        MachineKind::Vexpress => 4,
        MachineKind::Virt => 16,
        MachineKind::Mps2 | MachineKind::Mps3 => 1,
    };
    count.min(invocation.cores.unwrap_or(most)).min(knobs.max_cores.unwrap_or(most)).clamp(1, most)
}

fn machine_arguments(wanted: &Wanted<'_>) -> Vec<String> {
    let Wanted { model, invocation, knobs, .. } = *wanted;
    let bare = matches!(wanted.program, Program::BareMetal(_));
    let cores = if bare { 1 } else { cores(model, invocation, knobs) };
    let first_core = model.name.clusters.first().map_or("", |cluster| cluster.core.as_str());
    let (machine, cpu) = match model.machine {
        MachineKind::Vexpress => ("vexpress-a15", Some("cortex-a15")),
        MachineKind::Virt if bare => {
            ("virt,gic-version=3,secure=on,virtualization=on", Some(arm64_cpu(first_core)))
        }
        MachineKind::Virt => ("virt,gic-version=3", Some(arm64_cpu(first_core))),
        MachineKind::Mps2 => (mps2_image(first_core), None),
        MachineKind::Mps3 => ("mps3-an547", None),
    };
    let mut words = vec!["-M".to_owned(), machine.to_owned()];
    if let Some(cpu) = cpu {
        words.extend(["-cpu".to_owned(), cpu.to_owned(), "-smp".to_owned(), topology(model, cores)]);
        words.extend(["-m".to_owned(), memory_mib(model, knobs).to_string()]);
    }
    words
}

/// QEMU's name for a core; the architecture model's is `max`, with the quick form of pointer authentication.
fn arm64_cpu(core: &str) -> &'static str {
    match core {
        "A35" => "cortex-a35",
        "A53" => "cortex-a53",
        "A57" => "cortex-a57",
        "A72" => "cortex-a72",
        "A76" => "cortex-a76",
        "N1" => "neoverse-n1",
        _ => "max,pauth-impdef=on",
    }
}

fn mps2_image(core: &str) -> &'static str {
    match core {
        "M4" => "mps2-an386",
        "M7" => "mps2-an500",
        "M23" | "M33" | "M35P" => "mps2-an505",
        _ => "mps2-an385",
    }
}

/// Two clusters where the model has two equal ones.
fn topology(model: &Model, cores: usize) -> String {
    let clusters = model.name.clusters.len();
    if model.is_arm64() && clusters > 1 && cores.is_multiple_of(clusters) && cores == model.cores.len() {
        format!("{cores},clusters={clusters},cores={}", cores / clusters)
    } else {
        cores.to_string()
    }
}

fn memory_mib(model: &Model, knobs: &Knobs) -> u64 {
    let parameter = model.roles.dram_gib.as_ref().and_then(|name| model.parameters.int(name));
    let from_parameter = parameter.and_then(|gib| u64::try_from(gib).ok()).map(|gib| gib.clamp(1, 16) * 1024);
    knobs.ram_mib.or(from_parameter).unwrap_or(if model.is_arm64() { 2048 } else { 1024 })
}

fn linux_arguments(
    plan: &mut QemuPlan,
    wanted: &Wanted<'_>,
    linux: &Linux,
    machine: &[String],
) -> io::Result<()> {
    let knobs = wanted.knobs;
    plan.push([OsStr::new("-kernel"), std::path::absolute(&linux.kernel)?.as_os_str()]);
    if let Some(initrd) = &linux.initrd {
        plan.push([OsStr::new("-initrd"), std::path::absolute(initrd)?.as_os_str()]);
    }
    plan.push(["-append", linux.append.as_str()]);
    let given = linux.dtb.as_deref();
    let tree = if wanted.model.machine == MachineKind::Vexpress {
        let cores = cores(wanted.model, wanted.invocation, knobs);
        Some(boot::for_machine(given, cores, knobs))
    } else if given.is_some() || knobs.dt_model.is_some() {
        own_tree(&plan.program, machine).and_then(|own| boot::edited(&own, given, knobs))
    } else {
        None
    };
    if let Some(tree) = tree {
        let file = media::scratch(&tree)?;
        let path = plan.path_of(&file)?;
        plan.push(["-dtb", path.as_str()]);
    }
    Ok(())
}

/// The device tree that QEMU itself makes for a machine.
fn own_tree(program: &Path, machine: &[String]) -> Option<Vec<u8>> {
    let file = tempfile::NamedTempFile::new().ok()?;
    let mut command = Command::new(program);
    command.args(machine).args(["-nodefaults", "-display", "none", "-machine"]);
    command.arg(format!("dumpdtb={}", file.path().display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    crate::process::bind_child(&mut command, &[]);
    command.status().ok()?;
    media::read_back(&mut File::open(file.path()).ok()?)
}

fn bare_metal_arguments(plan: &mut QemuPlan, wanted: &Wanted<'_>, bare: &BareMetal) -> io::Result<()> {
    let boots_from_table = matches!(wanted.model.machine, MachineKind::Mps2 | MachineKind::Mps3);
    for (number, file) in bare.applications.iter().enumerate() {
        let file = std::path::absolute(file)?;
        if boots_from_table && number == 0 {
            plan.push([OsStr::new("-kernel"), file.as_os_str()]);
        } else {
            plan.push(["-device".to_owned(), format!("loader,file={},cpu-num=0", escaped(&file))]);
        }
    }
    for (file, address) in &bare.data {
        let file = escaped(&std::path::absolute(file)?);
        plan.push(["-device".to_owned(), format!("loader,file={file},addr={address:#x},force-raw=on")]);
    }
    if let Some(address) = wanted.invocation.start {
        plan.push(["-device".to_owned(), format!("loader,addr={address:#x},cpu-num=0")]);
    }
    let command_line = bare.command_line.replace(',', ",,");
    let argument = if command_line.is_empty() { String::new() } else { format!(",arg={command_line}") };
    plan.push([
        "-semihosting-config".to_owned(),
        format!("enable=on,target=native,chardev=semihosting{argument}"),
    ]);
    plan.directory.clone_from(&bare.directory);
    Ok(())
}

/// A comma in an option's value is written twice.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn media_arguments(plan: &mut QemuPlan, model: &Model, media: &Media) -> io::Result<()> {
    if let Some(disk) = &media.disk {
        let (path, read_only) = (escaped(&std::path::absolute(disk)?), on_off(media.disk_read_only));
        plan.push([
            "-drive".to_owned(),
            format!("if=none,id=disk,format=raw,read-only={read_only},file={path}"),
        ]);
        plan.push(["-device", "virtio-blk-device,drive=disk"]);
    }
    if let Some(card) = &media.card {
        let path = match card {
            Card::InPlace(path) => escaped(&std::path::absolute(path)?),
            Card::Copied { copy, .. } => plan.path_of(copy)?,
        };
        if model.machine == MachineKind::Vexpress {
            plan.push(["-drive".to_owned(), format!("if=sd,format=raw,file={path}")]);
        } else {
            plan.push(["-drive".to_owned(), format!("if=none,id=card,format=raw,file={path}")]);
            plan.push(["-device", "sdhci-pci", "-device", "sd-card,drive=card"]);
        }
    }
    // On `virt` the first device is where firmware would start, in the way of a kernel that is started directly.
    let first = (model.machine == MachineKind::Vexpress).then_some(media.flash0.as_ref()).flatten();
    for (unit, flash) in [(0, first), (1, media.flash1.as_ref())] {
        if let Some(flash) = flash {
            let path = plan.path_of(&flash.contents)?;
            debug_assert!(
                flash.contents.metadata()?.len() == FLASH_BYTES,
                "QEMU wants the device's whole size"
            );
            plan.push(["-drive".to_owned(), format!("if=pflash,unit={unit},format=raw,file={path}")]);
        }
    }
    Ok(())
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

fn device_arguments(plan: &mut QemuPlan, model: &Model) -> io::Result<()> {
    let share = model.role_text(model.roles.p9.as_ref(), "root_path");
    if !share.is_empty() {
        let tag = model.role_text(model.roles.p9.as_ref(), "mount_tag");
        let path = escaped(&std::path::absolute(share)?);
        plan.push(["-fsdev".to_owned(), format!("local,id=share,security_model=none,path={path}")]);
        plan.push(["-device".to_owned(), format!("virtio-9p-device,fsdev=share,mount_tag={tag}")]);
    }
    if model.role_flag(model.roles.rng.as_ref(), "enabled") {
        plan.push(["-device", "virtio-rng-device"]);
    }
    Ok(())
}

fn network_arguments(plan: &mut QemuPlan, machine: MachineKind, nic: Option<&Nic>) {
    let Some(nic) = nic else {
        plan.push(["-nic", "none"]);
        return;
    };
    let backend = match &nic.backend {
        Backend::None => None,
        Backend::User { subnet, forwards } => {
            plan.forwards.clone_from(forwards);
            Some(format!("user,id=net,net={subnet}"))
        }
        Backend::Tap(name) => Some(format!("tap,id=net,ifname={name},script=no,downscript=no")),
    };
    if let Some(backend) = &backend {
        plan.push(["-netdev", backend.as_str()]);
    }
    let (behind, mac) = (if backend.is_some() { ",netdev=net" } else { "" }, &nic.mac);
    if machine == MachineKind::Virt {
        plan.push(["-device".to_owned(), format!("virtio-net-device,mac={mac}{behind}")]);
    } else {
        plan.push(["-net".to_owned(), format!("nic,model=lan9118,macaddr={mac}{behind}")]);
    }
}
