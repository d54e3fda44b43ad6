//! The kernel modules a guest may need, with what they need in turn.
//!
//! busybox's `depmod` reads a kernel's modules, whatever their architecture, and writes `modules.dep` (a
//! line `MODULE: NEEDED NEEDED…` each, paths below the release's directory) and `modules.alias` (`alias
//! PATTERN MODULE`); both formats are those of kmod's `depmod` (`man modules.dep`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::program::{self, command};

/// Drivers of the devices that simulators offer, and the file systems that tests mount. One that a kernel has
/// built in, or not at all, is left out.
const WANTED: [&str; 20] = [
    "virtio_mmio",
    "virtio_pci",
    "virtio_net",
    "virtio_blk",
    "virtio_scsi",
    "virtio_console",
    "virtio-rng",
    "smsc911x",
    "smc91x",
    "e1000",
    "ahci",
    "sd_mod",
    "mmci",
    "ext4",
    "crc32c_generic",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nfsv3",
    "9pnet_virtio",
];

/// The modules of a guest.
pub(super) struct Modules {
    /// Path below `/lib/modules/RELEASE` and content.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// `modules.dep` of exactly these.
    pub(super) dependencies: String,
    /// `modules.alias` of exactly these.
    pub(super) aliases: String,
}

/// Takes the wanted modules, and all they need, from an unpacked kernel. Returns its release with them.
pub(super) fn select(unpacked: &Path) -> Result<(String, Modules)> {
    let (root, directory) = find(unpacked)?;
    let release = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    program::read(command("busybox", ["depmod", "-b"]).arg(root).arg(&release))
        .context("busybox cannot list the kernel's modules")?;
    let listed = fs::read_to_string(directory.join("modules.dep"))?;
    let lines = choose(&listed, &WANTED);
    let names: BTreeSet<String> = lines.keys().map(|path| module_name(path)).collect();
    let listed = fs::read_to_string(directory.join("modules.alias"))?;
    let aliases: Vec<&str> = listed
        .lines()
        .filter(|line| line.rsplit(' ').next().is_some_and(|module| names.contains(&module_name(module))))
        .collect();
    let files = lines
        .keys()
        .map(|path| Ok((path.clone(), fs::read(directory.join(path))?)))
        .collect::<Result<Vec<_>>>()?;
    let dependencies: Vec<String> = lines.iter().map(|(path, needed)| format!("{path}:{needed}")).collect();
    let modules =
        Modules { files, dependencies: dependencies.join("\n") + "\n", aliases: aliases.join("\n") + "\n" };
    Ok((release, modules))
}

/// The one directory `lib/modules/RELEASE`, and the root it stands in. User-mode Linux has a place of its own for
/// it, from where it is moved to the usual one.
fn find(unpacked: &Path) -> Result<(PathBuf, PathBuf)> {
    let own_place = unpacked.join("usr/lib/uml/modules");
    if own_place.is_dir() {
        fs::create_dir_all(unpacked.join("lib"))?;
        fs::rename(own_place, unpacked.join("lib/modules"))?;
    }
    for root in [unpacked.to_owned(), unpacked.join("usr")] {
        let modules = root.join("lib/modules");
        if modules.is_dir()
            && let Some(entry) = fs::read_dir(modules)?.next()
        {
            return Ok((root, entry?.path()));
        }
    }
    bail!("the package has no kernel modules")
}

/// The lines of `modules.dep` for the wanted modules and what they need: path to the rest behind the colon.
fn choose(listed: &str, wanted: &[&str]) -> BTreeMap<String, String> {
    let all: BTreeMap<&str, &str> = listed.lines().filter_map(|line| line.split_once(':')).collect();
    let is_wanted = |path: &str| wanted.iter().any(|name| module_name(name) == module_name(path));
    let mut waiting: Vec<&str> = all.keys().copied().filter(|path| is_wanted(path)).collect();
    let mut chosen = BTreeMap::new();
    while let Some(path) = waiting.pop() {
        let needed = all.get(path).copied().unwrap_or_default();
        if chosen.insert(path.to_owned(), needed.to_owned()).is_none() {
            waiting.extend(needed.split_whitespace());
        }
    }
    chosen
}

/// `kernel/drivers/net/virtio-net.ko.xz` is `virtio_net`: the kernel does not tell `-` from `_`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let name = file.split(".ko").next().unwrap_or(file);
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wanted_module_needs_comes_with_it_and_nothing_else() {
        let listed = "kernel/net/virtio-net.ko: kernel/core/ring.ko kernel/core/failover.ko\n\
                      kernel/core/ring.ko:\n\
                      kernel/core/failover.ko: kernel/core/deep.ko.xz\n\
                      kernel/core/deep.ko.xz:\n\
                      kernel/sound/loud.ko: kernel/core/ring.ko\n";
        let chosen = choose(listed, &["virtio_net", "not-there"]);
        let paths: Vec<_> = chosen.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "kernel/core/deep.ko.xz",
                "kernel/core/failover.ko",
                "kernel/core/ring.ko",
                "kernel/net/virtio-net.ko"
            ]
        );
    }
}
