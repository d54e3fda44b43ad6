//! Terminals: one TCP server for every serial line (reference, sections 3.1 and 4.4).
//!
//! ```text
//!  guest UART ──socket pair──▶ pump ─▶ uart (files, tags) ─▶ queue ─▶ session ─▶ client
//!             ◀────────────────────────────────────────────────────── session ◀─ client
//! ```
//!
//! The pump reads the guest's side only while there is room, so an unread terminal stops the guest, and only while
//! standard output is not blocked, so an unread pipe does too.

mod announce;
mod launch;
mod port;
mod queue;
mod session;
mod telnet;
mod uart;

pub(crate) use announce::{Dice, line as announcement};
pub(crate) use port::listen;

use crate::event::{Event, Events};
use crate::journal;
use crate::knobs::{Knobs, Negotiation};
use crate::model::{Model, Parameters, TerminalSpec};
use crate::output::Output;
use queue::Queue;
use rustix::event::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uart::Uart;

/// How this run's terminals behave.
#[derive(Clone, Copy, Debug)]
struct Traits {
    negotiation: Negotiation,
    refuse_second_client: bool,
    reopen_shift: bool,
    overrun: bool,
    double_cr: bool,
}

/// One terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// The name it is announced under.
    pub(crate) name: String,
    telnet: bool,
    quiet: bool,
    start_telnet: bool,
    command: String,
    port: AtomicU16,
    traits: Traits,
    drop_client: Mutex<Option<u64>>,
    queue: Queue,
    /// Our end of the guest's serial line.
    near: UnixStream,
    /// The guest's end, until it is given away.
    far: Mutex<Option<UnixStream>>,
    uart: Mutex<Uart>,
    in_file: String,
    pumping: AtomicBool,
}

impl Terminal {
    fn new(
        spec: &TerminalSpec,
        index: usize,
        parameters: &Parameters,
        knobs: &Knobs,
        output: &Arc<Output>,
    ) -> io::Result<(Arc<Self>, TcpListener)> {
        let name = |parameter: &str| format!("{}.{parameter}", spec.path);
        let start =
            parameters.int(&name("start_port")).and_then(|port| u16::try_from(port).ok()).unwrap_or(5000);
        let listener = port::listen_from(start)?;
        let (near, far) = UnixStream::pair()?;
        // What the kernel holds between guest and pump would hide that nobody reads: keep it small.
        rustix::net::sockopt::set_socket_send_buffer_size(&far, 4096)?;
        let terminal = Self {
            name: spec.name.clone(),
            telnet: parameters.text(&name("mode")) != "raw",
            quiet: parameters.flag(&name("quiet")),
            start_telnet: parameters.flag(&name("start_telnet")),
            command: parameters.text(&name("terminal_command")).to_owned(),
            port: AtomicU16::new(listener.local_addr()?.port()),
            traits: Traits {
                negotiation: knobs.negotiation,
                refuse_second_client: knobs.refuse_second_client,
                reopen_shift: knobs.reopen_shift,
                overrun: knobs.overrun,
                double_cr: knobs.double_cr,
            },
            drop_client: Mutex::new(
                knobs.drop_client.filter(|fault| fault.terminal == index).map(|fault| fault.bytes),
            ),
            queue: Queue::new(knobs.uart_buffer, knobs.unconnected),
            near,
            far: Mutex::new(Some(far)),
            uart: Mutex::new(Uart::open(parameters, &spec.uart, output)?),
            in_file: parameters.text(&format!("{}.in_file", spec.uart)).to_owned(),
            pumping: AtomicBool::new(false),
        };
        Ok((Arc::new(terminal), listener))
    }

    /// The port it listens on now.
    pub(crate) fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// The guest's end of the serial line; `None` when it was taken before.
    pub(crate) fn take_far_end(&self) -> Option<UnixStream> {
        self.far.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes to the terminal as if the guest had: for firmware that is only played.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.uart.lock().unwrap_or_else(PoisonError::into_inner).observe(bytes);
        self.queue.push(bytes);
    }

    fn drop_client_after(&self) -> Option<u64> {
        *self.drop_client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client_was_dropped(&self) {
        journal::note(&format!("{}: client disconnected (drop_client)", self.name));
        *self.drop_client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Accepts clients for ever, one at a time.
    fn serve(self: &Arc<Self>, mut listener: TcpListener, announce: &impl Fn(&Self)) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept()?;
            if self.traits.refuse_second_client && self.queue.has_client() {
                continue;
            }
            let session = match session::start(self, stream) {
                Ok(session) => session,
                Err(error) => {
                    journal::note(&format!("{}: {error}", self.name));
                    continue;
                }
            };
            if self.traits.reopen_shift {
                drop(listener);
                self.queue.wait_for_leave(session);
                listener = port::listen_from(self.port().saturating_add(1))?;
                self.port.store(listener.local_addr()?.port(), Ordering::Relaxed);
                announce(self);
            }
        }
    }

    /// Moves the guest's output into the queue until the guest's end closes.
    fn pump(&self, output: &Output, events: &Events) -> io::Result<()> {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            wait_for_input(&self.near)?;
            output.wait_until_writable();
            // Held until the bytes are in the queue, so that whoever takes it knows that none are under way.
            let mut uart = self.uart.lock().unwrap_or_else(PoisonError::into_inner);
            let count = (&self.near).read(&mut chunk)?;
            if count == 0 {
                return Ok(());
            }
            let bytes = chunk.get(..count).unwrap_or_default();
            if uart.observe(bytes) {
                events.send(Event::UartStop);
            }
            self.queue.push(bytes);
        }
    }

    /// Waits until everything the guest wrote is in the queue, or the deadline has come.
    fn settle(&self, deadline: Instant) {
        while Instant::now() < deadline {
            let uart = self.uart.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.pumping.load(Ordering::Relaxed)
                || rustix::io::ioctl_fionread(&self.near).unwrap_or(0) == 0
            {
                return;
            }
            drop(uart);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// All terminals of a model.
#[derive(Debug)]
pub(crate) struct Terminals {
    list: Vec<Arc<Terminal>>,
    /// In which order they are announced.
    order: Vec<usize>,
    silent: Vec<usize>,
}

impl Terminals {
    /// Opens every port, in the order of creation that the knob `shuffle` may change, and serves it. Nothing is
    /// announced yet.
    pub(crate) fn open(model: &Model, knobs: &Knobs, output: &Arc<Output>) -> io::Result<Self> {
        let count = model.terminals.len();
        let mut dice = knobs.shuffle.map(Dice::new);
        let mut order = || dice.as_mut().map_or_else(|| (0..count).collect(), |dice| dice.order(count));
        let creation: Vec<usize> = order();
        let mut opened = Vec::new();
        for &index in &creation {
            let Some(spec) = model.terminals.get(index) else { continue };
            let (terminal, listener) = Terminal::new(spec, index, &model.parameters, knobs, output)?;
            if knobs.steal.contains(&index) {
                launch::steal(terminal.port(), knobs.steal_for)?;
            }
            journal::note(&format!("{} listens on {}", terminal.name, terminal.port()));
            let (served, output) = (Arc::clone(&terminal), Arc::clone(output));
            let (form, instance) = (knobs.announce.unwrap_or(model.announce), model.instance.clone());
            std::thread::spawn(move || {
                let announce = |terminal: &Terminal| {
                    output.print(&announcement(form, &instance, &terminal.name, terminal.port()));
                };
                if let Err(error) = served.serve(listener, &announce) {
                    journal::note(&format!("{}: {error}", served.name));
                }
            });
            opened.push((index, terminal));
        }
        opened.sort_by_key(|(index, _)| *index);
        let list = opened.into_iter().map(|(_, terminal)| terminal).collect();
        Ok(Self { list, order: order(), silent: knobs.silent.clone() })
    }

    /// The announcements, in the order in which they are to be printed: name and port.
    pub(crate) fn announced(&self) -> Vec<(&str, u16)> {
        let spoken = self.order.iter().filter(|at| !self.silent.contains(at));
        spoken
            .filter_map(|&at| self.list.get(at))
            .filter(|terminal| !terminal.quiet)
            .map(|terminal| (terminal.name.as_str(), terminal.port()))
            .collect()
    }

    /// The terminal with that index.
    pub(crate) fn get(&self, index: usize) -> Option<&Arc<Terminal>> {
        self.list.get(index)
    }

    /// Starts moving bytes, and feeds `in_file`s.
    pub(crate) fn start(&self, output: &Arc<Output>, events: &Events) {
        for terminal in &self.list {
            if terminal.pumping.swap(true, Ordering::Relaxed) {
                continue;
            }
            let (pumped, output, events) = (Arc::clone(terminal), Arc::clone(output), events.clone());
            std::thread::spawn(move || {
                if let Err(error) = pumped.pump(&output, &events) {
                    journal::note(&format!("{}: {error}", pumped.name));
                }
            });
            if !terminal.in_file.is_empty() {
                feed(Arc::clone(terminal));
            }
        }
    }

    /// Starts `terminal_command`, or telnet in an xterm, for terminals that nobody is connected to.
    pub(crate) fn start_clients(&self) {
        for terminal in self.list.iter().filter(|terminal| terminal.start_telnet) {
            if !terminal.queue.has_client() {
                launch::client(&terminal.command, &terminal.name, terminal.port());
            }
        }
    }

    /// From here on nothing blocks the guest: what no client takes is lost.
    pub(crate) fn stop_blocking(&self) {
        for terminal in &self.list {
            terminal.queue.stop_blocking();
        }
    }

    /// Sends connected clients what is left, then writes out files.
    pub(crate) fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        for terminal in &self.list {
            terminal.settle(deadline);
            terminal.queue.drain(deadline);
            terminal.uart.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
    }
}

/// Waits for bytes, or for the other end to close.
fn wait_for_input(stream: &UnixStream) -> io::Result<()> {
    let mut poll = [PollFd::new(stream, PollFlags::IN)];
    match rustix::event::poll(&mut poll, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Types a file into the guest.
fn feed(terminal: Arc<Terminal>) {
    std::thread::spawn(move || match std::fs::read(&terminal.in_file) {
        Ok(bytes) => drop((&terminal.near).write_all(&bytes)),
        Err(error) => journal::note(&format!("in_file {}: {error}", terminal.in_file)),
    });
}
