//! One run of a model, from the command line to the exit code.
//!
//! ```text
//! parameters ─ files ─ ports ─ announcements ─ licence ─ devices ─ debug server ─▶ guest runs ─▶ stop
//!    └──────────┴── exit 1, nothing listens          └── exit 1                                 └── statistics, 0
//! ```

use crate::boot::{self, Program};
use crate::cli::{Invocation, Listing};
use crate::debug;
use crate::environment::Environment;
use crate::event::{Event, Events};
use crate::faults;
use crate::journal;
use crate::knobs::{Ignore, Knobs};
use crate::licence;
use crate::limits;
use crate::listing;
use crate::machine::{Guest, GuestParts};
use crate::media::Media;
use crate::model::Model;
use crate::output::Output;
use crate::process::{self, StopSignal};
use crate::startup::{self, StartupError};
use crate::statistics::Statistics;
use crate::stop::{self, Reason};
use crate::terminal::{Dice, Terminals};
use crate::trace;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long a client that reads is given to take what is left.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A run, understood and not begun.
pub(crate) struct Simulation {
    /// The program as it was called, for messages.
    pub(crate) program: String,
    pub(crate) model: Model,
    pub(crate) invocation: Invocation,
    pub(crate) knobs: Knobs,
    pub(crate) environment: Environment,
    /// Whether Model Shell runs the model.
    pub(crate) shell: bool,
}

/// Why the event loop was left.
enum End {
    Stop(Reason),
    Exit(u8),
}

impl Simulation {
    /// Runs to the end; the exit code.
    pub(crate) fn run(mut self) -> u8 {
        let output = Arc::new(Output::new(self.knobs.line_buffered, self.environment.get("_STDBUF_O")));
        if self.invocation.version {
            output.bytes(&listing::banner(&self.model, &self.knobs, self.shell));
            if !self.shell && self.model.name.family != "foundation" {
                output.print(&stop::after_version());
            }
            output.flush();
            return 0;
        }
        let code = self.run_on(&output).unwrap_or_else(|error| {
            output.flush();
            complain(&error.to_string());
            1
        });
        output.flush();
        code
    }

    fn run_on(&mut self, output: &Arc<Output>) -> Result<u8, StartupError> {
        startup::set_parameters(&mut self.model, &self.invocation, &self.knobs, &self.program)?;
        if let Some(listing) = self.invocation.listing {
            return self.list(listing, output).map(|()| 0);
        }
        startup::check_files(&self.model, &self.invocation, &self.program)?;
        let other = |reason: String| StartupError::Other { program: self.program.clone(), reason };
        let mut media = Media::prepare(&self.model).map_err(|error| other(error.to_string()))?;
        if let Some(path) = &self.invocation.log {
            let file = File::create(path).map_err(|error| other(format!("{}: {error}", path.display())))?;
            output.copy_to(file);
        }
        let (events, arrived) = Events::new();
        let running = Arc::new(AtomicBool::new(false));
        watch_signals(&events, &running);
        self.delay();
        if self.knobs.banner.unwrap_or(self.model.banner) && !self.invocation.quiet {
            output.bytes(&listing::banner(&self.model, &self.knobs, self.shell));
        }

        let held = if self.knobs.licence_first { Some(self.check_out(output)) } else { None };
        if let Some(Err(code)) = held {
            return Ok(code);
        }
        let terminals =
            Terminals::open(&self.model, &self.knobs, output).map_err(|error| other(error.to_string()))?;
        output.print(&startup::announcements(&self.model, &terminals, &self.knobs));
        // Kept to the end: a seat is given back when this goes.
        let _held = match held.unwrap_or_else(|| self.check_out(output)) {
            Ok(held) => held,
            Err(code) => return Ok(code),
        };
        output.print(&startup::device_lines(&self.model, &media, &self.environment));
        if self.model.name.vintage {
            output.print("Simulation is started\n");
        }
        running.store(true, Ordering::Relaxed);
        faults::leave_orphan(&self.knobs);
        if let Some(code) = self.wait_for_debugger(output, &terminals, &events, &arrived)? {
            return Ok(code);
        }
        self.simulate(output, &terminals, &mut media, &events, &arrived)
    }

    fn list(&self, which: Listing, output: &Output) -> Result<(), StartupError> {
        let text = match which {
            Listing::Params => listing::parameters(&self.model),
            Listing::Instances => listing::instances(&self.model),
            Listing::Memory => listing::memory(&self.model),
            Listing::Regs => listing::registers(&self.model),
        };
        match &self.invocation.output {
            None => output.print(&text),
            Some(path) => std::fs::write(path, text).map_err(|error| StartupError::Other {
                program: self.program.clone(),
                reason: format!("{}: {error}", path.display()),
            })?,
        }
        Ok(())
    }

    fn delay(&self) {
        let seed = u64::from(std::process::id()) ^ (self.knobs.shuffle.unwrap_or(0) << 32);
        std::thread::sleep(self.knobs.startup_delay.at(Dice::new(seed).fraction()));
    }

    /// A licence, or the exit code of a model that got none.
    fn check_out(&self, output: &Output) -> Result<licence::Held, u8> {
        licence::check(&self.model, &self.knobs, &self.environment).map_err(|refusal| {
            output.print(&refusal.text);
            output.flush();
            1
        })
    }

    /// Starts the debug servers; unless `-R` was given, waits for somebody to connect.
    fn wait_for_debugger(
        &self,
        output: &Output,
        terminals: &Terminals,
        events: &Events,
        arrived: &Receiver<Event>,
    ) -> Result<Option<u8>, StartupError> {
        let invocation = &self.invocation;
        let failed = |error: std::io::Error| StartupError::Other {
            program: self.program.clone(),
            reason: error.to_string(),
        };
        if invocation.cadi_server {
            let port = debug::cadi(events.clone()).map_err(failed)?;
            output.print(&format!(
                "Info: {}: CADI Debug Server started for ARM Models...\n",
                self.model.instance
            ));
            if invocation.print_port {
                output.print(&format!("CADI server started listening to port {port}\n"));
            }
        }
        if invocation.iris_server {
            let list = terminals.announced().iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
            let port = debug::iris(invocation.iris_port, invocation.iris_allow_remote, list, events.clone());
            let port = port.map_err(failed)?;
            if invocation.print_port {
                output.print(&format!("Iris server started listening to port {port}\n"));
            }
        }
        let served = invocation.cadi_server || invocation.iris_server;
        if served && invocation.limits.cycles.is_some() {
            let server = if invocation.iris_server { "--iris-server" } else { "--cadi-server" };
            complain(&format!(
                "{}: command line option --cyclelimit ignored because {server} option specified",
                self.program
            ));
        }
        if !served || invocation.run {
            return Ok(None);
        }
        output.flush();
        while let Ok(event) = arrived.recv() {
            match event {
                Event::Released => break,
                Event::Signal(_) => {
                    output.print(&Reason::User.text());
                    return Ok(Some(0));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn simulate(
        &self,
        output: &Arc<Output>,
        terminals: &Terminals,
        media: &mut Media,
        events: &Events,
        arrived: &Receiver<Event>,
    ) -> Result<u8, StartupError> {
        let plan = boot::plan(&self.model, &self.invocation, &self.knobs);
        journal::note(&startup::summary(&self.model, &plan, media));
        let started = Instant::now();
        let parts = GuestParts {
            model: &self.model,
            invocation: &self.invocation,
            knobs: &self.knobs,
            program: &plan.program,
            media,
            terminals,
            output,
            events,
        };
        let mut guest = Guest::new(parts).map_err(|error| StartupError::Other {
            program: self.program.clone(),
            reason: error.to_string(),
        })?;
        terminals.start(output, events);
        terminals.start_clients();
        trace::start(&self.model, self.knobs.trace_rate);
        let mut limits = self.invocation.limits;
        if self.invocation.cadi_server || self.invocation.iris_server {
            limits.cycles = None;
        }
        limits::watch(limits, self.knobs.clock_mhz, guest.clock().clone(), guest.process(), events.clone());
        faults::start(&self.knobs, terminals, output, events);
        output.print(&plan.stdout);
        self.play_firmware(plan.console, terminals, events);
        let end = match plan.program {
            Program::Failed => End::Stop(Reason::Semihosting(1)),
            _ => self.watch(&mut guest, output, arrived),
        };
        let code = match end {
            End::Exit(code) => {
                guest.stop();
                code
            }
            End::Stop(reason) => {
                self.stop(reason, output, terminals, media, &mut guest, started);
                reason.exit_code(&self.guest_directory())
            }
        };
        Ok(self.knobs.exit_code.unwrap_or(code))
    }

    /// Writes what firmware would have written, in a thread: a terminal that nobody reads may hold it up.
    fn play_firmware(&self, text: String, terminals: &Terminals, events: &Events) {
        let console = self.model.uarts.first().and_then(|&index| terminals.get(index)).map(Arc::clone);
        let events = events.clone();
        std::thread::spawn(move || {
            if let Some(console) = console.filter(|_| !text.is_empty()) {
                console.write(text.as_bytes());
            }
            events.send(Event::FirmwareDone);
        });
    }

    /// Lets the guest run, and waits for something that ends the simulation.
    fn watch(&self, guest: &mut Guest, output: &Output, arrived: &Receiver<Event>) -> End {
        let exits = self.model.role_flag(self.model.roles.sysregs.as_ref(), "exit_on_shutdown");
        let (mut interrupts, mut terminates) = (self.knobs.ignore_int, self.knobs.ignore_term);
        while let Ok(event) = arrived.recv() {
            journal::note(&format!("{event:?}"));
            match event {
                Event::FirmwareDone => guest.run(),
                Event::Signal(signal) => {
                    let ignored = match signal {
                        StopSignal::Interrupt => is_ignored(&mut interrupts),
                        StopSignal::Terminate => is_ignored(&mut terminates),
                    };
                    if !ignored {
                        std::thread::sleep(self.knobs.stop_delay);
                        return End::Stop(Reason::User);
                    }
                }
                Event::PowerOff if exits => return End::Stop(Reason::PowerOff),
                // The process lives on, its ports open and its guest silent (reference 4.5).
                Event::PowerOff | Event::Reset | Event::Released => {}
                Event::SemihostingExit(code) => return End::Stop(Reason::Semihosting(code)),
                Event::GuestLost(reason) => {
                    if let Some(code) = guest.semihosting_code() {
                        return End::Stop(Reason::Semihosting(code));
                    }
                    output.print(&format!(
                        "
Error: {}: the simulation ended unexpectedly {reason}
In file: (unknown):0
",
                        self.model.instance
                    ));
                    return End::Exit(1);
                }
                Event::UartStop => return End::Stop(Reason::Uart),
                Event::Limit(limit) => return End::Stop(Reason::Limit(limit)),
                Event::Crash => return End::Exit(faults::crash(self.knobs.crash, output)),
                Event::Hang => guest.halt(),
            }
        }
        End::Exit(1)
    }

    fn stop(
        &self,
        reason: Reason,
        output: &Output,
        terminals: &Terminals,
        media: &mut Media,
        guest: &mut Guest,
        started: Instant,
    ) {
        output.print(&reason.text());
        terminals.stop_blocking();
        let simulated = guest.clock().now();
        let usage = guest.usage();
        for dump in &self.invocation.dumps {
            guest.dump(dump);
        }
        guest.stop();
        terminals.finish(LAST_WORDS);
        media.save();
        if self.invocation.stat {
            std::thread::sleep(self.knobs.stats_delay);
            let statistics = Statistics { simulated, wall: started.elapsed(), usage, mips: self.knobs.mips };
            output.print(&statistics.table(&self.model));
        }
        output.flush();
        if self.knobs.hang_at_exit {
            process::sleep_for_ever();
        }
    }

    /// Where the guest's semihosting looks for files.
    fn guest_directory(&self) -> PathBuf {
        let cores = self.model.cores.iter();
        let directory = cores
            .map(|core| self.model.parameters.text(&format!("{core}.semihosting-cwd")))
            .find(|directory| !directory.is_empty());
        directory.unwrap_or(".").into()
    }
}

/// Counts down; whether this signal is one of those that are ignored.
fn is_ignored(ignore: &mut Ignore) -> bool {
    match ignore {
        Ignore::Always => true,
        Ignore::Times(0) => false,
        Ignore::Times(left) => {
            *left -= 1;
            true
        }
    }
}

/// Turns stop signals into events; before the simulation runs they end the process as they end any.
fn watch_signals(events: &Events, running: &Arc<AtomicBool>) {
    let (events, running) = (events.clone(), Arc::clone(running));
    std::thread::spawn(move || {
        while let Ok(signal) = process::wait_for_stop_signal() {
            if !running.load(Ordering::Relaxed) {
                process::die_of(signal);
            }
            events.send(Event::Signal(signal));
        }
    });
}

/// Writes a line to standard error.
pub(crate) fn complain(text: &str) {
    // There is nobody left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}
