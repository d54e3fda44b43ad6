//! What the guest is to run, worked out from the command line: which files are kernel, device tree and initramfs,
//! and what firmware on the way would have printed.

mod devicetree;
mod fdt;
mod firmware;
mod vexpress;
mod wrapper;

pub(crate) use devicetree::{edited, for_machine};
pub(crate) use fdt::Node;

use crate::cli::{DataLoad, Invocation};
use crate::journal;
use crate::knobs::Knobs;
use crate::model::{MachineKind, Model};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A kernel and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linux {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: Option<PathBuf>,
    /// The device tree as given; QEMU may need another.
    pub(crate) dtb: Option<PathBuf>,
    pub(crate) append: String,
}

/// A program that runs on the bare machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BareMetal {
    pub(crate) applications: Vec<PathBuf>,
    pub(crate) data: Vec<(PathBuf, u64)>,
    /// The semihosting command line.
    pub(crate) command_line: String,
    /// The directory of semihosting's relative paths.
    pub(crate) directory: Option<PathBuf>,
}

/// What the guest runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Linux(Linux),
    BareMetal(BareMetal),
    /// Firmware that found nothing to start, or no program at all: the guest is silent.
    Nothing,
    /// The boot-wrapper gave up; semihosting ends the simulation.
    Failed,
}

/// The program, with what is seen before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootPlan {
    pub(crate) program: Program,
    /// Semihosting output on the model's standard output.
    pub(crate) stdout: String,
    /// Output of firmware on the first UART.
    pub(crate) console: String,
}

impl BootPlan {
    fn quiet(program: Program) -> Self {
        Self { program, stdout: String::new(), console: String::new() }
    }
}

/// Works out what to run. The files of `-a` and `--data` are known to be there.
pub(crate) fn plan(model: &Model, invocation: &Invocation, knobs: &Knobs) -> BootPlan {
    let directory = semihosting_directory(model);
    let command = semihosting_text(model, "cmd_line");
    if !invocation.applications.is_empty() && wrapper::is_command(&command) {
        return boot_wrapper(model, &command, directory.as_deref().unwrap_or(Path::new("")));
    }
    if let Some(linux) = preloaded(model, &invocation.data) {
        let console =
            if has_firmware(model, &invocation.data) { firmware::trusted_firmware() } else { String::new() };
        return BootPlan { program: Program::Linux(linux), stdout: String::new(), console };
    }
    if has_firmware(model, &invocation.data) && model.is_arm64() {
        return through_firmware(model, knobs, directory.as_deref());
    }
    if let Some(linux) = invocation.applications.iter().find_map(|application| beside(&application.file)) {
        return BootPlan::quiet(Program::Linux(for_kernel(model, linux)));
    }
    if let Some(linux) = from_knobs(model, knobs) {
        return BootPlan::quiet(Program::Linux(linux));
    }
    if invocation.applications.is_empty() && invocation.data.is_empty() {
        return BootPlan::quiet(Program::Nothing);
    }
    BootPlan::quiet(Program::BareMetal(BareMetal {
        applications: invocation.applications.iter().map(|application| application.file.clone()).collect(),
        data: invocation.data.iter().map(|load| (load.file.clone(), load.address)).collect(),
        command_line: command,
        directory,
    }))
}

/// The first core's semihosting parameter that is set.
fn semihosting_text(model: &Model, parameter: &str) -> String {
    let texts =
        model.cores.iter().map(|core| model.parameters.text(&format!("{core}.semihosting-{parameter}")));
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

fn semihosting_directory(model: &Model) -> Option<PathBuf> {
    let directory = semihosting_text(model, "cwd");
    (!directory.is_empty()).then(|| directory.into())
}

fn boot_wrapper(model: &Model, command: &str, directory: &Path) -> BootPlan {
    let mut stdout = "[bootwrapper] Starting...\n".to_owned();
    match wrapper::read(command, directory) {
        Ok(found) => {
            let linux = Linux {
                kernel: found.kernel,
                initrd: found.initrd,
                dtb: found.dtb,
                append: kernel_arguments(model, &found.append),
            };
            BootPlan { program: Program::Linux(linux), stdout, console: String::new() }
        }
        Err(error) => {
            stdout.push_str(&error.to_string());
            stdout.push_str("\n[bootwrapper] BOOT FAILED\n");
            BootPlan { program: Program::Failed, stdout, console: String::new() }
        }
    }
}

/// Whether Trusted Firmware is loaded: its first stage and its package, as parameters or as data.
fn has_firmware(model: &Model, data: &[DataLoad]) -> bool {
    let roles = &model.roles;
    let by_parameter = !model.role_text(roles.secure_flash.as_ref(), "fname").is_empty()
        || !model.role_text(roles.flash0.as_ref(), "fname").is_empty();
    by_parameter || data.iter().any(|load| load.address == 0)
}

fn through_firmware(model: &Model, knobs: &Knobs, directory: Option<&Path>) -> BootPlan {
    let share = model.role_text(model.roles.p9.as_ref(), "root_path");
    let places = [directory, (!share.is_empty()).then(|| Path::new(share))];
    let script = places.into_iter().flatten().find_map(firmware::startup_script);
    let console = firmware::trusted_firmware() + &firmware::efi(script.as_ref());
    let linux = match script {
        Some(script) => Some(Linux {
            append: kernel_arguments(model, &script.append),
            kernel: script.kernel,
            initrd: script.initrd,
            dtb: script.dtb,
        }),
        None => from_knobs(model, knobs),
    };
    BootPlan { program: linux.map_or(Program::Nothing, Program::Linux), stdout: String::new(), console }
}

/// Kernel, device tree and initramfs among the data that are put at addresses, told by what they are.
fn preloaded(model: &Model, data: &[DataLoad]) -> Option<Linux> {
    if !model.is_arm64() {
        return None;
    }
    let mut linux = Linux::default();
    for load in data {
        match kind_of(&load.file) {
            Kind::Kernel => linux.kernel.clone_from(&load.file),
            Kind::DeviceTree => linux.dtb = Some(load.file.clone()),
            // Reference 3.2: the initramfs goes above the device tree.
            Kind::Archive if load.address >= 0x8400_0000 => linux.initrd = Some(load.file.clone()),
            Kind::Archive | Kind::Other => {}
        }
    }
    if linux.kernel.as_os_str().is_empty() {
        return None;
    }
    Some(for_kernel(model, linux))
}

/// Fills in the arguments from the device tree's `/chosen`, which is where they are when no boot loader runs.
fn for_kernel(model: &Model, mut linux: Linux) -> Linux {
    if linux.append.is_empty() {
        let tree =
            linux.dtb.as_ref().and_then(|dtb| std::fs::read(dtb).ok()).and_then(|blob| Node::parse(&blob));
        let chosen =
            tree.and_then(|tree| tree.find("chosen").map(|chosen| chosen.strings("bootargs").join(" ")));
        linux.append = chosen.filter(|text| !text.is_empty()).unwrap_or_else(|| "console=ttyAMA0".to_owned());
    }
    linux.append = kernel_arguments(model, &linux.append);
    linux
}

/// A kernel in files beside an AXF that has all baked in: `X.axf.kernel`, `.dtb`, `.initrd`, `.cmdline`.
fn beside(application: &Path) -> Option<Linux> {
    let sidecar = |extension: &str| {
        let mut name = application.as_os_str().to_owned();
        name.push(extension);
        Some(PathBuf::from(name)).filter(|path| path.is_file())
    };
    let append = sidecar(".cmdline").and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    Some(Linux {
        kernel: sidecar(".kernel")?,
        dtb: sidecar(".dtb"),
        initrd: sidecar(".initrd"),
        append: append.trim().to_owned(),
    })
}

fn from_knobs(model: &Model, knobs: &Knobs) -> Option<Linux> {
    let kernel = knobs.kernel.clone()?;
    let append = knobs.append.clone().unwrap_or_default();
    Some(for_kernel(model, Linux { kernel, initrd: knobs.initrd.clone(), dtb: None, append }))
}

/// Arguments for the machine that is really there: the UART of an FVP is elsewhere on QEMU's `virt` (reference 9.2).
fn kernel_arguments(model: &Model, text: &str) -> String {
    if model.machine != MachineKind::Virt {
        return text.to_owned();
    }
    let rewritten: Vec<String> = text
        .split_whitespace()
        .map(|word| match word.strip_prefix("earlycon=pl011,") {
            Some(rest) => {
                let access = if rest.starts_with("mmio32,") { "mmio32," } else { "" };
                format!("earlycon=pl011,{access}{VIRT_UART:#x}")
            }
            None => word.to_owned(),
        })
        .collect();
    let rewritten = rewritten.join(" ");
    if rewritten != text {
        journal::note(&format!("kernel arguments: {text} -> {rewritten}"));
    }
    rewritten
}

/// QEMU `hw/arm/virt.c`, `VIRT_UART`.
const VIRT_UART: u64 = 0x0900_0000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kernel,
    DeviceTree,
    Archive,
    Other,
}

/// What a file is, by its first bytes: arm64 `Image` (Linux `Documentation/arch/arm64/booting.rst`), device tree
/// blob, cpio archive or something compressed.
fn kind_of(path: &Path) -> Kind {
    let mut head = [0; 64];
    let count = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let head = head.get(..count).unwrap_or_default();
    if head.get(56..60) == Some(b"ARM\x64") {
        Kind::Kernel
    } else if head.starts_with(&[0xd0, 0x0d, 0xfe, 0xed]) {
        Kind::DeviceTree
    } else if [&b"\x1f\x8b"[..], b"070701", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18"]
        .iter()
        .any(|magic| head.starts_with(magic))
    {
        Kind::Archive
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Grammar;
    use crate::model::ModelName;

    struct Case {
        directory: tempfile::TempDir,
    }

    impl Case {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let mut image = vec![0; 64];
            image[56..60].copy_from_slice(b"ARM\x64");
            let tree = Node::new("").child(Node::new("chosen").with(
                "bootargs",
                &fdt::Cell::Strings(&["console=ttyAMA0 earlycon=pl011,0x1c090000 root=/dev/vda"]),
            ));
            for (name, bytes) in [
                ("Image", image.as_slice()),
                ("fdt.dtb", &tree.to_blob()),
                ("initrd", b"\x1f\x8b"),
                ("bl1.bin", b"x"),
                ("zImage", b"z"),
                ("x.axf", b"\x7fELF"),
            ] {
                std::fs::write(directory.path().join(name), bytes).unwrap();
            }
            Self { directory }
        }

        fn plan(&self, name: &str, line: &str) -> BootPlan {
            let here = self.directory.path().display().to_string();
            let words =
                shell_words::split(&line.replace('@', "\u{1}").replace('%', &here).replace('\u{1}', "@"));
            let mut model = Model::new(ModelName::parse(name).unwrap()).unwrap();
            let invocation = Grammar::Standard { vintage: false }.parse(&words.unwrap()).unwrap();
            for (name, value) in &invocation.parameters {
                model.parameters.set(name, value).unwrap();
            }
            plan(&model, &invocation, &Knobs::default())
        }
    }

    #[test]
    fn preloaded_files_are_told_by_what_they_are() {
        let case = Case::new();
        let plan = case.plan(
            "FVP_Base_RevC-2xAEMvA",
            "--data cluster0.cpu0=%/Image@0x80080000 --data cluster0.cpu0=%/fdt.dtb@0x82000000 \
             --data cluster0.cpu0=%/initrd@0x84000000",
        );
        let Program::Linux(linux) = plan.program else { panic!("{plan:?}") };
        assert_eq!(linux.initrd, Some(case.directory.path().join("initrd")));
        assert_eq!(linux.append, "console=ttyAMA0 earlycon=pl011,0x9000000 root=/dev/vda");
        assert_eq!(plan.console, "");
    }

    #[test]
    fn the_boot_wrapper_is_read_from_whichever_core_has_the_command() {
        let case = Case::new();
        let plan = case.plan(
            "RTSM_VE_Cortex-A15x4-A7x4",
            "-a coretile.cluster0.*=%/x.axf -C coretile.cluster0.cpu0.semihosting-cwd=% \
             -C 'coretile.cluster0.cpu0.semihosting-cmd_line=--kernel zImage -- console=ttyAMA0 earlycon=pl011,0x1c090000'",
        );
        let Program::Linux(linux) = plan.program else { panic!("{plan:?}") };
        assert_eq!(linux.append, "console=ttyAMA0 earlycon=pl011,0x1c090000");
        assert!(plan.stdout.starts_with("[bootwrapper]"));
    }

    #[test]
    fn a_boot_wrapper_that_gives_up_says_so() {
        let case = Case::new();
        let plan = case.plan(
            "FVP_VE_Cortex-A15x1",
            "-a %/x.axf -C cluster.cpu0.semihosting-cmd_line='--kernel nothing -- x'",
        );
        assert_eq!(plan.program, Program::Failed);
        assert!(plan.stdout.ends_with("[bootwrapper] BOOT FAILED\n"), "{}", plan.stdout);
    }

    #[test]
    fn firmware_with_nothing_to_start_ends_at_the_shell() {
        let case = Case::new();
        let plan = case.plan("FVP_Base_RevC-2xAEMvA", "-C bp.secureflashloader.fname=%/bl1.bin");
        assert_eq!(plan.program, Program::Nothing);
        assert!(plan.console.ends_with("Shell> "));
    }

    #[test]
    fn an_application_with_a_kernel_beside_it_starts_that_kernel() {
        let case = Case::new();
        for (name, text) in
            [("x.axf.kernel", "k"), ("x.axf.initrd", "i"), ("x.axf.cmdline", "console=ttyAMA0 quiet\n")]
        {
            std::fs::write(case.directory.path().join(name), text).unwrap();
        }
        let plan = case.plan("FVP_Base_RevC-2xAEMvA", "-a cluster*.cpu*=%/x.axf");
        let Program::Linux(linux) = plan.program else { panic!("{plan:?}") };
        assert_eq!(linux.kernel, case.directory.path().join("x.axf.kernel"));
        assert_eq!((linux.initrd.is_some(), linux.append.as_str()), (true, "console=ttyAMA0 quiet"));
    }

    #[test]
    fn an_application_alone_runs_on_the_bare_machine() {
        let case = Case::new();
        let plan = case.plan("FVP_MPS2_Cortex-M3", "-a %/x.axf -C cpu0.semihosting-cmd_line='prog arg'");
        let Program::BareMetal(bare) = plan.program else { panic!("{plan:?}") };
        assert_eq!(bare.command_line, "prog arg");
    }
}
