//! Consoles that the program announces in its output.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use pumice_console::{Connection, Pattern, Recorder};
use pumice_process::{Lifeline, Terminal};
use pumice_types::{Cause, Deadline, Failure};
use tokio::net::unix::pipe;

use super::Factory;
use crate::{
    Announcement, ConsoleRole, ConsoleSource, Find, Launch, StartError,
    machine::Consoles,
    output::{Announced, Output},
    redial::{Dial, Lines},
};

/// How long after a break a console's new place may be announced before the break is noticed here.
const MOVES: Duration = Duration::from_millis(100);

/// Connects every console that announces itself, for as long as the machine runs: an unread console holds up the
/// guest, so those nobody asked for are drained too.
pub(super) async fn announce<R: Recorder + Clone + 'static>(
    launch: Launch,
    output: Output,
    factory: Factory<R>,
    lifeline: Arc<Lifeline>,
    way_in: Option<PathBuf>,
) {
    let mut seen = 0;
    let mut paths_left: Vec<_> = (0..launch.consoles.len())
        .filter(|index| matches!(launch.consoles[*index].find, Find::AnnouncedPath { .. }))
        .collect();
    if launch.announcement.is_none() && paths_left.is_empty() {
        return;
    }
    let lines = Lines::default();
    let mut news = output.news();
    loop {
        for one in output.announced(seen) {
            seen += 1;
            let is_raw = |announcement: &Announcement| {
                announcement.raw.iter().any(|name| one.text.contains(&format!("{name}:")))
            };
            let telnet = launch.announcement.as_ref().is_some_and(|one| one.telnet && !is_raw(one));
            if lines.has(&one.name) {
                // A console that moved, whose line finds it again, or another of the same name.
                tokio::time::sleep(MOVES).await;
                if lines.is_broken(&one.name) || lines.holds(&one.name, one.port) {
                    continue;
                }
            }
            let source = source_of(&launch, &one, &factory.consoles);
            let dial = Dial {
                port: one.port,
                way_in: way_in.clone(),
                name: one.name.clone(),
                output: output.clone(),
                lifeline: lifeline.clone(),
                lines: lines.clone(),
                again: factory.again(&source.name),
            };
            let Some(line) = dial.line().await else { continue };
            let connection = if telnet { Connection::telnet(line) } else { Connection::both(line) };
            drop(factory.start(&source, connection));
        }
        let mut still_left = Vec::new();
        for index in paths_left {
            let Some(path) = output.path(index) else {
                still_left.push(index);
                continue;
            };
            if let Ok(connection) = open_announced(Path::new(&path)) {
                drop(factory.start(&launch.consoles[index], connection));
            }
        }
        paths_left = still_left;
        if news.changed().await.is_err() {
            return;
        }
    }
}

/// A pseudo terminal, or a FIFO, which is only listened to.
fn open_announced(path: &Path) -> io::Result<Connection> {
    use std::os::unix::fs::FileTypeExt as _;
    if fs::metadata(path)?.file_type().is_fifo() {
        return Ok(Connection::read_only(pipe::OpenOptions::new().open_receiver(path)?));
    }
    Terminal::open(path).map(Connection::terminal)
}

/// Which console of the launch an announcement is: the first whose pattern finds it and that is not there yet;
/// else one more to listen to.
fn source_of(launch: &Launch, one: &Announced, consoles: &Consoles) -> ConsoleSource {
    let fits = |source: &&ConsoleSource| match &source.find {
        Find::Announced { pattern, .. } => {
            Pattern::python(pattern).is_ok_and(|pattern| pattern.is_match(one.text.as_bytes()))
                && !consoles.has(&source.name)
        }
        _ => false,
    };
    if let Some(source) = launch.consoles.iter().find(fits) {
        return source.clone();
    }
    let name = if consoles.has(&one.name) { format!("{}-{}", one.name, one.port) } else { one.name.clone() };
    ConsoleSource {
        name,
        role: ConsoleRole::Feedback,
        find: Find::Port { port: one.port, telnet: true },
        pacing: Duration::ZERO,
    }
}

/// Waits for the consoles that must announce themselves.
pub(super) async fn wait_for_announced(
    launch: &Launch,
    consoles: &Consoles,
    deadline: &Deadline,
) -> Result<(), StartError> {
    let required: Vec<_> = launch
        .consoles
        .iter()
        .filter(|source| {
            matches!(source.find, Find::Announced { required: true, .. } | Find::AnnouncedPath { .. })
        })
        .map(|source| source.name.as_str())
        .collect();
    if required.is_empty() {
        return Ok(());
    }
    let within = launch.announcement.as_ref().map_or(Duration::from_secs(30), |one| one.within);
    let patience = deadline.narrowed(Instant::now(), within, "the start of the simulator");
    let there = tokio::time::timeout_at(patience.at().into(), consoles.all_there(&required)).await;
    there.map_err(|_| {
        let missing: Vec<_> = required.into_iter().filter(|name| !consoles.has(name)).collect();
        let names = missing.join(", ");
        let failure = Failure::timed_out(
            Cause::ConsoleLost,
            patience.owner(),
            patience.limit(),
            &format!("the simulator to announce {names}"),
        );
        StartError::Failed(failure.hint("look at the simulator's own output in the log"))
    })
}
