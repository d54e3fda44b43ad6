//! How many console lines one second of CPU time carries.
//!
//! `cargo run --release -p pumice-console --example console_rate [LINES]` sends a boot log through a real pipe
//! to a console that waits for four prompts and watches for kernel messages, and prints the lines per CPU
//! second of the thread that drains it, and what it kept in memory. The writer is another thread, whose time is
//! not counted.

#![expect(clippy::print_stdout, reason = "printing a figure is what it is for")]

use std::{
    fs,
    io::Write as _,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use pumice_console::{
    Connection, Console, ConsoleOptions, LineSplitter, Patterns, Recorder, Unrecorded, kernel_watches,
};
use pumice_types::Deadline;
use tokio::net::unix::pipe;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Splits lines as a run does for its log.
#[derive(Default)]
struct Lines {
    splitter: LineSplitter,
    count: u64,
}

impl Recorder for Lines {
    fn bytes(&mut self, _: &str, _: Instant, bytes: &[u8]) {
        let count = &mut self.count;
        self.splitter.feed(bytes, |_| *count += 1);
    }
}

const PROMPTS: [&str; 4] = [r"root@.*:~# $", "login:", r"lava-test: # ", r"\(initramfs\) "];

fn main() -> Result<()> {
    let lines = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 1_000_000,
    };
    rate("matched", lines, &PROMPTS, Unrecorded)?;
    rate("matched and split into lines", lines, &PROMPTS, Lines::default())?;
    rate("matched, prompts without fixed text", lines, &[r"[\w-]+@[\w-]+:\S*[#$] ", r"[>#] $"], Unrecorded)?;
    Ok(())
}

/// Sends the log and prints what it cost.
fn rate(what: &str, lines: u64, prompts: &[&str], recorder: impl Recorder + 'static) -> Result<()> {
    let (reader, mut writer) = std::io::pipe()?;
    let block = boot_log();
    let count = memchr::memchr_iter(b'\n', &block).count() as u64;
    let sender = std::thread::spawn(move || {
        for _ in 0..lines.div_ceil(count) {
            writer.write_all(&block)?;
        }
        writer.write_all(b"root@debian:~# ")
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sent = lines.div_ceil(count) * count;
    let cost = runtime.block_on(async {
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let options = ConsoleOptions { watches: kernel_watches(), ..ConsoleOptions::default() };
        let patterns = Patterns::python(prompts)?;
        let deadline = Deadline::after(Instant::now(), Duration::from_secs(600), "the benchmark");
        let before = cpu_time()?;
        let mut console = Console::start("main", Connection::read_only(reader), recorder, options)?;
        console.expect(&patterns, &deadline).await?;
        Result::Ok(cpu_time()?.saturating_sub(before))
    })?;
    sender.join().map_err(|_| "the writer panicked")??;
    let each = cost.as_nanos() / u128::from(sent.max(1));
    let rate = u128::from(sent) * 1_000_000_000 / cost.as_nanos().max(1);
    println!("{what}: {rate} lines per CPU second, {each} ns a line, peak memory {}", peak()?);
    Ok(())
}

/// A thousand lines like those of a boot, 68 bytes each on average.
fn boot_log() -> Vec<u8> {
    let mut log = Vec::new();
    for number in 0..1000 {
        let line = format!(
            "[{:5}.{:06}] usb {}-{}: new high-speed USB device number {number} using xhci\r\n",
            number / 100,
            (number * 7919) % 1_000_000,
            number % 8,
            number % 4,
        );
        log.extend_from_slice(line.as_bytes());
    }
    log
}

/// The CPU time of this thread (`/proc/[pid]/schedstat`: nanoseconds on the CPU).
fn cpu_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// The most memory this process had resident.
fn peak() -> Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}
