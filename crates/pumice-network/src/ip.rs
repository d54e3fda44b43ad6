//! Calls of `ip` (iproute2), which makes and removes interfaces.

use std::process::{Command, Stdio};

/// Runs `ip WORDS`. On an error gives a message and what to do.
pub(crate) fn run(search_path: &str, words: &[&str]) -> Result<(), (String, String)> {
    let shown = words.join(" ");
    let program = std::env::split_paths(search_path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .map(|directory| directory.join("ip"))
        .find(|path| path.is_file());
    let Some(program) = program else {
        return Err((
            "`ip` is not on this host".to_owned(),
            "install it: apt-get install iproute2".to_owned(),
        ));
    };
    let output = Command::new(program)
        .args(words)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| (format!("cannot run `ip {shown}`: {error}"), String::new()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let hint = if said.contains("/dev/net/tun") {
        "the kernel's tun driver must be there (modprobe tun), and /dev/net/tun readable and writable for this user"
    } else {
        "the right to administer networks (CAP_NET_ADMIN) is needed; `pumice doctor` says what this host allows"
    };
    Err((format!("`ip {shown}` failed: {}", said.trim()), hint.to_owned()))
}
