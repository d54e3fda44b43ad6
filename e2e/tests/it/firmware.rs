//! Firmware on a simulator's console: stopped, typed at, and sent on to Linux.

use std::{path::Path, time::Duration};

use e2e::{Guest, Job, Missing, Results, Sandbox, need};
use pumice_image::{Tree, fat};
use pumice_types::ByteSize;

const LIMIT: Duration = Duration::from_secs(290);

/// A file of a Debian package that the set-up installs.
fn installed(path: &str) -> Result<&Path, Missing> {
    let path = Path::new(path);
    if path.exists() { Ok(path) } else { Err(Missing::set_up(path.display().to_string())) }
}

/// The job with another list of images, and with these lines in its boot block.
fn with_firmware(text: &str, images: &str, boot: &str) -> String {
    let (head, rest) = text.split_once("    images:\n").unwrap();
    let (_, rest) = rest.split_once("- boot:\n").unwrap();
    format!("{head}    images:\n{images}- boot:\n{boot}{rest}")
}

#[track_caller]
fn check(sandbox: &Sandbox, job: &str) -> Results {
    let path = sandbox.write("job.yaml", job);
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    assert_eq!(results.tests(), ["0_cases/booted pass"]);
    let cases = results.cases();
    for step in ["bootloader-interrupt", "bootloader-commands"] {
        assert!(cases.contains(&format!("lava/{step} pass")), "{cases:?}");
    }
    sandbox.is_empty_within(Duration::from_secs(2));
    results
}

#[test]
fn u_boot_is_stopped_and_told_to_boot_linux() {
    let guest = need!(Guest::find("arm64"));
    let firmware = need!(installed("/usr/lib/u-boot/qemu_arm64/u-boot.bin"));
    // The kernel's arguments come from U-Boot's environment, and nowhere else.
    let job = Job::arm64(&guest).steps(&["lava-test-case booted --shell grep -qw by-u-boot /proc/cmdline"]);
    let images = format!(
        "      firmware: {{url: 'file://{}', image_arg: '-bios {{firmware}}'}}\n      \
         kernel: {{url: 'file://{}', image_arg: '-kernel {{kernel}}'}}\n      \
         ramdisk: {{url: 'file://{}', image_arg: '-initrd {{ramdisk}}'}}\n",
        firmware.display(),
        guest.kernel().display(),
        guest.initrd().display()
    );
    let boot = "    bootloader:\n      interrupt_prompt: Hit any key to stop autoboot\n      prompt: '=> '\n      \
                commands:\n      - setenv bootargs console=ttyAMA0 by-u-boot\n      \
                - qfw load ${kernel_addr_r} ${ramdisk_addr_r}\n      \
                - booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}\n";
    check(&Sandbox::new(), &with_firmware(&job.text(), &images, boot));
}

#[test]
fn the_shell_of_uefi_is_stopped_and_told_to_boot_linux() {
    let guest = need!(Guest::find("arm64"));
    let firmware = need!(installed("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"));
    let mut job = Job::arm64(&guest).steps(&["lava-test-case booted --shell test -d /sys/firmware/efi"]);
    // Else it looks for something to boot on the network first, for minutes.
    job.context = "{arch: arm64, memory: 512M, no_network: true}".to_owned();
    let sandbox = Sandbox::new();
    let disk = sandbox.path().join("efi.img");
    let mut tree = Tree::new();
    tree.file("linux.efi", 0o644, std::fs::read(guest.kernel()).unwrap()).unwrap();
    tree.file("initrd.gz", 0o644, std::fs::read(guest.initrd()).unwrap()).unwrap();
    fat::create(&disk, &tree, "EFI", ByteSize(1 << 20)).unwrap();
    let images = format!(
        "      firmware: {{url: 'file://{}', image_arg: '-bios {{firmware}}'}}\n      \
         disk: {{url: 'file://{}', image_arg: '-drive file={{disk}},format=raw,if=virtio'}}\n",
        firmware.display(),
        disk.display()
    );
    let boot = "    bootloader:\n      interrupt_prompt: 'in [0-9] seconds'\n      interrupt_text: \"\\e\"\n      \
                prompt: 'Shell> '\n      line_separator: dos\n      \
                commands: ['fs0:\\linux.efi initrd=\\initrd.gz console=ttyAMA0']\n";
    check(&sandbox, &with_firmware(&job.text(), &images, boot));
}
