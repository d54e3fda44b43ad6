//! A system that is installed by its own installer, and then booted (lava-compat 1.5, `iso-installer`).
//!
//! The installer finds its answers in its initial ramdisk, as `preseed.cfg` (Debian Installation Guide, B.2.1,
//! "initrd"), and ends the machine when it restarts it: `-no-reboot`.

use pumice_plan::MachineSpec;
use pumice_platform::{Bound, InstallStage};
use pumice_types::{Code, Diagnostic, Diagnostics};
use pumice_yaml::Node;

use crate::{arguments::Words, board::Board, disk::disk_words, platform::text};

/// Nothing was deployed that could be installed.
const NO_INSTALLER: Code = Code("no-installer");

/// The console of the installer when the device does not say.
const CONSOLE: &str = "ttyS0,115200";

/// Turns the words into those of the stage: the installer with its image, or the disk alone.
pub(crate) fn bind(
    spec: &MachineSpec,
    bound: &Bound,
    board: &Board,
    words: &mut Words,
    diagnostics: &mut Diagnostics,
) {
    let Some(installation) = &bound.installation else {
        let message = format!("nothing is deployed that method `{}` could install", spec.method.value);
        diagnostics.push(
            Diagnostic::error(NO_INSTALLER, spec.method.span, message)
                .help("put a block `deploy: {to: iso-installer}` before it, in the same namespace"),
        );
        return;
    };
    let mut guest = spec.guest_disk.clone();
    "installed".clone_into(&mut guest.drive_id);
    words.device.extend(disk_words(&guest, board, &installation.disk));
    match installation.stage {
        InstallStage::Installing => {
            let console = spec.device.at(&["parameters", "boot_options", "console"]);
            let console = console.and_then(Node::scalar_text).unwrap_or_else(|| CONSOLE.to_owned());
            // Some devices write the speed behind a blank.
            let console = console.replace(' ', ",");
            let line = format!("console={console} auto=true priority=critical");
            let [kernel, initrd] = [&installation.kernel, &installation.initrd].map(|path| text(path));
            let own = ["-no-reboot", "-kernel", &kernel, "-initrd", &initrd, "-append", &line];
            words.device.extend(own.map(str::to_owned));
        }
        InstallStage::Installed => words.images.clear(),
    }
}
