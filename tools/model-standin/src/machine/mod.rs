//! The guest: a kernel in QEMU, a script that plays one, or nobody.

mod clock;
mod plan;
mod player;
mod qemu;
mod qmp;
mod script;
mod usage;

pub(crate) use clock::GuestClock;
pub(crate) use player::flood;
pub(crate) use usage::{Usage, cpu_time};

use crate::boot::Program;
use crate::cli::{Dump, Invocation};
use crate::event::Events;
use crate::journal;
use crate::knobs::{Inside, Knobs};
use crate::media::Media;
use crate::model::Model;
use crate::network;
use crate::output::Output;
use crate::terminal::Terminals;
use player::Player;
use qemu::Qemu;
use qmp::Qmp;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a slowed QEMU runs between two pauses.
const SLICE: Duration = Duration::from_millis(20);
/// An answer to `stop` or `cont`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestError {
    #[error(transparent)]
    Qemu(#[from] qemu::StartError),
    #[error(transparent)]
    Script(#[from] player::PlayError),
}

/// What a guest is made from.
pub(crate) struct GuestParts<'a> {
    pub(crate) model: &'a Model,
    pub(crate) invocation: &'a Invocation,
    pub(crate) knobs: &'a Knobs,
    pub(crate) program: &'a Program,
    pub(crate) media: &'a mut Media,
    pub(crate) terminals: &'a Terminals,
    pub(crate) output: &'a Arc<Output>,
    pub(crate) events: &'a Events,
}

#[derive(Debug)]
enum Inner {
    Qemu(Box<Qemu>),
    Script(Player),
    Nobody,
}

/// A guest, standing still at first.
#[derive(Debug)]
pub(crate) struct Guest {
    inner: Inner,
    clock: GuestClock,
    slow: f64,
    /// The guest stands still for good.
    halted: Arc<AtomicBool>,
}

impl Guest {
    /// Prepares a guest. To be called from the main thread.
    pub(crate) fn new(parts: GuestParts<'_>) -> Result<Self, GuestError> {
        let GuestParts { model, invocation, knobs, program, media, terminals, output, events } = parts;
        let runs = !matches!(program, Program::Nothing | Program::Failed);
        let inner = match &knobs.inside {
            Inside::Script(path) => {
                Inner::Script(scripted(path, model, knobs, media, terminals, output, events)?)
            }
            Inside::Qemu if runs => {
                let nic = network::nic(model);
                let wanted = plan::Wanted { model, program, invocation, knobs, nic: nic.as_ref() };
                Inner::Qemu(Box::new(Qemu::start(&wanted, media, terminals, output, events)?))
            }
            Inside::Qemu | Inside::Nothing => Inner::Nobody,
        };
        // A pause holds QEMU's own clock; a script's time is stretched.
        let rate = if matches!(inner, Inner::Qemu(_)) { 1.0 } else { 1.0 / knobs.slow };
        Ok(Self { inner, clock: GuestClock::new(rate), slow: knobs.slow, halted: Arc::default() })
    }

    /// Lets the guest run.
    pub(crate) fn run(&mut self) {
        match &mut self.inner {
            Inner::Qemu(qemu) => {
                let (qmp, clock, halted, slow) =
                    (qemu.control(), self.clock.clone(), Arc::clone(&self.halted), self.slow);
                if slow > 1.0 {
                    std::thread::spawn(move || govern(&qmp, &clock, &halted, slow));
                } else {
                    hold(&qmp, &clock, false);
                }
            }
            Inner::Script(player) => player.play(&self.clock),
            Inner::Nobody => self.clock.start(),
        }
    }

    /// The guest stands still for good, with nothing to be seen of it outside (knob `hang_after`).
    pub(crate) fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
        match &self.inner {
            Inner::Qemu(qemu) => hold(&qemu.control(), &self.clock, true),
            Inner::Script(player) => player.hold(true),
            Inner::Nobody => {}
        }
        self.clock.stop();
    }

    /// Simulated time.
    pub(crate) fn clock(&self) -> &GuestClock {
        &self.clock
    }

    /// Host time and memory used so far, by guest and model together.
    pub(crate) fn usage(&self) -> Usage {
        let own = Usage::of_self();
        let Inner::Qemu(qemu) = &self.inner else { return own };
        let guest = qemu.usage();
        Usage {
            user: guest.user + own.user,
            system: guest.system + own.system,
            cores: guest.cores,
            memory_bytes: guest.memory_bytes + own.memory_bytes,
        }
    }

    /// The process to watch for `--cpulimit`.
    pub(crate) fn process(&self) -> u32 {
        match &self.inner {
            Inner::Qemu(qemu) => qemu.process(),
            Inner::Script(_) | Inner::Nobody => std::process::id(),
        }
    }

    /// Copies memory to a file (`--dump`).
    pub(crate) fn dump(&self, dump: &Dump) {
        match &self.inner {
            Inner::Qemu(qemu) => qemu.dump(dump),
            Inner::Script(_) | Inner::Nobody => journal::note("--dump: there is no memory"),
        }
    }

    /// Once the guest has ended by itself: the code of a semihosting exit.
    pub(crate) fn semihosting_code(&mut self) -> Option<i32> {
        match &mut self.inner {
            Inner::Qemu(qemu) => qemu.semihosting_code(),
            Inner::Script(_) | Inner::Nobody => None,
        }
    }

    /// Ends the guest.
    pub(crate) fn stop(&mut self) {
        self.halted.store(true, Ordering::Relaxed);
        self.clock.stop();
        if let Inner::Qemu(qemu) = &mut self.inner {
            qemu.stop();
        }
    }
}

fn scripted(
    path: &Path,
    model: &Model,
    knobs: &Knobs,
    media: &Media,
    terminals: &Terminals,
    output: &Arc<Output>,
    events: &Events,
) -> Result<Player, player::PlayError> {
    let lines = model.uarts.iter().filter_map(|&index| terminals.get(index)?.take_far_end()).collect();
    let flash = [&media.flash0, &media.flash1]
        .map(|flash| flash.as_ref().and_then(|flash| flash.contents.try_clone().ok()));
    Player::new(path, lines, flash, knobs.slow, output, events)
}

fn hold(qmp: &Qmp, clock: &GuestClock, still: bool) {
    let command = if still { "stop" } else { "cont" };
    match qmp.execute(command, &json!({}), PATIENCE) {
        Ok(_) if still => clock.stop(),
        Ok(_) => clock.start(),
        Err(error) => journal::note(&format!("{command}: {error}")),
    }
}

/// Runs QEMU one part in `slow` of the time.
fn govern(qmp: &Qmp, clock: &GuestClock, halted: &AtomicBool, slow: f64) {
    while !halted.load(Ordering::Relaxed) {
        hold(qmp, clock, false);
        std::thread::sleep(SLICE);
        hold(qmp, clock, true);
        std::thread::sleep(SLICE.mul_f64(slow - 1.0));
    }
}
