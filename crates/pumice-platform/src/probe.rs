//! Asking a program for its version, and remembering the answer.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pumice_process::OutputError;
use pumice_types::Deadline;

use crate::Host;

/// The most that is kept of an answer: lists of parameters are the longest.
const LIMIT_BYTES: usize = 16 << 20;

/// What `program` prints on both its outputs with `arguments`. The answer is kept in the host's cache directory
/// under the program's identity (path, inode, size, time of change) and its environment, so that a second run costs nothing. An
/// answer that was cut short or came with a failure is not kept.
pub async fn probe_output(
    host: &Host,
    program: &Path,
    arguments: &[&str],
    patience: Duration,
) -> Result<String, OutputError> {
    let cached = cache_file(host, program, arguments);
    if let Some(text) = cached.as_ref().and_then(|path| fs::read_to_string(path).ok()) {
        return Ok(text);
    }
    let deadline = Deadline::after(Instant::now(), patience, "the look at the simulator");
    let output = host.guard.output(host.command(program, arguments), LIMIT_BYTES, &deadline).await?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if let Some(path) = cached
        && output.exit.status.is_success()
        && !output.is_truncated
    {
        // A cache that cannot be written costs time, nothing else.
        let _ = keep(&path, &text);
    }
    Ok(text)
}

fn cache_file(host: &Host, program: &Path, arguments: &[&str]) -> Option<PathBuf> {
    let key = if let Some(inside) = &host.inside {
        inside.key(program, arguments)?
    } else {
        let meta = fs::metadata(program).ok()?;
        let times = (meta.mtime(), meta.mtime_nsec());
        format!("{:?}", (program, arguments, meta.dev(), meta.ino(), meta.size(), times, &host.environment.0))
    };
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Some(host.cache_dir.as_ref()?.join(format!("probe-{hash:016x}")))
}

fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&temporary, text)?;
    fs::rename(temporary, path)
}
