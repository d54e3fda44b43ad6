//! What a person would do: start the machine, log in, type the five cases, end it.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::usage;
use crate::program::command;

/// The commands of `bench/five-cases.yaml`.
const CASES: [&str; 5] = [
    "uname -srm",
    "uname -m | grep aarch64",
    "grep -q dummy-virt /proc/device-tree/model",
    "echo x > /root/x && rm /root/x",
    "grep MemTotal /proc/meminfo",
];

/// When things happened, since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The login prompt was there.
    pub(crate) prompt: Duration,
    /// The last case was done and the machine gone.
    pub(crate) whole: Duration,
    /// CPU time of the simulator.
    pub(crate) cpu: Duration,
}

/// A machine as a person would start it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    program: String,
    arguments: Vec<String>,
}

impl Machine {
    /// The machine that a command line of ours makes, with its console on the standard streams and without what only a
    /// program needs: the control channel, further serial ports, the start in a stopped state. `kernel` and `initramfs` are
    /// the files that the job names, where ours has its own views of them.
    pub(crate) fn of(command_line: &str, kernel: &str, initramfs: &str) -> Result<Self> {
        let mut words = command_line.split(' ').map(|word| word.trim_matches('\'').to_owned());
        let program = words.next().context("an empty command line")?;
        let mut arguments = Vec::new();
        while let Some(word) = words.next() {
            let mut value = || words.next().context("an option without a value");
            match word.as_str() {
                "-S" | "-no-shutdown" => {}
                "-chardev" | "-mon" | "-qmp" => drop(value()?),
                "-serial" => {
                    let _ = value()?;
                    if !arguments.contains(&word) {
                        arguments.extend([word, "stdio".to_owned()]);
                    }
                }
                "-device" => {
                    let device = value()?;
                    if !device.contains("serial") {
                        arguments.extend([word, device]);
                    }
                }
                "-kernel" | "-initrd" => {
                    let _ = value()?;
                    let file = if word == "-kernel" { kernel } else { initramfs };
                    arguments.extend([word, file.to_owned()]);
                }
                _ => arguments.push(word),
            }
        }
        Ok(Self { program, arguments })
    }

    /// As a person would type it.
    pub(crate) fn command_line(&self) -> String {
        format!("{} {}", self.program, self.arguments.join(" "))
    }

    /// Boots it and does by hand what the job does.
    pub(crate) fn run(&self) -> Result<Times> {
        let started = Instant::now();
        let mut child = command(&self.program, &self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.program))?;
        let prompt = converse(&mut child, started);
        let cpu = usage::cpu_time(child.id()).unwrap_or_default();
        child.kill()?;
        child.wait()?;
        Ok(Times { prompt: prompt?, whole: started.elapsed(), cpu })
    }
}

/// The time to the login prompt.
fn converse(child: &mut Child, started: Instant) -> Result<Duration> {
    let stdin = child.stdin.take().context("no standard input")?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut terminal = Terminal { stdin, stdout, unread: Vec::new() };
    terminal.wait_for("guest login:")?;
    let prompt = started.elapsed();
    terminal.type_line("root")?;
    terminal.wait_for("root@guest:~#")?;
    for case in CASES {
        terminal.type_line(case)?;
        terminal.wait_for("root@guest:~#")?;
    }
    Ok(prompt)
}

struct Terminal {
    stdin: ChildStdin,
    stdout: ChildStdout,
    unread: Vec<u8>,
}

impl Terminal {
    /// Reads up to and with `text`.
    fn wait_for(&mut self, text: &str) -> Result<()> {
        let mut piece = [0; 4096];
        loop {
            let found = self.unread.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.unread.drain(..at + text.len());
                return Ok(());
            }
            let length = self.stdout.read(&mut piece)?;
            if length == 0 {
                bail!("the machine ended before it said `{text}`: {}", String::from_utf8_lossy(&self.unread));
            }
            self.unread.extend_from_slice(&piece[..length]);
        }
    }

    fn type_line(&mut self, line: &str) -> Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes())?;
        Ok(self.stdin.flush()?)
    }
}
