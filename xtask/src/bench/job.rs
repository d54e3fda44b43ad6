//! A whole job against the same by hand, in turns.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::{
    bench::{
        by_hand::{self, Times},
        usage::{self, Usage},
    },
    guests::{self, Freshness},
    program::{self, command},
    workspace::{root, say, target},
};

/// How often each is done; the median counts. One more of each goes before, to fill caches.
const ROUNDS: usize = 3;

/// What a run of ours took.
struct Ours {
    usage: Usage,
    /// The login prompt was there, since the start of the transcript.
    prompt: Duration,
}

/// Runs both in turns and prints medians and their ratio.
pub(crate) fn run() -> Result<()> {
    guests::run(Freshness::AsTheyAre)?;
    program::run(&mut command("cargo", ["build", "--release", "--locked", "--package", "pumice"]))?;
    let directory = target().join("bench");
    fs::create_dir_all(&directory)?;
    let definition = fs::read_to_string(root().join("bench/five-cases.yaml"))?;
    let job = directory.join("five-cases.yaml");
    fs::write(&job, definition.replace("@GUESTS@", &target().join("guests").to_string_lossy()))?;
    let mut hand: Vec<Times> = Vec::new();
    let mut ours: Vec<Ours> = Vec::new();
    for round in 0..=ROUNDS {
        say(&format!("round {round} of {ROUNDS}{}", if round == 0 { ", not counted" } else { "" }));
        let (times, run) = (by_hand::run()?, pumice(&job, &directory.join("output"))?);
        println!("    by hand {}, ours {}", seconds(times.whole), seconds(run.usage.wall));
        if round > 0 {
            hand.push(times);
            ours.push(run);
        }
    }
    let by = median(hand.iter().map(|one| one.whole));
    let whole = median(ours.iter().map(|one| one.usage.wall));
    compare(
        "login prompt",
        median(hand.iter().map(|one| one.prompt)),
        median(ours.iter().map(|one| one.prompt)),
    );
    compare("whole job", by, whole);
    let overhead = whole.as_secs_f64() - by.as_secs_f64();
    println!("job: overhead {:.0} ms (ours minus by hand)", overhead * 1000.0);
    println!("job: our own CPU time {} ms", median(ours.iter().map(|one| one.usage.cpu)).as_millis());
    let peak = ours.iter().map(|one| one.usage.peak_kib).max().unwrap_or_default();
    println!("job: our own memory at most {:.1} MiB", f64::from(u32::try_from(peak)?) / 1024.0);
    Ok(())
}

/// One `pumice run`.
fn pumice(job: &Path, output: &Path) -> Result<Ours> {
    if output.exists() {
        fs::remove_dir_all(output)?;
    }
    let program = std::env::var_os("CARGO_TARGET_DIR").map_or_else(target, |path| root().join(path));
    let mut run =
        command(program.join("release/pumice"), ["run", "--quiet", "--device-type", "qemu", "--output-dir"]);
    run.arg(output).arg(job).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut child = run.spawn().context("cannot start pumice")?;
    let usage = usage::watch(&mut child, started)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("the job did not pass ({status}); its log is in {}", output.display());
    }
    let transcript = fs::read(output.join("transcripts/common.transcript"))?;
    Ok(Ours { usage, prompt: said(&transcript, b"guest login:")? })
}

/// When the machine said `text`, in microseconds of the transcript (docs/protocol/transcript.md).
fn said(transcript: &[u8], text: &[u8]) -> Result<Duration> {
    let mut rest = transcript.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default();
    let mut heard = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let header = String::from_utf8_lossy(&rest[..end]).into_owned();
        let fields: Vec<&str> = header.splitn(4, ' ').collect();
        let [time, direction, length, _] = fields[..] else { bail!("not a transcript: {header}") };
        let (from, length) = (end + 1, length.parse::<usize>()?);
        let Some(bytes) = rest.get(from..from + length) else { break };
        if direction == "<" {
            heard.extend_from_slice(bytes);
            if heard.windows(text.len()).any(|window| window == text) {
                return Ok(Duration::from_micros(time.parse()?));
            }
            // A text may be cut in two; more than its own length is not needed again.
            heard.drain(..heard.len().saturating_sub(text.len()));
        }
        rest = rest.get(from + length + 1..).unwrap_or_default();
    }
    bail!("the machine never said `{}`", String::from_utf8_lossy(text))
}

fn compare(what: &str, by_hand: Duration, ours: Duration) {
    let ratio = ours.as_secs_f64() / by_hand.as_secs_f64();
    println!("{what}: by hand {}, ours {}: {ratio:.3} times", seconds(by_hand), seconds(ours));
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn median(of: impl Iterator<Item = Duration>) -> Duration {
    let mut all: Vec<Duration> = of.collect();
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
