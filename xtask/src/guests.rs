//! The Linux guests of the demo and the tests: a Debian kernel and a busybox root, in `target/guests/ARCH/`.
//!
//! `kernel` and `initrd.cpio.gz` boot to `guest login:` (root, no password, then `root@guest:~# `) on the
//! console that the kernel's command line names. armhf also has `dtb`, the device tree of `vexpress-a15`, and
//! every guest its `busybox` by itself. `uml` has as its `kernel` the program that User-mode Linux is. arm64 has
//! `kexec.tar` beside its initramfs. Nothing is installed: the packages are downloaded and unpacked.

mod kexec;
mod modules;
mod tree;

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::{
    apt::Apt,
    program::{self, command},
    workspace::{self, say},
};

/// Whether guests that are there will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Packages once downloaded are kept.
    AsTheyAre,
    /// Debian is asked for newer ones.
    Newest,
}

/// What a guest is made of.
struct Guest {
    /// Its directory below `target/guests`.
    name: &'static str,
    /// Its architecture in Debian's words; `None` for this host's.
    architecture: Option<&'static str>,
    /// The package that has the kernel, or the meta package whose first dependency has the one of today.
    kernel: &'static str,
    /// A device tree among the kernel's.
    device_tree: Option<&'static str>,
    /// The hosts it can run on, where it does not run everywhere.
    hosts: Option<&'static [&'static str]>,
    /// Whether it has `kexec.tar`.
    has_kexec: bool,
}

const GUESTS: [Guest; 3] = [
    Guest {
        name: "armhf",
        architecture: Some("armhf"),
        kernel: "linux-image-armmp",
        device_tree: Some("vexpress-v2p-ca15-tc1.dtb"),
        hosts: None,
        has_kexec: false,
    },
    Guest {
        name: "arm64",
        architecture: Some("arm64"),
        kernel: "linux-image-arm64",
        device_tree: None,
        hosts: None,
        has_kexec: true,
    },
    Guest {
        name: "uml",
        architecture: None,
        kernel: "user-mode-linux",
        device_tree: None,
        hosts: Some(&["amd64", "i386"]),
        has_kexec: false,
    },
];

/// Makes the guests that are missing or made by another recipe.
pub(crate) fn run(freshness: Freshness) -> Result<()> {
    let host = program::read(&mut command("dpkg", ["--print-architecture"]))?;
    for guest in &GUESTS {
        if guest.hosts.is_some_and(|hosts| !hosts.contains(&host.trim())) {
            say(&format!("guests: {} runs on no {} host", guest.name, host.trim()));
            continue;
        }
        let architecture = guest.architecture.unwrap_or(host.trim());
        make(guest, architecture, freshness)
            .with_context(|| format!("cannot make the guest {}", guest.name))?;
        if guest.has_kexec {
            make_kexec(guest, architecture, freshness)
                .with_context(|| format!("cannot make kexec.tar of {}", guest.name))?;
        }
    }
    Ok(())
}

fn make(guest: &Guest, architecture: &str, freshness: Freshness) -> Result<()> {
    let directory = workspace::target().join("guests").join(guest.name);
    let packages = directory.join("packages");
    if freshness == Freshness::Newest && packages.exists() {
        fs::remove_dir_all(&packages)?;
    }
    if !packages.exists() {
        say(&format!("guests: downloading Debian's {architecture} packages for {}", guest.name));
        download(guest, architecture, &directory, &packages)?;
    }
    let stamp = directory.join("stamp");
    let recipe = recipe(tree::FINGERPRINT, &packages)?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
        say(&format!("guests: {} is here", guest.name));
        return Ok(());
    }
    say(&format!("guests: making {}", directory.display()));
    assemble(guest, &directory, &packages)?;
    fs::write(&stamp, recipe)?;
    Ok(())
}

/// Makes `kexec.tar`, as [`make`] makes the guest.
fn make_kexec(guest: &Guest, architecture: &str, freshness: Freshness) -> Result<()> {
    let directory = workspace::target().join("guests").join(guest.name);
    let packages = directory.join("kexec-packages");
    if freshness == Freshness::Newest {
        remove_if_there(&packages)?;
    }
    if !packages.exists() {
        say(&format!("guests: downloading Debian's {architecture} packages of kexec"));
        let (incoming, state) = (directory.join("kexec-incoming"), directory.join("kexec-apt"));
        remove_if_there(&incoming)?;
        let apt = Apt::foreign(architecture, &state)?;
        apt.update();
        kexec::download(&apt, &incoming)?;
        fs::rename(&incoming, &packages)?;
        remove_if_there(&state)?;
    }
    let stamp = directory.join("kexec-stamp");
    let recipe = recipe(kexec::FINGERPRINT, &packages)?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
        return Ok(());
    }
    let unpacked = directory.join("kexec-unpacked");
    unpack(&packages, &unpacked)?;
    publish(&kexec::archive(&unpacked)?, &directory.join("kexec.tar"))?;
    remove_if_there(&unpacked)?;
    Ok(fs::write(&stamp, recipe)?)
}

/// What something is made of: the recipe itself and the packages, whose file names carry their versions. Two
/// equal texts make the same.
fn recipe(fingerprint: &[u8], packages: &Path) -> Result<String> {
    let digest: Vec<String> = Sha256::digest(fingerprint).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut names = Vec::new();
    for entry in fs::read_dir(packages)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(format!("{}\n{}\n", digest.concat(), names.join("\n")))
}

/// Downloads kernel and busybox into `packages`, which exists afterwards only if both came.
fn download(guest: &Guest, architecture: &str, directory: &Path, packages: &Path) -> Result<()> {
    let incoming = directory.join("incoming");
    remove_if_there(&incoming)?;
    fs::create_dir_all(&incoming)?;
    let apt = Apt::foreign(architecture, &directory.join("apt"))?;
    apt.update();
    let depends = apt.field(guest.kernel, "Depends")?;
    let real = depends.split([',', ' ', '|']).find(|word| word.starts_with("linux-image-"));
    let kernel = real.unwrap_or(guest.kernel);
    for package in [kernel, "busybox-static"] {
        apt.download(package, &incoming)?;
    }
    fs::rename(&incoming, packages)?;
    remove_if_there(&directory.join("apt"))
}

fn remove_if_there(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

/// Unpacks the packages and takes from them what a guest needs.
fn assemble(guest: &Guest, directory: &Path, packages: &Path) -> Result<()> {
    let unpacked = directory.join("unpacked");
    unpack(packages, &unpacked)?;
    publish(&fs::read(kernel(&unpacked)?)?, &directory.join("kernel"))?;
    if let Some(device_tree) = guest.device_tree {
        let found = find_below(&unpacked.join("usr/lib"), device_tree)?
            .with_context(|| format!("the kernel's package has no {device_tree}"))?;
        publish(&fs::read(found)?, &directory.join("dtb"))?;
    }
    let busybox = [unpacked.join("bin/busybox"), unpacked.join("usr/bin/busybox")]
        .into_iter()
        .find(|path| path.exists())
        .context("busybox-static has no busybox")?;
    let busybox = fs::read(busybox)?;
    publish(&busybox, &directory.join("busybox"))?;

    let (release, modules) = modules::select(&unpacked)?;
    let image = tree::initramfs(busybox, &release, modules)?;
    publish(&image, &directory.join("initrd.cpio.gz"))?;
    remove_if_there(&unpacked)
}

/// Unpacks every package in `packages` into `unpacked`, which is made anew.
fn unpack(packages: &Path, unpacked: &Path) -> Result<()> {
    remove_if_there(unpacked)?;
    fs::create_dir_all(unpacked)?;
    for entry in fs::read_dir(packages)? {
        program::read(command("dpkg-deb", ["--extract"]).arg(entry?.path()).arg(unpacked))?;
    }
    Ok(())
}

/// Writes a file that is whole whenever it is there: somebody may boot from the old one now.
fn publish(content: &[u8], path: &Path) -> Result<()> {
    let incoming = path.with_extension("incoming");
    fs::write(&incoming, content)?;
    fs::set_permissions(&incoming, Permissions::from_mode(0o755))?;
    Ok(fs::rename(incoming, path)?)
}

/// The kernel that boards boot, or the program that is one.
fn kernel(unpacked: &Path) -> Result<PathBuf> {
    let program = unpacked.join("usr/bin/linux.uml");
    if program.exists() {
        return Ok(program);
    }
    for entry in fs::read_dir(unpacked.join("boot"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("vmlinuz-") {
            return Ok(entry.path());
        }
    }
    bail!("the package has no kernel in boot/")
}

/// The first file of this name at any depth.
fn find_below(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else if entry.file_name() == name {
                return Ok(Some(entry.path()));
            }
        }
    }
    Ok(None)
}
