//! Debian's package manager: for the host, and for packages of another architecture that are only unpacked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::program;

/// apt with a set of options.
pub(crate) struct Apt {
    options: Vec<String>,
    status: PathBuf,
}

/// What to install so that the packages asked for come in, found by simulation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    /// Packages, some with `=VERSION`.
    pub(crate) packages: Vec<String>,
    /// Installed packages that must change their version with them, as sentences.
    pub(crate) changes: Vec<String>,
}

impl Apt {
    /// The host's own.
    pub(crate) fn host() -> Self {
        let options = ["-oDPkg::Lock::Timeout=300", "-qq"].map(str::to_owned);
        Self { options: options.into(), status: PathBuf::from("/var/lib/dpkg/status") }
    }

    /// One that sees only `architecture`, keeps its state below `directory` and knows nothing as installed: it
    /// can look up and download, and the host's own state stays as it is.
    pub(crate) fn foreign(architecture: &str, directory: &Path) -> Result<Self> {
        let (lists, cache) = (directory.join("lists"), directory.join("cache"));
        fs::create_dir_all(lists.join("partial"))?;
        fs::create_dir_all(cache.join("archives/partial"))?;
        let options = [
            format!("-oAPT::Architecture={architecture}"),
            format!("-oAPT::Architectures={architecture}"),
            format!("-oDir::State::Lists={}", lists.display()),
            format!("-oDir::Cache={}", cache.display()),
            "-oDir::State::status=/dev/null".to_owned(),
            "-oAcquire::Languages=none".to_owned(),
            "-oAPT::Sandbox::User=root".to_owned(),
            "-qq".to_owned(),
        ];
        Ok(Self { options: options.into(), status: PathBuf::from("/dev/null") })
    }

    /// Reads the package indexes. One that fails in part may still bring what is needed, so that its failure
    /// shows only when a package is not found.
    pub(crate) fn update(&self) {
        program::succeeds(&mut self.command("apt-get", ["update"]));
    }

    /// Whether a repository offers the package.
    pub(crate) fn offers(&self, package: &str) -> bool {
        !self.offered([package]).is_empty()
    }

    /// The versions that repositories offer of each package, best first. One that is installed but not
    /// offered does not count.
    fn offered<'a>(&'a self, packages: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Vec<String>> {
        let arguments = ["madison"].into_iter().chain(packages);
        let listed = program::read(&mut self.command("apt-cache", arguments)).unwrap_or_default();
        let mut offered = BTreeMap::<String, Vec<String>>::new();
        for line in listed.lines() {
            let mut columns = line.split('|').map(str::trim);
            if let (Some(package), Some(version)) = (columns.next(), columns.next()) {
                offered.entry(package.to_owned()).or_default().push(version.to_owned());
            }
        }
        offered
    }

    /// A field of the newest version's record, for example `Depends`.
    pub(crate) fn field(&self, package: &str, field: &str) -> Result<String> {
        let record = program::read(&mut self.command("apt-cache", ["show", "--no-all-versions", package]))
            .with_context(|| format!("no repository in /etc/apt/sources.list* offers {package}"))?;
        let prefix = format!("{field}: ");
        record
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
            .with_context(|| format!("the package {package} has no {field}"))
    }

    /// Downloads a package into `directory`, which must be empty, and returns its file's path.
    pub(crate) fn download(&self, package: &str, directory: &Path) -> Result<PathBuf> {
        let found = self.download_all(&[package.to_owned()], directory)?.pop();
        found.with_context(|| {
            format!("apt-get downloaded {package} but left no package in {}", directory.display())
        })
    }

    /// Downloads packages into `directory`, which must be empty, and returns their files' paths.
    pub(crate) fn download_all(&self, packages: &[String], directory: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(directory)?;
        let arguments = ["download"].into_iter().chain(packages.iter().map(String::as_str));
        program::read(self.command("apt-get", arguments).current_dir(directory))?;
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// Finds what to install so that `missing` come in. Where that clashes with installed packages built from
    /// the same source in another version (Debian 12's `qemu-system-arm` beside `qemu-utils` of a newer
    /// release), these change with them: to the newest version that goes together, be it a step down.
    pub(crate) fn installation(&self, missing: &[String]) -> Result<Installation> {
        let plain = Installation { packages: missing.to_vec(), changes: Vec::new() };
        let Err(refusal) = self.simulate(&plain.packages) else { return Ok(plain) };
        let sources: Vec<String> = missing.iter().map(|package| self.source(package)).collect();
        let mut siblings = installed_packages(&self.status)?;
        siblings.retain(|package| sources.contains(&package.source));
        let names = missing.iter().chain(siblings.iter().map(|sibling| &sibling.name));
        let offered = self.offered(names.map(String::as_str));
        let mut versions: Vec<&String> =
            missing.iter().filter_map(|package| offered.get(package)).flatten().collect();
        versions.dedup();
        for version in versions {
            let attempt = all_at(version, missing, &siblings, &offered);
            if self.simulate(&attempt.packages).is_ok() {
                return Ok(attempt);
            }
        }
        Err(refusal)
    }

    /// The package and those it needs that are not installed.
    pub(crate) fn needed(&self, package: &str) -> Result<Vec<String>> {
        // What is simulated is only told aloud.
        let aloud = self.options.iter().map(String::as_str).filter(|option| *option != "-qq");
        let arguments = aloud.chain(INSTALL).chain(["-q", "--simulate", package]);
        let simulated = program::read(&mut program::command("apt-get", arguments))?;
        let names = simulated.lines().filter_map(|line| line.strip_prefix("Inst "));
        Ok(names.map(|rest| first_word(rest).to_owned()).collect())
    }

    /// The source package that a package is built from.
    fn source(&self, package: &str) -> String {
        let source = self.field(package, "Source").unwrap_or_else(|_| package.to_owned());
        first_word(&source).to_owned()
    }

    fn simulate(&self, packages: &[String]) -> Result<()> {
        let arguments =
            INSTALL.iter().copied().chain(["--simulate"]).chain(packages.iter().map(String::as_str));
        program::read(&mut self.command("apt-get", arguments)).map(drop)
    }

    /// The command that installs it, for root.
    pub(crate) fn install(&self, installation: &Installation) -> Command {
        let packages = installation.packages.iter().map(String::as_str);
        let mut command = self.command("apt-get", INSTALL.iter().copied().chain(packages));
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// What a person types who is not root.
    pub(crate) fn line_to_type(installation: &Installation) -> String {
        let packages = installation.packages.join(" ");
        format!("sudo apt-get update; sudo apt-get {} {packages}", INSTALL.join(" "))
    }

    fn command<'a>(&'a self, program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        program::command(program, self.options.iter().map(String::as_str).chain(arguments))
    }
}

/// Nothing of a person's is removed for our sake.
const INSTALL: [&str; 5] =
    ["install", "--yes", "--no-install-recommends", "--no-remove", "--allow-downgrades"];

/// Every package that is offered in `version` at that version.
fn all_at(
    version: &str,
    missing: &[String],
    siblings: &[Installed],
    offered: &BTreeMap<String, Vec<String>>,
) -> Installation {
    let pinned = |package: &str| format!("{package}={version}");
    let is_offered = |package: &str| {
        offered.get(package).is_some_and(|versions| versions.iter().any(|candidate| candidate == version))
    };
    let mut packages: Vec<String> = missing
        .iter()
        .map(|package| if is_offered(package) { pinned(package) } else { package.clone() })
        .collect();
    let mut changes = Vec::new();
    for sibling in siblings.iter().filter(|sibling| sibling.version != version && is_offered(&sibling.name)) {
        packages.push(pinned(&sibling.name));
        changes.push(format!(
            "{} goes from {} to {version}, the version that goes together with what is missing",
            sibling.name, sibling.version
        ));
    }
    Installation { packages, changes }
}

/// An installed package.
#[derive(Debug)]
struct Installed {
    name: String,
    source: String,
    version: String,
}

/// Reads dpkg's status file (deb822 stanzas; `man deb822`).
fn installed_packages(status: &Path) -> Result<Vec<Installed>> {
    let text = fs::read_to_string(status)?;
    Ok(text.split("\n\n").filter_map(installed_package).collect())
}

fn installed_package(stanza: &str) -> Option<Installed> {
    let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let name = field("Package")?.to_owned();
    field("Status")?.ends_with(" installed").then_some(())?;
    let source = first_word(field("Source").unwrap_or(&name)).to_owned();
    Some(Installed { source, version: field("Version")?.to_owned(), name })
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host's packages, but with qemu-utils of a release that does not exist and breaks every other QEMU.
    fn status_with_newer_qemu_utils() -> String {
        let status = fs::read_to_string(Apt::host().status).unwrap();
        let mut stanzas: Vec<&str> = status
            .split("\n\n")
            .filter(|stanza| !stanza.starts_with("Package: qemu-"))
            .map(str::trim)
            .collect();
        stanzas.push(
            "Package: qemu-utils\nStatus: install ok installed\nArchitecture: amd64\nSource: qemu\n\
             Maintainer: nobody\nVersion: 1:99.0\nBreaks: qemu-system-common (<< 1:99.0)\nDescription: newer",
        );
        stanzas.join("\n\n") + "\n"
    }

    #[test]
    fn a_newer_sibling_steps_down_so_that_the_missing_package_comes_in() {
        if !Apt::host().offers("qemu-system-arm") {
            println!("skipped: apt's lists offer no qemu-system-arm here; run `cargo xtask setup` first");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let status = directory.path().join("status");
        fs::write(&status, status_with_newer_qemu_utils()).unwrap();
        let options = [
            format!("-oDir::State::status={}", status.display()),
            format!("-oDir::Cache={}", directory.path().display()),
            "-qq".to_owned(),
        ];
        let apt = Apt { options: options.into(), status };
        let found = apt.installation(&["qemu-system-arm".to_owned()]).unwrap();
        assert!(found.packages.iter().all(|package| package.contains('=')), "{found:?}");
        assert!(found.changes[0].starts_with("qemu-utils goes from 1:99.0 to "), "{found:?}");
    }

    #[test]
    fn only_installed_packages_count_and_the_source_defaults_to_the_name() {
        let gone = "Package: a\nStatus: deinstall ok config-files\nVersion: 1";
        let plain = "Package: b\nStatus: install ok installed\nVersion: 2";
        let built = "Package: c\nStatus: install ok installed\nSource: d (3)\nVersion: 3+b1";
        assert!(installed_package(gone).is_none());
        assert_eq!(installed_package(plain).unwrap().source, "b");
        assert_eq!(installed_package(built).unwrap().source, "d");
    }
}
