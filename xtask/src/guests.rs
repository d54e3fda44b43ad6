//! The Linux guests of the demo and the tests: a Debian kernel and a busybox root, in `target/guests/ARCH/`.
//!
//! `kernel` and `initrd.cpio.gz` boot to `guest login:` (root, no password, then `root@guest:~# `) on the
//! console that the kernel's command line names. armhf also has `dtb`, the device tree of `vexpress-a15`, and
//! every guest its `busybox` by itself. Nothing is installed: the packages are downloaded and unpacked.

mod cpio;
mod modules;
mod tree;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::{
    apt::Apt,
    program::{self, command},
    setup,
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

/// A guest's architecture, in Debian's words.
struct Guest {
    architecture: &'static str,
    /// The meta package whose first dependency is the kernel of today.
    kernel: &'static str,
    /// A device tree among the kernel's.
    device_tree: Option<&'static str>,
}

const GUESTS: [Guest; 2] = [
    Guest {
        architecture: "armhf",
        kernel: "linux-image-armmp",
        device_tree: Some("vexpress-v2p-ca15-tc1.dtb"),
    },
    Guest { architecture: "arm64", kernel: "linux-image-arm64", device_tree: None },
];

/// Makes the guests that are missing or made by another recipe.
pub(crate) fn run(freshness: Freshness) -> Result<()> {
    setup::run()?;
    for guest in &GUESTS {
        make(guest, freshness).with_context(|| format!("cannot make the {} guest", guest.architecture))?;
    }
    Ok(())
}

fn make(guest: &Guest, freshness: Freshness) -> Result<()> {
    let directory = workspace::target().join("guests").join(guest.architecture);
    let packages = directory.join("packages");
    if freshness == Freshness::Newest && packages.exists() {
        fs::remove_dir_all(&packages)?;
    }
    if !packages.exists() {
        say(&format!("guests: downloading Debian's {} packages", guest.architecture));
        download(guest, &directory, &packages)?;
    }
    let stamp = directory.join("stamp");
    let recipe = recipe(&packages)?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
        say(&format!("guests: {} is here", guest.architecture));
        return Ok(());
    }
    say(&format!("guests: making {}", directory.display()));
    assemble(guest, &directory, &packages)?;
    fs::write(&stamp, recipe)?;
    Ok(())
}

/// What a guest is made of: the recipe itself and the packages, whose file names carry their versions. Two
/// equal texts make the same guest.
fn recipe(packages: &Path) -> Result<String> {
    let digest: Vec<String> =
        Sha256::digest(tree::FINGERPRINT).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut names = Vec::new();
    for entry in fs::read_dir(packages)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(format!("{}\n{}\n", digest.concat(), names.join("\n")))
}

/// Downloads kernel and busybox into `packages`, which exists afterwards only if both came.
fn download(guest: &Guest, directory: &Path, packages: &Path) -> Result<()> {
    let incoming = directory.join("incoming");
    remove_if_there(&incoming)?;
    fs::create_dir_all(&incoming)?;
    let apt = Apt::foreign(guest.architecture, &directory.join("apt"))?;
    apt.update();
    let depends = apt.field(guest.kernel, "Depends")?;
    let kernel = depends
        .split([',', ' ', '|'])
        .find(|word| word.starts_with("linux-image-"))
        .with_context(|| format!("{} depends on no kernel: `{depends}`", guest.kernel))?;
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
    remove_if_there(&unpacked)?;
    fs::create_dir_all(&unpacked)?;
    for entry in fs::read_dir(packages)? {
        program::read(command("dpkg-deb", ["--extract"]).arg(entry?.path()).arg(&unpacked))?;
    }
    let kernel = only_file(&unpacked.join("boot"), |name| name.starts_with("vmlinuz-"))?;
    let name = kernel.file_name().unwrap_or_default().to_string_lossy();
    let release = name.trim_start_matches("vmlinuz-").to_owned();
    fs::copy(&kernel, directory.join("kernel"))?;
    if let Some(device_tree) = guest.device_tree {
        let found = find_below(&unpacked.join("usr/lib"), device_tree)?
            .with_context(|| format!("the kernel's package has no {device_tree}"))?;
        fs::copy(found, directory.join("dtb"))?;
    }
    let busybox = [unpacked.join("bin/busybox"), unpacked.join("usr/bin/busybox")]
        .into_iter()
        .find(|path| path.exists())
        .context("busybox-static has no busybox")?;
    fs::copy(&busybox, directory.join("busybox"))?;

    let modules = modules::select(&unpacked, &release)?;
    let image = tree::initramfs(&fs::read(&busybox)?, &release, &modules)?;
    let incoming = directory.join("initrd.incoming");
    fs::write(&incoming, image)?;
    fs::rename(incoming, directory.join("initrd.cpio.gz"))?;
    remove_if_there(&unpacked)
}

fn only_file(directory: &Path, accept: impl Fn(&str) -> bool) -> Result<PathBuf> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&accept) {
            return Ok(entry.path());
        }
    }
    anyhow::bail!("{} has no such file", directory.display())
}

/// The first file of this name at any depth.
pub(super) fn find_below(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
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
