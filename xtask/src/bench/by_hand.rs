//! What a person would do: start the machine, log in, type the five cases, end it.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{program::command, workspace::target};

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
}

/// Boots the image of the job with QEMU's own command line and does by hand what the job does.
pub(crate) fn run() -> Result<Times> {
    let guest = target().join("guests/arm64");
    let file = |name: &str| guest.join(name).to_string_lossy().into_owned();
    let (kernel, initramfs) = (file("kernel"), file("initrd.cpio.gz"));
    let options =
        "-cpu cortex-a57 -machine virt -m 512M -nographic -nic user,model=virtio -append console=ttyAMA0";
    let mut words: Vec<&str> = options.split(' ').collect();
    words.extend(["-kernel", &kernel, "-initrd", &initramfs]);
    let started = Instant::now();
    let mut child = command("qemu-system-aarch64", words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-aarch64")?;
    let prompt = converse(&mut child, started);
    child.kill()?;
    child.wait()?;
    Ok(Times { prompt: prompt?, whole: started.elapsed() })
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
