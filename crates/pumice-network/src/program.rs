//! The programs of this host that make networks.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// What went wrong, and what to do.
pub(crate) type Refused = (String, String);

/// The program of that name: on the search path, or where administrators' programs are (FHS 3.0, sections 3.16 and
/// 4.10), which is on no ordinary user's path.
pub(crate) fn find(name: &str, package: &str, search_path: &str) -> Result<PathBuf, Refused> {
    std::env::split_paths(search_path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            (format!("`{name}` is not on this host"), format!("install it: apt-get install {package}"))
        })
}

/// Runs `ip WORDS` (iproute2), which shows, makes and removes interfaces. Gives what it says.
pub(crate) fn ip(search_path: &str, words: &[&str]) -> Result<String, Refused> {
    let output = Command::new(find("ip", "iproute2", search_path)?)
        .args(words)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| (format!("cannot run `ip {}`: {error}", words.join(" ")), String::new()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let hint = if said.contains("/dev/net/tun") {
        "the kernel's tun driver must be there (modprobe tun), and /dev/net/tun readable and writable for this user"
    } else {
        "the right to administer networks (CAP_NET_ADMIN) is needed; `pumice doctor` says what this host allows"
    };
    Err((format!("`ip {}` failed: {}", words.join(" "), said.trim()), hint.to_owned()))
}
