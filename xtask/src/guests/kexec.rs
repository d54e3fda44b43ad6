//! `kexec.tar`: the program that starts a kernel from inside a guest, with the libraries it needs, to be laid over an
//! initramfs that has neither.
//!
//! Debian's `kexec` is linked against libraries of Xen, which it asks whether the kernel is one that Xen runs; they come
//! along.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, Result};
use fs_err as fs;
use pumice_image::{Tree, tar};

use crate::apt::Apt;

/// The package that has the program.
const PACKAGE: &str = "kexec-tools";

/// The program's place in the package and in the archive.
const PROGRAM: &str = "sbin/kexec";

/// Changes whenever this recipe does.
pub(super) const FINGERPRINT: &[u8] = include_str!("kexec.rs").as_bytes();

/// Downloads the package and those of the libraries it depends on, whatever else these are for.
pub(super) fn download(apt: &Apt, packages: &Path) -> Result<()> {
    let mut waiting = vec![PACKAGE.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(package) = waiting.pop() {
        if !seen.insert(package.clone()) {
            continue;
        }
        apt.download(&package, packages)?;
        // A package with nothing to depend on has no such field.
        let depends = apt.field(&package, "Depends").unwrap_or_default();
        waiting.extend(libraries(&depends).map(str::to_owned));
    }
    Ok(())
}

/// The packages of libraries in a `Depends` field: Debian calls them `lib…`, but for zlib's (Debian Policy 8.1).
fn libraries(depends: &str) -> impl Iterator<Item = &str> {
    let names = depends.split(',').filter_map(|one| one.split_whitespace().next());
    names.filter(|name| name.starts_with("lib") || name.starts_with("zlib"))
}

/// The archive, as bytes, from the unpacked packages.
pub(super) fn archive(unpacked: &Path) -> Result<Vec<u8>> {
    let mut known = BTreeMap::new();
    for directory in ["lib", "usr/lib"] {
        for entry in fs::read_dir(unpacked.join(directory)).into_iter().flatten() {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.contains("-linux-") && path.is_dir() {
                for library in fs::read_dir(&path)? {
                    let library = library?.path();
                    let file = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    // The program's interpreter has its own place, which is in the program.
                    let place = if file.starts_with("ld-") {
                        format!("lib/{file}")
                    } else {
                        format!("lib/{name}/{file}")
                    };
                    known.insert(file, (place, library));
                }
            }
        }
    }
    let program = fs::read(unpacked.join(PROGRAM)).context("kexec-tools has no kexec")?;
    let mut tree = Tree::new();
    let mut waiting = vec![(PROGRAM.to_owned(), program)];
    while let Some((place, content)) = waiting.pop() {
        let needed: Vec<String> = known.keys().filter(|name| names(&content, name)).cloned().collect();
        for name in needed {
            if let Some((place, path)) = known.remove(&name).filter(|(_, path)| path.is_file()) {
                waiting.push((place, fs::read(path)?));
            }
        }
        tree.file(place, 0o755, content)?;
    }
    let mut archive = Vec::new();
    tar::write(&tree, &mut archive)?;
    Ok(archive)
}

/// Whether a program names this library: what it needs stands in its string table, ended by a zero (ELF, gABI 4.1, "String
/// Table").
fn names(program: &[u8], library: &str) -> bool {
    let text = [library.as_bytes(), b"\0"].concat();
    program.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_are_followed() {
        let depends = "libc6 (>= 2.34), libxenmisc4.17 (>= 4.17.5), zlib1g, debconf (>= 0.5) | debconf-2.0";
        assert_eq!(libraries(depends).collect::<Vec<_>>(), ["libc6", "libxenmisc4.17", "zlib1g"]);
    }

    #[test]
    fn the_archive_has_the_program_and_what_it_needs_in_turn() {
        let unpacked = tempfile::tempdir().unwrap();
        let file = |path: &str, content: &str| {
            let path = unpacked.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        file("sbin/kexec", "\0libb.so.1\0ld-linux.so.1\0");
        file("usr/lib/arm-linux-gnu/libb.so.1", "\0liba.so.6\0");
        file("lib/arm-linux-gnu/liba.so.6", "\0libb.so.1\0");
        file("lib/arm-linux-gnu/ld-linux.so.1", "");
        file("lib/arm-linux-gnu/libother.so.2", "");
        let archive = archive(unpacked.path()).unwrap();
        let read = tar::read(&archive[..], tar::LinkPolicy::Inside, pumice_image::Limits::default()).unwrap();
        let paths: Vec<_> = read.iter().map(|(path, _)| path.as_path().display().to_string()).collect();
        let expected =
            ["lib/arm-linux-gnu/liba.so.6", "lib/arm-linux-gnu/libb.so.1", "lib/ld-linux.so.1", "sbin/kexec"];
        assert_eq!(paths.iter().filter(|path| path.contains('.') || path.contains("sbin/")).count(), 4);
        assert!(expected.iter().all(|path| paths.contains(&(*path).to_owned())), "{paths:?}");
    }
}
