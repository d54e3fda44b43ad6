//! Coverage-guided fuzzing of every reader of bytes from outside: `fuzz/`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::{
    program::{self, command},
    setup,
    workspace::{root, say, target},
};

/// Seconds each target runs in the suite: enough to meet again what once failed, and what is easily found.
const SHORT: u32 = 4;

/// Targets that run at once.
const LANES: usize = 2;

/// A short run of every target, where cargo-fuzz is installed.
pub(crate) fn short() -> Result<()> {
    if !setup::has_fuzzer() {
        say("fuzzing: skipped, cargo-fuzz is not installed");
        return Ok(());
    }
    run(SHORT, &[])
}

/// Runs the named targets, or all, for so many seconds each.
///
/// # Errors
/// No such target; a target that does not build; an input that fails, which is kept in `fuzz/artifacts/TARGET/`.
pub(crate) fn run(seconds: u32, names: &[&str]) -> Result<()> {
    let list = program::read(&mut cargo_fuzz(&["list"])).context("is cargo-fuzz installed?")?;
    let all: Vec<&str> = list.lines().collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("no fuzz target is called {unknown}; there are: {}", all.join(", "));
    }
    let chosen = if names.is_empty() { &all } else { names };
    say("fuzzing: building the targets");
    let directory = target().join("fuzz");
    // Without a sanitizer: all of ours is safe Rust, and panics, hangs and memory are noticed without one.
    let mut build = cargo_fuzz(&["build", "--release", "--sanitizer", "none", "--target-dir"]);
    program::run(build.arg(&directory))?;
    say(&format!("fuzzing {} targets for {seconds} seconds each", chosen.len()));
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(name) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match fuzz(&directory, name, seconds) {
                        Ok(line) => println!("    {name}: {line}"),
                        Err(error) => failures.lock().unwrap_or_else(PoisonError::into_inner).push(error),
                    }
                }
            });
        }
    });
    match failures.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().next() {
        None => Ok(()),
        Some(first) => Err(first),
    }
}

/// Runs one target and says how far it came.
fn fuzz(directory: &Path, name: &str, seconds: u32) -> Result<String> {
    let (corpus, artifacts) =
        (root().join("fuzz/corpus").join(name), root().join("fuzz/artifacts").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut arguments = vec![
        format!("-max_total_time={seconds}"),
        format!("-artifact_prefix={}/", artifacts.display()),
        "-timeout=30".to_owned(),
        "-rss_limit_mb=1024".to_owned(),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
        corpus.display().to_string(),
    ];
    // What failed once, and samples that are sound.
    for kept in ["regressions", "seeds"] {
        let kept = root().join("fuzz").join(kept).join(name);
        arguments.extend(kept.is_dir().then(|| kept.display().to_string()));
    }
    let output = command(program(directory, name), &arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("fuzz target {name} failed:\n{said}\nrun it again: cargo xtask fuzz {seconds} {name}");
    }
    let figure = |key: &str| {
        let line = said.lines().find(|line| line.contains(key));
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or("?").to_owned()
    };
    let (runs, peak) = (figure("number_of_executed_units"), figure("peak_rss_mb"));
    Ok(format!("{runs} inputs, {peak} MB at the peak"))
}

/// Where cargo-fuzz puts a target: below the name of the host's platform.
fn program(directory: &Path, name: &str) -> PathBuf {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    directory.join(platform).join("release").join(name)
}

/// cargo-fuzz needs the compiler's unstable flags, which the one toolchain there is allows when told so.
fn cargo_fuzz(arguments: &[&str]) -> Command {
    let (first, rest) = arguments.split_first().unwrap_or((&"list", &[]));
    let mut command = command("cargo", ["fuzz", first]);
    command.args(["--fuzz-dir"]).arg(root().join("fuzz")).args(rest).env("RUSTC_BOOTSTRAP", "1");
    command
}
