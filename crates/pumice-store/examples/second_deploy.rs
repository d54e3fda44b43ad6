//! How long a second deploy of an image takes.
//!
//! `cargo run --release -p pumice-store --example second_deploy [MIB]` makes an image (1024 MiB), fetches it twice through
//! a fresh store and makes a job's own view of it each time, and prints both times and how the view was made.

#![expect(clippy::print_stdout, reason = "printing a figure is what it is for")]

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use pumice_store::{Cancel, Control, Request, Store, View};
use pumice_types::Deadline;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mib = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 1024,
    };
    let directory = tempfile::Builder::new().prefix("second-deploy-").tempdir_in("target")?;
    let image = directory.path().join("image");
    make(&image, mib)?;
    let store = Store::open(&directory.path().join("store"))?;
    let url = format!("file://{}", image.canonicalize()?.display());
    let first = deploy(&store, &url, &directory.path().join("first"))?;
    let mut again = Vec::new();
    for number in 0..5 {
        again.push(deploy(&store, &url, &directory.path().join(number.to_string()))?);
    }
    again.sort();
    let second = again[again.len() / 2];
    println!("first deploy of {mib} MiB: {:.1} ms", first.as_secs_f64() * 1000.0);
    println!("second deploy: {:.2} ms (median of 5)", second.as_secs_f64() * 1000.0);
    println!("ratio: {:.5}", second.as_secs_f64() / first.as_secs_f64());
    Ok(())
}

/// An image in which no two blocks are the same.
fn make(path: &Path, mib: u64) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..mib << 17 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// What a job does: fetch, and a view as a disk to write to.
fn deploy(store: &Store, url: &str, into: &Path) -> Result<Duration> {
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(600), "the benchmark");
    let cancel = Cancel::new();
    let mut progress = |_| {};
    let started = Instant::now();
    let mut control = Control { deadline: &deadline, cancel: &cancel, progress: &mut progress };
    let artifact = store.fetch(&Request::new(url), &mut control)?;
    store.view(&artifact, into, View::Disk)?;
    Ok(started.elapsed())
}
