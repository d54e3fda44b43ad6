//! The limits of `--timelimit`, `--simlimit`, `--cpulimit` and `--cyclelimit` (reference, sections 2.1 and 4.5).

use crate::cli::Limits;
use crate::event::{Event, Events, Limit};
use crate::machine::{GuestClock, cpu_time};
use std::time::{Duration, Instant};

/// How often the clocks are looked at; Model Shell's granularity is 0.1 s.
const LOOK: Duration = Duration::from_millis(10);

/// Watches the clocks in a thread of its own, from now on.
pub(crate) fn watch(limits: Limits, clock_mhz: f64, clock: GuestClock, process: u32, events: Events) {
    if limits == Limits::default() {
        return;
    }
    let started = Instant::now();
    std::thread::spawn(move || {
        loop {
            if let Some(limit) = reached(&limits, clock_mhz, started, &clock, process) {
                events.send(Event::Limit(limit));
                return;
            }
            std::thread::sleep(LOOK);
        }
    });
}

fn reached(
    limits: &Limits,
    clock_mhz: f64,
    started: Instant,
    clock: &GuestClock,
    process: u32,
) -> Option<Limit> {
    let simulated = clock.now();
    #[expect(clippy::cast_precision_loss, reason = "a limit is not exact to a cycle anyway")]
    let cycles = limits.cycles.filter(|&cycles| simulated.as_secs_f64() * clock_mhz * 1e6 >= cycles as f64);
    if cycles.is_some() {
        return Some(Limit::Cycles);
    }
    if limits.simulated.is_some_and(|limit| simulated >= limit) {
        return Some(Limit::Simulated);
    }
    if limits.cpu.is_some_and(|limit| cpu_time(process) >= limit) {
        return Some(Limit::Cpu);
    }
    limits.wall.is_some_and(|limit| started.elapsed() >= limit).then_some(Limit::Wall)
}
