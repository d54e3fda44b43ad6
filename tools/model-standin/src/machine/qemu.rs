//! A guest in QEMU.

use super::plan::{QemuPlan, Wanted, plan};
use super::qmp::{Qmp, QmpError};
use super::usage::Usage;
use crate::boot::Program;
use crate::cli::Dump;
use crate::event::Events;
use crate::journal;
use crate::media::Media;
use crate::model::MachineKind;
use crate::output::Output;
use crate::process;
use crate::terminal::Terminals;
use serde_json::{Value, json};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// QEMU is there within this time, on a loaded machine too.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// An answer to a command takes milliseconds, unless QEMU is blocked.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running QEMU.
#[derive(Debug)]
pub(crate) struct Qemu {
    child: Child,
    qmp: Arc<Qmp>,
    semihosting: Option<JoinHandle<()>>,
    bare_metal: bool,
    status: Option<ExitStatus>,
}

/// Why QEMU did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot start `{program}`: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("cannot prepare QEMU: {0}")]
    Io(#[from] io::Error),
    /// Why is in the log: the outside of a model knows no QEMU.
    #[error("the simulation could not be started")]
    Control,
}

impl Qemu {
    /// Starts QEMU with its guest standing still. To be called from the main thread, with whose end QEMU ends.
    pub(super) fn start(
        wanted: &Wanted<'_>,
        media: &mut Media,
        terminals: &Terminals,
        output: &Arc<Output>,
        events: &Events,
    ) -> Result<Self, StartError> {
        let mut plan = plan(wanted, media)?;
        tie_serial_lines(&mut plan, wanted, terminals);
        let (control, far) = UnixStream::pair()?;
        plan.character_device("control", far);
        plan.arguments.extend(["-mon", "chardev=control,mode=control"].map(Into::into));
        let bare_metal = matches!(wanted.program, Program::BareMetal(_));
        let semihosting = if bare_metal {
            let (near, far) = UnixStream::pair()?;
            plan.character_device("semihosting", far);
            let prefix = wanted.invocation.prefix.then(|| wanted.model.cores.first().cloned()).flatten();
            let output = Arc::clone(output);
            Some(std::thread::spawn(move || copy_semihosting(near, &output, prefix.as_deref())))
        } else {
            None
        };
        let child = spawn(&plan)?;
        // The child has its own copies; ours would keep its lines open after its end.
        let commands = std::mem::take(&mut plan.commands);
        drop(plan);
        let qmp = Arc::new(Qmp::connect(control, events.clone())?);
        let qemu = Self { child, qmp, semihosting, bare_metal, status: None };
        if let Err(error) = qemu.qmp.greet(START_PATIENCE) {
            journal::note(&format!("QEMU did not come up: {error}"));
            return Err(StartError::Control);
        }
        for line in commands {
            match qemu.command("human-monitor-command", &json!({ "command-line": line })) {
                Ok(answer) => journal::note(&format!("{line}: {answer}")),
                Err(error) => journal::note(&format!("{line}: {error}")),
            }
        }
        Ok(qemu)
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value, QmpError> {
        self.qmp.execute(name, arguments, PATIENCE)
    }

    /// A handle that lets the guest run and stand still.
    pub(super) fn control(&self) -> Arc<Qmp> {
        Arc::clone(&self.qmp)
    }

    /// The process id.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Copies memory to a file (`--dump`).
    pub(super) fn dump(&self, dump: &Dump) {
        let Ok(file) = std::path::absolute(&dump.file) else { return };
        let arguments =
            json!({ "val": dump.address, "size": dump.size, "filename": file.display().to_string() });
        if let Err(error) = self.command("pmemsave", &arguments) {
            journal::note(&format!("--dump: {error}"));
        }
    }

    /// What QEMU has used so far.
    pub(super) fn usage(&self) -> Usage {
        let cores = self.command("query-cpus-fast", &json!({})).unwrap_or(Value::Null);
        let threads: Vec<u64> = cores
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|core| core.get("thread-id").and_then(Value::as_u64))
            .collect();
        Usage::of(self.child.id(), &threads)
    }

    /// The exit code of a program that ended the simulation by semihosting; `None` for every other end.
    pub(super) fn semihosting_code(&mut self) -> Option<i32> {
        let status = self.wait(PATIENCE)?;
        if self.bare_metal { status.code() } else { None }
    }

    /// Ends QEMU, with its disks written out if it still answers.
    pub(super) fn stop(&mut self) {
        if self.status.is_none() && self.command("quit", &json!({})).is_err() {
            journal::note("QEMU does not answer: killed");
        }
        if self.wait(PATIENCE).is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if let Some(thread) = self.semihosting.take() {
            drop(thread.join());
        }
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while self.status.is_none() && Instant::now() < deadline {
            self.status = self.child.try_wait().ok().flatten();
            if self.status.is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.status
    }
}

fn spawn(plan: &QemuPlan) -> Result<Child, StartError> {
    let mut command = Command::new(&plan.program);
    command.args(&plan.arguments).stdin(Stdio::null()).stdout(Stdio::null());
    // VE boards have a sound device; there is no need for a host one.
    command.env("QEMU_AUDIO_DRV", "none");
    command.stderr(journal::handle().map_or_else(Stdio::null, Stdio::from));
    if let Some(directory) = &plan.directory {
        command.current_dir(directory);
    }
    process::bind_child(&mut command, &plan.inherited);
    journal::note(&format!("{command:?}"));
    command
        .spawn()
        .map_err(|source| StartError::Spawn { program: plan.program.display().to_string(), source })
}

/// The guest's serial lines, first to last, to the terminals that stand for them.
fn tie_serial_lines(plan: &mut QemuPlan, wanted: &Wanted<'_>, terminals: &Terminals) {
    let model = wanted.model;
    for (number, &index) in model.uarts.iter().enumerate() {
        let Some(far) = terminals.get(index).and_then(|terminal| terminal.take_far_end()) else { continue };
        let name = format!("uart{number}");
        plan.character_device(&name, far);
        // `virt` has one PL011; PCI serial ports, which stock kernels drive, stand for the others.
        let words = if model.machine == MachineKind::Virt && number > 0 {
            ["-device".to_owned(), format!("pci-serial,chardev={name}")]
        } else {
            ["-serial".to_owned(), format!("chardev:{name}")]
        };
        plan.arguments.extend(words.map(Into::into));
    }
}

/// Semihosting's console is the model's standard output (reference 2.4).
fn copy_semihosting(mut near: UnixStream, output: &Output, prefix: Option<&str>) {
    let mut chunk = [0; 4096];
    let mut at_line_start = true;
    while let Ok(count @ 1..) = near.read(&mut chunk) {
        let bytes = chunk.get(..count).unwrap_or_default();
        let Some(prefix) = prefix else {
            output.bytes(bytes);
            continue;
        };
        for &byte in bytes {
            if at_line_start {
                output.print(&format!("{prefix}: "));
            }
            output.bytes(&[byte]);
            at_line_start = byte == b'\n';
        }
    }
}
