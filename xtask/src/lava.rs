//! LAVA's own programs from Debian's packages, for tests with them. They are only unpacked: installing them would start a whole lab.
//! Without them the tests that drive them are skipped and say so, so that a failure is no error.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use crate::{
    apt::Apt,
    program::{self, command, find},
    workspace::{self, say},
};

/// LAVA's worker, into `target/lava-dispatcher`. What it needs beside it is in `target/python`.
pub(crate) fn worker() -> Result<()> {
    let packages = |_: &Apt| Ok(vec!["lava-common".to_owned(), "lava-dispatcher".to_owned()]);
    unpack("LAVA's worker", "lava-dispatcher", packages)
}

/// LAVA's server, into `target/lava-server`, with those of the packages it needs that this host has not.
pub(crate) fn server() -> Result<()> {
    unpack("LAVA's server", "lava-server", |apt| {
        anyhow::ensure!(apt.offers("lava-server"), "no repository offers lava-server");
        apt.needed("lava-server")
    })
}

/// Unpacks packages into `target/NAME`, once.
fn unpack(what: &str, name: &str, packages: impl FnOnce(&Apt) -> Result<Vec<String>>) -> Result<()> {
    let directory = workspace::target().join(name);
    let stamp = directory.join("stamp");
    if stamp.is_file() || find("apt-get").is_none() || find("dpkg").is_none() {
        return Ok(());
    }
    say(&format!("set-up: unpacking {what} into target/{name}"));
    let apt = Apt::host();
    let incoming = workspace::target().join(format!("{name}.incoming"));
    if incoming.exists() {
        fs::remove_dir_all(&incoming)?;
    }
    let unpacked = packages(&apt)
        .and_then(|packages| apt.download_all(&packages, &incoming))
        .and_then(|files| files.iter().try_for_each(|file| extract(file, &directory)));
    if incoming.exists() {
        fs::remove_dir_all(&incoming)?;
    }
    match unpacked {
        Ok(()) => Ok(fs::write(stamp, "")?),
        Err(error) => {
            say(&format!("set-up: no {what} ({error:#}); the tests with it will be skipped"));
            Ok(())
        }
    }
}

fn extract(file: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    program::run(command("dpkg", ["--extract"]).arg(file).arg(directory))
}
