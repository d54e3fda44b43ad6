//! The programs of e2fsprogs.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::Ext4Error;

/// Where they are on hosts whose users have no `sbin` in their path.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Runs a program with exactly these arguments, nothing on its input and no settings but a fixed locale, and
/// waits for its end. `time`, in seconds since 1970, is what it writes as the time of what it does.
pub(super) fn run(program: &'static str, arguments: &[OsString], time: u64) -> Result<Output, Ext4Error> {
    let path = find(program).ok_or(Ext4Error::Missing(program))?;
    let output = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        // Without it they answer questions about the time of writing with the clock (e2fsprogs, lib/ext2fs).
        .env("E2FSPROGS_FAKE_TIME", time.max(1).to_string())
        // mke2fs would wait for an answer where it finds something it knows.
        .stdin(Stdio::null())
        .output()?;
    Ok(output)
}

/// An error unless the program ended well.
pub(super) fn check(program: &'static str, output: &Output) -> Result<(), Ext4Error> {
    if output.status.success() {
        return Ok(());
    }
    let said = complaints(&output.stderr).join("; ");
    let message = if said.is_empty() { output.status.to_string() } else { said };
    Err(Ext4Error::Program { program, message })
}

/// What a program said on its error output, its banner left out.
pub(super) fn complaints(stderr: &[u8]) -> Vec<String> {
    let is_banner = |line: &str| {
        ["debugfs ", "mke2fs ", "e2fsck "].iter().any(|name| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    String::from_utf8_lossy(stderr)
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_banner(line))
        .map(str::to_owned)
        .collect()
}

/// The argument that names a file system inside a file: e2fsprogs take options behind a `?`
/// (`ext2fs_open2`, lib/ext2fs/openfs.c).
pub(super) fn at_offset(path: &Path, offset: u64) -> Result<OsString, Ext4Error> {
    let path = std::path::absolute(path)?;
    if path.as_os_str().as_encoded_bytes().contains(&b'?') {
        return Err(Ext4Error::Name(path.display().to_string()));
    }
    let mut argument = path.into_os_string();
    if offset > 0 {
        argument.push(format!("?offset={offset}"));
    }
    Ok(argument)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    directories.map(|directory| directory.join(OsStr::new(program))).find(|file| file.is_file())
}
