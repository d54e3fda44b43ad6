//! A whole job against the same by hand, in turns.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use super::{
    by_hand::{self, Machine},
    figures::{Times, milliseconds, promised},
    program,
    usage::{self, Usage},
};
use crate::{
    guests::{self, Freshness},
    program::command,
    setup,
    workspace::{root, say, target},
};

/// How often each is done; medians count. One more of each goes before, to fill caches.
const ROUNDS: usize = 10;

/// What the machine says when it is ready.
const PROMPT: &[u8] = b"guest login:";

/// What a run of ours took.
struct Ours {
    usage: Usage,
    /// The machine began, since the start.
    begun: Duration,
    /// The login prompt was there, since the start.
    prompt: Duration,
}

/// Runs both in turns and prints medians.
pub(super) fn run() -> Result<()> {
    setup::programs()?;
    guests::run(Freshness::AsTheyAre)?;
    let bench = Bench::new(program()?)?;
    let guest = |file: &str| target().join("guests/arm64").join(file).to_string_lossy().into_owned();
    let machine = Machine::of(&bench.command_line()?, &guest("kernel"), &guest("initrd.cpio.gz"))?;
    println!("    by hand: {}", machine.command_line());
    machine.run()?;
    let (mut hand, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        // Who begins changes, so that neither gains from what the other left.
        if round % 2 == 0 {
            hand.push(machine.run()?);
            ours.push(bench.job()?);
        } else {
            ours.push(bench.job()?);
            hand.push(machine.run()?);
        }
        if let (Some(hand), Some(ours)) = (hand.last(), ours.last()) {
            let [by, our] = [hand.whole, ours.usage.wall].map(milliseconds);
            say(&format!("round {round} of {ROUNDS}: by hand {by}, ours {our}"));
        }
    }
    report(&hand, &ours);
    Ok(())
}

fn report(hand: &[by_hand::Times], ours: &[Ours]) {
    let by = |what: fn(&by_hand::Times) -> Duration| hand.iter().map(what).collect::<Times>();
    let our = |what: fn(&Ours) -> Duration| ours.iter().map(what).collect::<Times>();
    let (by_prompt, our_prompt) = (by(|one| one.prompt), our(|one| one.prompt));
    let (by_whole, our_whole) = (by(|one| one.whole), our(|one| one.usage.wall));
    println!("job: to the login prompt: by hand {by_prompt}, ours {our_prompt}");
    println!("job: the whole: by hand {by_whole}, ours {our_whole}");
    // The boot itself is the simulator's, and its noise is larger than all the rest.
    let before = our(|one| one.begun);
    let (by_boot, our_boot) = (by_prompt.clone(), our(|one| one.prompt.saturating_sub(one.begun)));
    let (by_rest, our_rest) = (
        by(|one| one.whole.saturating_sub(one.prompt)),
        our(|one| one.usage.wall.saturating_sub(one.prompt)),
    );
    println!("job: before the machine begins: ours {before}");
    println!("job: from there to the login prompt: by hand {by_boot}, ours {our_boot}");
    println!("job: from the login prompt to the end: by hand {by_rest}, ours {our_rest}");
    let less = |ours: &Times, by: &Times| ours.median().as_secs_f64() - by.median().as_secs_f64();
    let whole = less(&our_whole, &by_whole) * 1000.0;
    let without_boot = (before.median().as_secs_f64() + less(&our_rest, &by_rest)) * 1000.0;
    println!("job: overhead without the boot: {without_boot:.0} ms");
    promised("job: overhead", &format!("{whole:.0} ms"), "at most 50 ms", whole <= 50.0);
    let (by_cpu, our_cpu) = (by(|one| one.cpu), our(|one| one.usage.others_cpu));
    println!("job: CPU time of the simulator: by hand {by_cpu}, ours {our_cpu}");
    let (own, helper) = (our(|one| one.usage.cpu), our(|one| one.usage.helper_cpu));
    let cpu = own.median() + helper.median();
    let figure = format!("{} (the job's process {own}, its watcher {helper})", milliseconds(cpu));
    promised("job: our own CPU time", &figure, "at most 40 ms", cpu <= Duration::from_millis(40));
    let peak = ours.iter().map(|one| one.usage.peak_kib).max().unwrap_or_default();
    let helper = ours.iter().map(|one| one.usage.helper_peak_kib).max().unwrap_or_default();
    let own = ours.iter().map(|one| one.usage.own_peak_kib).max().unwrap_or_default();
    let figure = format!("{peak} KiB, {own} KiB of that no page of a file (its watcher {helper} KiB)");
    promised("job: our own memory at the peak", &figure, "at most 10 MiB", peak <= 10 * 1024);
}

/// Where everything is.
struct Bench {
    program: PathBuf,
    job: PathBuf,
    output: PathBuf,
    places: [String; 4],
}

impl Bench {
    fn new(program: PathBuf) -> Result<Self> {
        let directory = target().join("bench/job");
        fs::create_dir_all(&directory)?;
        let definition = fs::read_to_string(root().join("bench/five-cases.yaml"))?;
        let job = directory.join("five-cases.yaml");
        fs::write(&job, definition.replace("@GUESTS@", &target().join("guests").to_string_lossy()))?;
        let place = |name: &str| directory.join(name).to_string_lossy().into_owned();
        let places = ["--cache".to_owned(), place("cache"), "--state".to_owned(), place("state")];
        Ok(Self { program, job, output: directory.join("output"), places })
    }

    /// The machine's command line, from the log of a first run, which fills the caches too.
    fn command_line(&self) -> Result<String> {
        self.job()?;
        let log = fs::read_to_string(self.output.join("logs.yaml"))?;
        let line = log.lines().find_map(|line| line.split_once("\"starting "));
        let (command_line, _) =
            line.and_then(|(_, rest)| rest.rsplit_once('"')).context("no machine began")?;
        Ok(command_line.to_owned())
    }

    /// One `pumice run`.
    fn job(&self) -> Result<Ours> {
        if self.output.exists() {
            fs::remove_dir_all(&self.output)?;
        }
        let mut run = command(&self.program, ["run", "--quiet", "--device-type", "qemu", "--output-dir"]);
        run.arg(&self.output).args(&self.places).arg(&self.job).stdout(Stdio::null()).stderr(Stdio::null());
        let transcript = self.output.join("transcripts/common.transcript");
        let mut begun = None;
        let started = Instant::now();
        let mut child = run.spawn().context("cannot start pumice")?;
        let usage = usage::watch(&mut child, &self.program, started, |now| {
            if begun.is_none() && transcript.exists() {
                begun = Some(now);
            }
        })?;
        let status = child.wait()?;
        if !status.success() {
            bail!("the job did not pass ({status}); its log is in {}", self.output.display());
        }
        let begun = begun.context("no machine began")?;
        Ok(Ours { usage, begun, prompt: begun + said(&fs::read(&transcript)?, PROMPT)? })
    }
}

/// When the machine said `text`, since the transcript's start (docs/protocol/transcript.md).
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
