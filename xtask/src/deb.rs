//! A Debian package: the program, the services, manual pages and completions (deb(5), deb-control(5)).

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::{
    program::{self, command},
    workspace::{self, say},
};

/// Shells, and where Debian keeps what completes their words.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/pumice"),
    ("zsh", "usr/share/zsh/vendor-completions/_pumice"),
    ("fish", "usr/share/fish/vendor_completions.d/pumice.fish"),
];

/// Packs the program into `target/debian`: one that is built already, or one that is built now, which takes some minutes.
pub(crate) fn run(built: Option<&str>) -> Result<()> {
    let program = if let Some(built) = built {
        built.into()
    } else {
        say("deb: building the program");
        let words = ["build", "--profile", "dist", "--locked", "-p", "pumice"];
        program::run(command("cargo", words).current_dir(workspace::root()))?;
        workspace::target().join("dist/pumice")
    };
    let package = pack(&program, &workspace::target().join("debian"))?;
    say(&format!("deb: {}", package.display()));
    Ok(())
}

/// Packs a program that is built. The directory's former content is gone.
pub(crate) fn pack(program: &Path, directory: &Path) -> Result<PathBuf> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    let stage = directory.join("stage");
    put(&stage, "usr/bin/pumice", &fs::read(program)?, 0o755)?;
    symlink("pumice", stage.join("usr/bin/lava-run"))?;

    let packaging = workspace::root().join("packaging");
    for unit in ["pumice-server.service", "pumice-worker.service"] {
        let text = fs::read(packaging.join("systemd").join(unit))?;
        put(&stage, &format!("lib/systemd/system/{unit}"), &text, 0o644)?;
    }
    for (shell, place) in COMPLETIONS {
        let text = program::read(command(program, ["completions"]).arg(shell))?;
        put(&stage, place, text.as_bytes(), 0o644)?;
    }
    let pages = stage.join("usr/share/man/man1");
    fs::create_dir_all(&pages)?;
    program::run(command(program, ["manual"]).arg(&pages))?;
    let mut made: Vec<_> = fs::read_dir(&pages)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    made.sort();
    program::run(command("gzip", ["-9", "-n"]).args(made))?;
    for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        let text = fs::read(workspace::root().join(name))?;
        put(&stage, &format!("usr/share/doc/pumice/{name}"), &text, 0o644)?;
    }

    put(&stage, "DEBIAN/control", control(&stage)?.as_bytes(), 0o644)?;
    put(&stage, "DEBIAN/postinst", &fs::read(packaging.join("debian/postinst"))?, 0o755)?;
    put(&stage, "DEBIAN/prerm", &fs::read(packaging.join("debian/prerm"))?, 0o755)?;
    let package = directory.join(format!("pumice_{}_{}.deb", version(), architecture()?));
    program::run(command("dpkg-deb", ["--root-owner-group", "--build"]).arg(&stage).arg(&package))?;
    Ok(package)
}

fn put(stage: &Path, name: &str, content: &[u8], mode: u32) -> Result<()> {
    let path = stage.join(name);
    fs::create_dir_all(path.parent().context("a name has a directory")?)?;
    fs::write(&path, content)?;
    fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
    Ok(())
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn architecture() -> Result<String> {
    Ok(program::read(&mut command("dpkg", ["--print-architecture"]))?.trim().to_owned())
}

fn control(stage: &Path) -> Result<String> {
    let size = program::read(command("du", ["-k", "-s"]).arg(stage))?;
    let kibibytes = size.split_whitespace().next().unwrap_or("0").to_owned();
    Ok(format!(
        "Package: pumice\nVersion: {}\nArchitecture: {}\nMaintainer: The Pumice project <pumice@example.invalid>\n\
         Installed-Size: {kibibytes}\nDepends: libc6 (>= 2.36), libgcc-s1, adduser\n\
         Recommends: qemu-system-arm, qemu-system-x86, git, ca-certificates, iproute2, slirp4netns\nSuggests: postgresql\n\
         Conflicts: lava-dispatcher\nSection: devel\nPriority: optional\nHomepage: {}\n\
         Description: puts an operating-system image on a virtual platform and says whether it works\n \
         Runs LAVA's job definitions on Arm Fast Models, FVPs, QEMU and other simulators, on one\n \
         machine or in a lab with queue, workers, web pages and LAVA's APIs.\n",
        version(),
        architecture()?,
        env!("CARGO_PKG_REPOSITORY"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that answers as `pumice` does where the package asks it.
    const PROGRAM: &str = "#!/bin/sh\ncase $1 in\ncompletions) echo \"words for $2\" ;;\n\
                           manual) echo '.TH pumice 1' > \"$2/pumice.1\" ;;\nesac\n";

    #[test]
    fn the_package_holds_program_services_pages_and_completions() {
        if program::find("dpkg-deb").is_none() {
            println!("skipped: there is no dpkg-deb");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("pumice");
        fs::write(&script, PROGRAM).unwrap();
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let package = pack(&script, &directory.path().join("debian")).unwrap();
        let listed = program::read(command("dpkg-deb", ["--contents"]).arg(&package)).unwrap();
        for name in [
            "./usr/bin/pumice",
            "./usr/bin/lava-run -> pumice",
            "./lib/systemd/system/pumice-server.service",
            "./usr/share/man/man1/pumice.1.gz",
            "./usr/share/bash-completion/completions/pumice",
        ] {
            assert!(listed.contains(name), "{name} in {listed}");
        }
        let version = program::read(command("dpkg-deb", ["--field"]).arg(&package).arg("Version")).unwrap();
        assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
    }
}
