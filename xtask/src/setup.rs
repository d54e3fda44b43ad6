//! What must be on the machine, and getting it there.

use std::path::Path;

use anyhow::{Result, bail};
use fs_err as fs;

use crate::{
    apt::{Apt, Installation},
    lava,
    program::{self, command, find},
    workspace::{self, say},
};

/// Programs, or other files, that one Debian package brings.
struct Tool {
    /// Each must be there: on the `PATH`, or, when it begins with `/`, at that place.
    programs: &'static [&'static str],
    /// The package; where releases differ, the first that is offered.
    packages: &'static [&'static str],
    /// Said to a person who must install it.
    purpose: &'static str,
    /// Arguments of the first program that must succeed, where being there is not enough.
    proof: &'static [&'static str],
}

const TOOLS: &[Tool] = &[
    Tool {
        programs: &["qemu-system-arm", "qemu-system-aarch64"],
        packages: &["qemu-system-arm"],
        purpose: "boots the Arm guests",
        proof: &[],
    },
    Tool {
        programs: &["qemu-system-x86_64", "qemu-system-i386"],
        packages: &["qemu-system-x86"],
        purpose: "boots x86 guests",
        proof: &[],
    },
    Tool {
        programs: &["qemu-system-riscv64"],
        packages: &["qemu-system-riscv", "qemu-system-misc"],
        purpose: "boots RISC-V guests",
        proof: &[],
    },
    Tool {
        programs: &["qemu-img"],
        packages: &["qemu-utils"],
        purpose: "checks our disk images",
        proof: &[],
    },
    Tool {
        programs: &["linux.uml"],
        packages: &["user-mode-linux"],
        purpose: "is the simulator behind the platform `command` in the tests",
        proof: &[],
    },
    Tool {
        programs: &["ip"],
        packages: &["iproute2"],
        purpose: "joins the machines of a lab in the tests",
        proof: &[],
    },
    Tool {
        programs: &["slirp4netns"],
        packages: &["slirp4netns"],
        purpose: "is the way out of the networks of machines with tap devices",
        proof: &[],
    },
    Tool {
        programs: &["pg_createcluster", "createdb"],
        packages: &["postgresql"],
        purpose: "is the other database of a lab in the tests",
        proof: &[],
    },
    Tool {
        programs: &["curl"],
        packages: &["curl"],
        purpose: "is any client of a lab's interface in the tests",
        proof: &[],
    },
    Tool {
        programs: &["busybox"],
        packages: &["busybox-static"],
        purpose: "lists kernel modules, and its shell runs the guest helpers in the tests",
        proof: &[],
    },
    Tool {
        programs: &["dash"],
        packages: &["dash"],
        purpose: "runs the guest helpers in the tests",
        proof: &[],
    },
    Tool {
        programs: &["mkfs.ext4", "debugfs", "e2fsck"],
        packages: &["e2fsprogs"],
        purpose: "checks our ext4 writer",
        proof: &[],
    },
    Tool {
        programs: &["sfdisk"],
        packages: &["fdisk"],
        purpose: "makes partitioned images for the tests",
        proof: &[],
    },
    Tool {
        programs: &["cpio"],
        packages: &["cpio"],
        purpose: "reads our initramfs in the tests",
        proof: &[],
    },
    Tool {
        programs: &["/usr/lib/u-boot/qemu_arm64/u-boot.bin"],
        packages: &["u-boot-qemu"],
        purpose: "is a boot loader that the tests talk to",
        proof: &[],
    },
    Tool {
        programs: &["/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"],
        packages: &["qemu-efi-aarch64"],
        purpose: "is a boot loader that the tests talk to",
        proof: &[],
    },
    Tool {
        programs: &["sshd", "ssh"],
        packages: &["openssh-server"],
        purpose: "is the machine that tests reach over SSH",
        proof: &[],
    },
    Tool {
        programs: &["sqlite3"],
        packages: &["sqlite3"],
        purpose: "holds a lab's database in the tests",
        proof: &[],
    },
    Tool {
        programs: &["faketime"],
        packages: &["faketime"],
        purpose: "shows programs another clock in the tests",
        proof: &[],
    },
    Tool {
        programs: &["groff"],
        packages: &["groff-base"],
        purpose: "renders our manual pages in the tests",
        proof: &[],
    },
    Tool { programs: &["git"], packages: &["git"], purpose: "fetches test definitions", proof: &[] },
    Tool {
        programs: &["curl"],
        packages: &["curl"],
        purpose: "asks the REST API in the checks of LAVA's client",
        proof: &[],
    },
    Tool {
        programs: &["openssl"],
        packages: &["openssl"],
        purpose: "makes a certificate for the server's tests",
        proof: &[],
    },
    Tool {
        programs: &["python3"],
        packages: &["python3-venv"],
        purpose: "runs programs that drive LAVA's runner in the tests",
        proof: &["-c", "import ensurepip"],
    },
    Tool {
        programs: &["arm-linux-gnueabihf-gcc"],
        packages: &["gcc-arm-linux-gnueabihf"],
        purpose: "compiles the tests that run in armhf guests",
        proof: &[],
    },
    Tool {
        programs: &["aarch64-linux-gnu-gcc"],
        packages: &["gcc-aarch64-linux-gnu"],
        purpose: "compiles the tests that run in arm64 guests",
        proof: &[],
    },
    Tool {
        programs: &["cc"],
        packages: &["gcc", "libc6-dev"],
        purpose: "compiles the C parts of some crates",
        proof: &[],
    },
    Tool {
        programs: &["chromium"],
        packages: &["chromium"],
        purpose: "is the browser that the tests read the pages with",
        proof: &[],
    },
    Tool {
        programs: &["nvim"],
        packages: &["neovim"],
        purpose: "is the editor that the tests try",
        proof: &[],
    },
    Tool { programs: &["c++"], packages: &["g++"], purpose: "compiles the engine of the fuzzer", proof: &[] },
];

/// Installs what the tests need and is missing.
pub(crate) fn run() -> Result<()> {
    programs()?;
    test_runner();
    fuzzer();
    python_programs()?;
    lava::worker()?;
    lava::server()
}

/// Installs the system's programs that are missing: as root at once, else by saying the one line to type.
pub(crate) fn programs() -> Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_here(tool)).collect();
    if missing.is_empty() {
        say("set-up: all programs are here");
        return Ok(());
    }
    for tool in &missing {
        say(&format!("set-up: missing {} ({})", tool.programs.join(", "), tool.purpose));
    }
    if find("apt-get").is_none() {
        let packages: Vec<_> = missing.iter().filter_map(|tool| tool.packages.last().copied()).collect();
        bail!(
            "this is no Debian system, so install them yourself (on Debian the packages are called {})",
            packages.join(", ")
        );
    }
    let apt = Apt::host();
    let root = is_root();
    if root {
        apt.update();
    }
    let packages: Vec<String> = missing.iter().map(|tool| package_of(tool, &apt)).collect();
    let installation = match apt.installation(&packages) {
        // Without the package lists nobody knows better; the line to type reads them first.
        Err(_) if !root => Installation { packages, changes: Vec::new() },
        found => found?,
    };
    for change in &installation.changes {
        say(&format!("set-up: {change}"));
    }
    if !root {
        bail!("type this line, then start again:\n    {}", Apt::line_to_type(&installation));
    }
    program::run(&mut apt.install(&installation))?;
    match missing.iter().find(|tool| !is_here(tool)) {
        None => Ok(()),
        Some(tool) => {
            bail!("{} is installed, but {} is not found", tool.packages[0], tool.programs.join(" or "))
        }
    }
}

fn is_here(tool: &Tool) -> bool {
    let is_proven = || {
        let first = tool.programs.first().copied().unwrap_or_default();
        tool.proof.is_empty() || program::succeeds(&mut command(first, tool.proof))
    };
    let is_there =
        |name: &str| if name.starts_with('/') { Path::new(name).exists() } else { find(name).is_some() };
    tool.programs.iter().all(|name| is_there(name)) && is_proven()
}

fn package_of(tool: &Tool, apt: &Apt) -> String {
    let offered = tool.packages.iter().find(|package| apt.offers(package));
    (*offered.unwrap_or(&tool.packages[0])).to_owned()
}

fn is_root() -> bool {
    program::read(&mut command("id", ["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Whether tests can run through nextest.
pub(crate) fn has_nextest() -> bool {
    program::succeeds(&mut command("cargo", ["nextest", "--version"]))
}

/// Builds nextest where it is missing. Without it `cargo test` runs the tests, so that a failure is no error.
fn test_runner() {
    if !has_nextest() {
        build("cargo-nextest", "`cargo test` will run the tests instead");
    }
}

/// Whether the fuzz targets can run.
pub(crate) fn has_fuzzer() -> bool {
    program::succeeds(&mut command("cargo", ["fuzz", "--version"]))
}

/// Builds cargo-fuzz where it is missing. Without it fuzzing is skipped, and says so.
fn fuzzer() {
    if !has_fuzzer() {
        build("cargo-fuzz", "the fuzz targets will not run");
    }
}

fn build(package: &str, otherwise: &str) {
    say(&format!("set-up: building {package}, once, a few minutes"));
    if let Err(error) = program::run(&mut command("cargo", ["install", package, "--locked", "--quiet"])) {
        say(&format!("set-up: no {package} ({error:#}); {otherwise}"));
    }
}

/// What Python programs the tests drive, with their versions.
const REQUIREMENTS: &str = include_str!("../python-requirements.txt");

/// Puts them into an environment of their own, `target/python`. Without them the tests that drive them are
/// skipped and say so, so that a failure is no error.
fn python_programs() -> Result<()> {
    let directory = workspace::target().join("python");
    let stamp = directory.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(());
    }
    say("set-up: installing Python programs into target/python");
    let wanted = workspace::root().join("xtask/python-requirements.txt");
    match python_environment(&directory, &["--requirement", &wanted.display().to_string()]) {
        Ok(()) => Ok(fs::write(stamp, REQUIREMENTS)?),
        Err(error) => {
            say(&format!("set-up: no Python programs, so the tests that drive them are skipped: {error:#}"));
            Ok(())
        }
    }
}

/// Makes a Python environment of its own with what `pip install` takes by these words.
pub(crate) fn python_environment(directory: &Path, wanted: &[&str]) -> Result<()> {
    program::read(command("python3", ["-m", "venv", "--clear"]).arg(directory))?;
    let pip = directory.join("bin/pip");
    let quietly = ["install", "--quiet", "--disable-pip-version-check"];
    program::read(command(pip, quietly).args(wanted)).map(drop)
}
