//! Firmware that is only played: Trusted Firmware and EDK2 built for an FVP cannot run on QEMU's `virt`, so what
//! they would have printed and loaded is worked out from the files beside them (reference 3.5 b).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What the line in `startup.nsh` loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StartupScript {
    pub(super) kernel: PathBuf,
    pub(super) initrd: Option<PathBuf>,
    pub(super) dtb: Option<PathBuf>,
    pub(super) append: String,
    /// The line as it stands, which the shell echoes.
    pub(super) line: String,
}

/// Reads the EFI shell's start-up script in `directory`: the first line whose first word is a file there, such as
/// `Image dtb=fvp-base-revc.dtb console=ttyAMA0 root=/dev/vda`.
pub(super) fn startup_script(directory: &Path) -> Option<StartupScript> {
    let text = std::fs::read(directory.join("startup.nsh")).ok()?;
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let kernel = find(directory, words.next()?)?;
        let (mut initrd, mut dtb, mut append) = (None, None, Vec::new());
        for word in words {
            match word.split_once('=') {
                Some(("dtb", file)) => dtb = find(directory, file),
                Some(("initrd", file)) => initrd = find(directory, file),
                _ => append.push(word),
            }
        }
        Some(StartupScript { kernel, initrd, dtb, append: append.join(" "), line: line.trim().to_owned() })
    })
}

/// A file by the name the EFI shell uses: perhaps with a volume (`FS0:`) and backslashes.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let name = name.rsplit(':').next()?.replace('\\', "/");
    let path = directory.join(name.trim_start_matches('/'));
    path.is_file().then_some(path)
}

/// What Trusted Firmware says on its way to the next stage.
pub(super) fn trusted_firmware() -> String {
    let mut text = String::new();
    for line in [
        "Booting Trusted Firmware",
        "BL1: v2.12.0(release):model-standin",
        "BL1: Built : played, not run",
        "BL1: Booting BL2",
        "BL2: v2.12.0(release):model-standin",
        "BL2: Built : played, not run",
        "BL1: Booting BL31",
        "BL31: v2.12.0(release):model-standin",
        "BL31: Built : played, not run",
    ] {
        // Writing to a string cannot fail.
        let _ = write!(text, "NOTICE:  {line}\r\n");
    }
    text
}

/// What EDK2 says until it starts the kernel that `script` names; `None` leaves the user at its shell.
pub(super) fn efi(script: Option<&StartupScript>) -> String {
    let mut text = String::from("UEFI firmware (version model-standin, played, not run)\r\n\r\n");
    text.push_str("UEFI Interactive Shell v2.2\r\nEDK II\r\n");
    if let Some(script) = script {
        for seconds in (1..=5).rev() {
            let _ = write!(
                text,
                "\rPress ESC in {seconds} seconds to skip startup.nsh or any other key to continue."
            );
        }
        let _ = write!(text, "\r\nFS0:\\> {}\r\n", script.line);
        text.push_str("EFI stub: Booting Linux Kernel...\r\nEFI stub: Exiting boot services...\r\n");
    } else {
        text.push_str("Shell> ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_startup_script_names_kernel_tree_and_arguments() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["Image", "fvp-base-revc.dtb"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let line = "FS0:\\Image dtb=fvp-base-revc.dtb console=ttyAMA0 earlycon=pl011,0x1c090000 root=/dev/vda ip=dhcp";
        std::fs::write(directory.path().join("startup.nsh"), format!("echo -off\r\n{line}\r\n")).unwrap();
        let script = startup_script(directory.path()).unwrap();
        assert_eq!(script.kernel, directory.path().join("Image"));
        assert_eq!(script.dtb, Some(directory.path().join("fvp-base-revc.dtb")));
        assert_eq!(script.append, "console=ttyAMA0 earlycon=pl011,0x1c090000 root=/dev/vda ip=dhcp");
        assert!(efi(Some(&script)).contains("Press ESC in 5 seconds"));
        assert!(efi(None).ends_with("Shell> "));
    }
}
