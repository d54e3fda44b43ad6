//! Our own log, kept away from the outside.
//!
//! A driver must see what a model would print and nothing else, so what the stand-in itself has to say (which
//! device tree it put in place of the one given, how it started QEMU) goes to the file named by the knob `log`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

struct Journal {
    file: Mutex<File>,
    opened: Instant,
}

static JOURNAL: OnceLock<Journal> = OnceLock::new();

/// Opens the log for appending. Without this call every note is dropped.
pub(crate) fn open(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    JOURNAL.get_or_init(|| Journal { file: Mutex::new(file), opened: Instant::now() });
    Ok(())
}

/// A second handle on the log, for the output of a child; `None` when there is no log.
pub(crate) fn handle() -> Option<File> {
    let journal = JOURNAL.get()?;
    journal.file.lock().unwrap_or_else(PoisonError::into_inner).try_clone().ok()
}

/// Writes one line: seconds since the start, process id, text.
pub(crate) fn note(text: &str) {
    if let Some(journal) = JOURNAL.get() {
        let seconds = journal.opened.elapsed().as_secs_f64();
        let line = format!("{seconds:9.3} [{}] {text}\n", std::process::id());
        // A full disk must not change how the model behaves.
        drop(journal.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()));
    }
}
