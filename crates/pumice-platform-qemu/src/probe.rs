//! Looks at a host: is the program there, which version, and does KVM really work.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use pumice_platform::{Availability, Facts, Host, UsualProgram, probe_output};
use pumice_process::{Command, Stdio};
use pumice_types::Deadline;

use crate::platform::KVM;

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn probe(program: &str, wants_kvm: bool, host: &Host) -> Availability {
    let Some(path) = host.find(program) else {
        return Availability::Missing {
            reason: format!("`{program}` is not on this host"),
            hint: Some(install_hint(program)),
        };
    };
    let output = match probe_output(host, &path, &["--version"], PATIENCE).await {
        Ok(output) => output,
        Err(error) => {
            return Availability::Missing {
                reason: format!("`{program} --version` failed: {error}"),
                hint: None,
            };
        }
    };
    let mut features = Vec::new();
    if wants_kvm && kvm_works(&path, host).await {
        features.push(KVM.to_owned());
    }
    Availability::Ready(Facts {
        program: Some(path),
        version: version(&output),
        features,
        ..Facts::default()
    })
}

/// Starts the program with KVM and no board, and sees whether it comes up and takes `quit`. A device file
/// proves nothing: where KVM is broken the program aborts or hangs.
async fn kvm_works(path: &Path, host: &Host) -> bool {
    if !Path::new("/dev/kvm").exists() {
        return false;
    }
    if host.inside.is_some() {
        // The program in the image cannot be asked before its container has the device.
        return std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
    }
    let Ok((ours, theirs)) = std::io::pipe() else { return false };
    let mut theirs = theirs;
    if theirs.write_all(b"quit\n").is_err() {
        return false;
    }
    let arguments =
        ["-accel", "kvm", "-machine", "none", "-nodefaults", "-display", "none", "-monitor", "stdio"];
    let command = Command::new(path).args(arguments).stdin(Stdio::Descriptor(ours.into()));
    let deadline = Deadline::after(Instant::now(), PATIENCE, "the look at KVM");
    let output = host.guard.output(command, 4096, &deadline).await;
    output.is_ok_and(|output| output.exit.status.is_success())
}

/// `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`: Debian's own version where there is one, as
/// LAVA's results show it, else the number.
fn version(output: &str) -> Option<String> {
    let line = output.lines().find(|line| line.contains("version"))?;
    if let Some((_, rest)) = line.split_once("(Debian ") {
        return Some(rest.trim_end().trim_end_matches(')').to_owned());
    }
    line.split_whitespace().skip_while(|word| *word != "version").nth(1).map(str::to_owned)
}

/// One program for each kind of guest that jobs most often boot.
pub(crate) fn usual_programs() -> Vec<UsualProgram> {
    let kinds =
        [("qemu-system-aarch64", "Arm"), ("qemu-system-x86_64", "x86"), ("qemu-system-riscv64", "RISC-V")];
    let program = |(name, guests)| UsualProgram {
        name,
        hint: format!("jobs that boot {guests} guests on QEMU need it: {}", install_hint(name)),
    };
    kinds.map(program).into()
}

fn install_hint(program: &str) -> String {
    let package = match program.rsplit('/').next().unwrap_or(program) {
        "qemu-system-aarch64" | "qemu-system-arm" => "qemu-system-arm",
        "qemu-system-x86_64" | "qemu-system-i386" => "qemu-system-x86",
        name if name.starts_with("qemu-system-ppc") => "qemu-system-ppc",
        name if name.starts_with("qemu-system-mips") => "qemu-system-mips",
        name if name.starts_with("qemu-system-sparc") => "qemu-system-sparc",
        _ => "qemu-system-misc",
    };
    format!("on Debian: apt-get install {package}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_debians_where_there_is_one() {
        let check = |text, expected: Option<&str>| assert_eq!(version(text).as_deref(), expected);
        check(
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c) 2003-2022",
            Some("1:7.2+dfsg-7+deb12u18"),
        );
        check("QEMU emulator version 9.1.0\n", Some("9.1.0"));
        check("hello", None);
    }
}
