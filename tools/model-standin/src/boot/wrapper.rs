//! The semihosting boot-wrapper of 2012 (reference, section 3.4), imitated.
//!
//! `--kernel F [--dtb F | --fdt F] [--initrd F | --no-initrd] -- KERNEL ARGUMENTS`, read from the core's semihosting
//! command line. The real one is a program in the guest; ours only says what it would load.

use std::path::{Path, PathBuf};

/// Files and arguments, as the command line names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WrapperCommand {
    pub(super) kernel: PathBuf,
    pub(super) dtb: Option<PathBuf>,
    pub(super) initrd: Option<PathBuf>,
    pub(super) append: String,
}

/// Why the boot-wrapper gives up, in its words; those for a file are not public.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum WrapperError {
    /// The command line is not of that form.
    #[error("Incorrect bootwrapper command-line.")]
    CommandLine,
    /// A file it names is not there.
    #[error("[bootwrapper] Couldn't open \"{}\"", .0.display())]
    File(PathBuf),
}

/// Whether a semihosting command line is meant for the boot-wrapper.
pub(super) fn is_command(text: &str) -> bool {
    text.split_whitespace().any(|word| matches!(word, "--kernel" | "--dtb" | "--fdt" | "--initrd" | "--"))
}

/// Reads the command line and looks for the files below `directory`.
pub(super) fn read(text: &str, directory: &Path) -> Result<WrapperCommand, WrapperError> {
    let (options, append) = match text.split_once(" -- ") {
        Some((options, append)) => (options, append),
        None => (text.strip_suffix(" --").unwrap_or(text), ""),
    };
    let mut found = WrapperCommand { append: append.trim().to_owned(), ..WrapperCommand::default() };
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        if word == "--no-initrd" {
            found.initrd = None;
            continue;
        }
        let file = directory.join(words.next().ok_or(WrapperError::CommandLine)?);
        match word {
            "--kernel" => found.kernel = file,
            "--dtb" | "--fdt" => found.dtb = Some(file),
            "--initrd" => found.initrd = Some(file),
            _ => return Err(WrapperError::CommandLine),
        }
    }
    if found.kernel.as_os_str().is_empty() {
        return Err(WrapperError::CommandLine);
    }
    for file in [Some(&found.kernel), found.dtb.as_ref(), found.initrd.as_ref()].into_iter().flatten() {
        if !file.is_file() {
            return Err(WrapperError::File(file.clone()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in ["zImage", "a.dtb", "initrd.img"] {
            std::fs::write(directory.path().join(name), name).unwrap();
        }
        directory
    }

    #[test]
    fn the_two_public_forms_are_read() {
        let directory = directory();
        let found = read(
            "--kernel zImage --fdt a.dtb --initrd initrd.img -- console=ttyAMA0,38400n8 root=/dev/mmcblk0p2 rootwait",
            directory.path(),
        )
        .unwrap();
        assert_eq!(found.kernel, directory.path().join("zImage"));
        assert_eq!(found.dtb, Some(directory.path().join("a.dtb")));
        assert_eq!(found.append, "console=ttyAMA0,38400n8 root=/dev/mmcblk0p2 rootwait");
        let bare = read("--kernel zImage --no-initrd --", directory.path()).unwrap();
        assert_eq!((bare.initrd, bare.append.as_str()), (None, ""));
    }

    #[test]
    fn mistakes_are_told_apart() {
        let directory = directory();
        for text in ["--dtb a.dtb -- x", "--kernel", "--kernel zImage --speed fast -- x", "hello"] {
            assert_eq!(read(text, directory.path()), Err(WrapperError::CommandLine), "{text}");
        }
        assert_eq!(
            read("--kernel uImage -- x", directory.path()),
            Err(WrapperError::File(directory.path().join("uImage")))
        );
    }
}
