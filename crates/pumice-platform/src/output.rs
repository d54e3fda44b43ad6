//! Reads what the simulator itself says: announced consoles, and lines that mean something.
//!
//! It is a recorder, so it sees every byte in order whatever is being waited for, and it works on whole lines, so
//! what it finds never depends on how the bytes came.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pumice_console::{LineSplitter, Recorder};
use pumice_types::{Cause, Failure};
use regex_automata::meta::Regex;
use tokio::sync::watch;

use crate::{Launch, Meaning};

/// How many lines are kept to explain an end.
const TAIL_LINES: usize = 40;

/// How many numbers are kept.
const MEASURED: usize = 1000;

/// A console that announced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// What it calls itself; the port when it has no name.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) port: u16,
    /// The text that announced it, from the line's beginning or the end of the one before.
    pub(crate) text: String,
}

/// A line that means something.
#[derive(Clone, Debug)]
pub(crate) struct Meant {
    pub(crate) meaning: Meaning,
    pub(crate) hint: Option<String>,
    pub(crate) line: String,
}

/// A number the simulator reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The result's name.
    pub name: String,
    /// The number, as it was printed.
    pub value: String,
    /// Its units; empty for a ratio.
    pub units: String,
}

/// What was found so far. Copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    announced: Vec<Announced>,
    paths: Vec<(usize, String)>,
    meant: Vec<Meant>,
    measured: Vec<Measured>,
    powered_off: bool,
    tail: VecDeque<String>,
    /// How many streams of the simulator's own, and main consoles, are read and have not ended.
    open: usize,
}

/// How long the end of a simulator's output is waited for once it has ended itself: a process that it left behind may
/// hold it open.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whenever there is news.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.0.news.subscribe()
    }

    /// Resolves with the first line that says that the simulator cannot go on. Cancel-safe.
    pub(crate) async fn failed(&self) -> Failure {
        let mut news = self.news();
        loop {
            if let Some(failure) = self.failure() {
                return failure;
            }
            // The sender lives as long as we do.
            drop(news.changed().await);
        }
    }

    /// The announcements from number `from` on.
    pub(crate) fn announced(&self, from: usize) -> Vec<Announced> {
        self.lock().announced.get(from..).unwrap_or_default().to_vec()
    }

    /// The ports announced under this name, in the order of the output.
    pub(crate) fn ports(&self, name: &str) -> Vec<u16> {
        self.lock().announced.iter().filter(|one| one.name == name).map(|one| one.port).collect()
    }

    /// The path that the console at this index of the launch announced.
    pub(crate) fn path(&self, console: usize) -> Option<String> {
        self.lock().paths.iter().find(|(index, _)| *index == console).map(|(_, path)| path.clone())
    }

    /// The first line that says that the simulator cannot go on.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let state = self.lock();
        let fails = |meant: &&Meant| matches!(meant.meaning, Meaning::Fails(_));
        state.meant.iter().find(fails).map(explain)
    }

    /// The numbers so far, in the order of the output.
    pub(crate) fn measured(&self) -> Vec<Measured> {
        self.lock().measured.clone()
    }

    /// The main console said that the guest switched the machine off.
    pub(crate) fn power_off(&self) {
        self.lock().powered_off = true;
        self.0.news.send_replace(());
    }

    /// Resolves when the guest switched the machine off, as the main console said. Cancel-safe.
    pub(crate) async fn powered_off(&self) {
        let mut news = self.news();
        while !self.lock().powered_off {
            // The sender lives as long as we do.
            drop(news.changed().await);
        }
    }

    /// Whether the guest switched the machine off, as the main console said.
    pub(crate) fn is_powered_off(&self) -> bool {
        self.lock().powered_off
    }

    /// Resolves when all that the simulator itself and its main console say was read; at the latest after a second.
    /// Cancel-safe.
    pub(crate) async fn ended(&self) {
        let mut news = self.news();
        let ended = async {
            while self.lock().open > 0 {
                drop(news.changed().await);
            }
        };
        drop(tokio::time::timeout(LAST_WORDS, ended).await);
    }

    /// Whether a line said that the end is as it should be.
    pub(crate) fn ends_well(&self) -> bool {
        self.lock().meant.iter().any(|meant| meant.meaning == Meaning::Ends)
    }

    /// The simulator's last lines.
    pub(crate) fn tail(&self) -> String {
        self.lock().tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The failure that `what` is: explained by what the simulator said, else with its last lines.
    pub(crate) fn failure_of(&self, cause: Cause, what: &str) -> Failure {
        let state = self.lock();
        let explains = |meant: &&Meant| meant.meaning != Meaning::Ends;
        if let Some(meant) = state.meant.iter().find(explains) {
            let mut failure = explain(meant);
            failure.message = format!("{what}: {}", meant.line.trim());
            return failure;
        }
        let tail: Vec<_> = state.tail.iter().map(String::as_str).collect();
        if tail.is_empty() {
            return Failure::new(cause, format!("{what}, and printed nothing"))
                .hint("the command line is in the log, to be tried by hand");
        }
        Failure::new(cause, what).evidence("simulator", tail.join("\n"))
    }
}

fn explain(meant: &Meant) -> Failure {
    let cause = match meant.meaning {
        Meaning::Fails(cause) | Meaning::Explains(cause) => cause,
        Meaning::Ends => Cause::SimulatorExited,
    };
    let failure = Failure::new(cause, format!("the simulator says: {}", meant.line.trim()));
    let failure = failure.evidence("simulator", &meant.line);
    match &meant.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Finds what a launch's rules and announcements describe. A pattern that is no regular expression was refused
/// when the launch was made; here it finds nothing.
pub(crate) struct OutputReader {
    output: Output,
    lines: LineSplitter,
    announcement: Option<Regex>,
    paths: Vec<(usize, Regex)>,
    rules: Vec<(Regex, Meaning, Option<String>)>,
    measures: Vec<(Regex, String, String)>,
}

impl OutputReader {
    pub(crate) fn new(launch: &Launch, output: Output) -> Self {
        let announcement = launch.announcement.as_ref().and_then(|one| Regex::new(&one.pattern).ok());
        let paths = launch.consoles.iter().enumerate().filter_map(|(index, console)| match &console.find {
            crate::Find::AnnouncedPath { pattern } => Some((index, Regex::new(pattern).ok()?)),
            _ => None,
        });
        let rules = launch
            .rules
            .iter()
            .filter_map(|rule| Some((Regex::new(&rule.pattern).ok()?, rule.means, rule.hint.clone())));
        let measures = launch.measures.iter().filter_map(|measure| {
            Some((Regex::new(&measure.pattern).ok()?, measure.name.clone(), measure.units.clone()))
        });
        output.lock().open += 1;
        Self {
            output,
            lines: LineSplitter::new(),
            announcement,
            paths: paths.collect(),
            rules: rules.collect(),
            measures: measures.collect(),
        }
    }

    fn lines(&mut self, feed: impl FnOnce(&mut LineSplitter, &mut dyn FnMut(&str))) {
        let Self { output, lines, announcement, paths, rules, measures } = self;
        let mut has_news = false;
        feed(lines, &mut |line| {
            let mut state = output.lock();
            if let Some(regex) = announcement {
                has_news |= announce(regex, line, &mut state.announced);
            }
            for (index, regex) in &*paths {
                let mut captures = regex.create_captures();
                regex.captures(line, &mut captures);
                if let Some(span) = captures.get_group_by_name("PATH") {
                    state.paths.push((*index, line[span.start..span.end].to_owned()));
                    has_news = true;
                }
            }
            if let Some((_, meaning, hint)) = rules.iter().find(|(regex, _, _)| regex.is_match(line)) {
                // A model may repeat itself for ever; the first ones tell the story.
                if state.meant.len() < TAIL_LINES {
                    state.meant.push(Meant { meaning: *meaning, hint: hint.clone(), line: line.to_owned() });
                    has_news = true;
                }
            }
            // A program that prints such a table for ever must not fill the memory.
            if state.measured.len() < MEASURED {
                state.measured.extend(measures.iter().find_map(|one| measured(one, line)));
            }
            if !line.trim().is_empty() {
                if state.tail.len() == TAIL_LINES {
                    state.tail.pop_front();
                }
                state.tail.push_back(line.to_owned());
            }
        });
        if has_news {
            self.output.0.news.send_replace(());
        }
    }
}

/// The number that a measure finds in a line.
fn measured((regex, name, units): &(Regex, String, String), line: &str) -> Option<Measured> {
    let mut captures = regex.create_captures();
    regex.captures(line, &mut captures);
    let group = |group| captures.get_group_by_name(group).map(|span| &line[span.start..span.end]);
    let value = group("VALUE")?.to_owned();
    let name = name.replace("{NAME}", group("NAME").unwrap_or_default());
    Some(Measured { name, value, units: units.clone() })
}

/// Every announcement in a line: several may be glued together (fastmodels 4.1).
fn announce(regex: &Regex, line: &str, announced: &mut Vec<Announced>) -> bool {
    let before = announced.len();
    let mut start = 0;
    for captures in regex.captures_iter(line) {
        let group = |name| captures.get_group_by_name(name).map(|span| &line[span.start..span.end]);
        let Some(port) = group("PORT").and_then(|port| port.parse::<u16>().ok()) else { continue };
        let name = group("NAME").map_or_else(|| port.to_string(), str::to_owned);
        // A port that one console gave back may be another's later; only the same twice says nothing new.
        if announced.iter().any(|known| known.port == port && known.name == name) {
            continue;
        }
        // With what stands before it, so that a pattern may ask for a prefix.
        let whole = captures.get_match().map_or(line, |found| &line[start..found.end()]);
        start = captures.get_match().map_or(start, |found| found.end());
        announced.push(Announced { name, port, text: whole.to_owned() });
    }
    announced.len() > before
}

impl Recorder for OutputReader {
    fn bytes(&mut self, _console: &str, _at: Instant, bytes: &[u8]) {
        self.lines(|lines, each| lines.feed(bytes, each));
    }

    fn closed(&mut self, _console: &str, _at: Instant, _reason: Option<&str>) {
        self.lines(|lines, each| lines.flush(each));
        let mut state = self.output.lock();
        state.open = state.open.saturating_sub(1);
        drop(state);
        self.output.0.news.send_replace(());
    }
}

/// Watches the main console for the line that says that the guest switched the machine off.
pub(crate) struct PowerOffReader {
    output: Output,
    lines: LineSplitter,
    pattern: Regex,
}

impl PowerOffReader {
    /// `None` when the launch knows no such line.
    pub(crate) fn new(launch: &Launch, output: Output) -> Option<Self> {
        let pattern = Regex::new(launch.power_off.as_ref()?).ok()?;
        output.lock().open += 1;
        Some(Self { output, lines: LineSplitter::new(), pattern })
    }
}

impl Recorder for PowerOffReader {
    fn bytes(&mut self, _console: &str, _at: Instant, bytes: &[u8]) {
        let Self { output, lines, pattern } = self;
        lines.feed(bytes, |line| {
            if pattern.is_match(line) {
                output.power_off();
            }
        });
    }

    fn closed(&mut self, _console: &str, _at: Instant, _reason: Option<&str>) {
        let Self { output, lines, pattern } = self;
        lines.flush(|line| {
            if pattern.is_match(line) {
                output.power_off();
            }
        });
        let mut state = output.lock();
        state.open = state.open.saturating_sub(1);
        drop(state);
        output.0.news.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Announcement, OutputRule};

    fn reader() -> (OutputReader, Output) {
        let mut launch = Launch::new("test", "x", "/");
        launch.announcement = Some(Announcement {
            pattern: r"(?P<NAME>\S+): Listening on port (?P<PORT>\d+)".to_owned(),
            telnet: true,
            raw: Vec::new(),
            within: Duration::from_secs(1),
        });
        launch.rules = vec![OutputRule {
            pattern: "^ERROR".to_owned(),
            means: Meaning::Fails(Cause::LicenceUnavailable),
            hint: Some("buy one".to_owned()),
        }];
        let output = Output::default();
        (OutputReader::new(&launch, output.clone()), output)
    }

    #[test]
    fn announcements_are_found_glued_shuffled_and_in_any_chunks() {
        let text = "x\r\nInfo: M: t2: Listening on port 5002t0: Listening on port 5000\nt1: Listening on port 5001\n\
                    t1: Listening on port 5001\n";
        for size in [1, 7, 1000] {
            let (mut reader, output) = reader();
            for chunk in text.as_bytes().chunks(size) {
                reader.bytes("simulator", Instant::now(), chunk);
            }
            let found: Vec<_> = output.announced(0).into_iter().map(|one| (one.name, one.port)).collect();
            let expected = [("t2", 5002), ("5002t0", 5000), ("t1", 5001)];
            // Glued text cannot be told from a name; the port is the key (fastmodels 4.1).
            assert_eq!(found.len(), 3);
            assert!(found.iter().zip(expected).all(|(found, (_, port))| found.1 == port), "{found:?}");
        }
    }

    #[test]
    fn numbers_are_found_with_their_names() {
        let mut launch = Launch::new("test", "x", "/");
        let measure = |pattern: &str, name: &str, units: &str| crate::Measure {
            pattern: pattern.to_owned(),
            name: name.to_owned(),
            units: units.to_owned(),
        };
        launch.measures = vec![
            measure(r"^Total\s*: *(?P<VALUE>[\d.]+) MIPS", "total", "MIPS"),
            measure(r"^(?P<NAME>\S+)\s*: *(?P<VALUE>[\d.]+) MIPS", "{NAME}-mips", "MIPS"),
        ];
        let output = Output::default();
        let mut reader = OutputReader::new(&launch, output.clone());
        reader.bytes("simulator", Instant::now(), b"cpu0  :   0.91 MIPS ( 8484 Inst)\r\nTotal : 1.2 MIPS\n");
        let found: Vec<_> = output.measured().into_iter().map(|one| (one.name, one.value)).collect();
        let expected = [("cpu0-mips", "0.91"), ("total", "1.2")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[tokio::test]
    async fn the_end_of_all_streams_is_the_end_of_the_output() {
        let (mut first, output) = reader();
        let mut second = OutputReader::new(&Launch::new("test", "x", "/"), output.clone());
        first.closed("simulator", Instant::now(), None);
        let ended = tokio::spawn({
            let output = output.clone();
            async move { output.ended().await }
        });
        tokio::task::yield_now().await;
        assert!(!ended.is_finished());
        second.bytes("simulator", Instant::now(), b"ERROR: the last word");
        second.closed("simulator", Instant::now(), None);
        ended.await.unwrap();
        assert_eq!(output.lock().tail.back().map(String::as_str), Some("ERROR: the last word"));
    }

    #[test]
    fn a_line_that_fails_gives_cause_line_and_hint() {
        let (mut reader, output) = reader();
        reader.bytes("simulator", Instant::now(), b"fine\nERROR: no seat");
        assert_eq!(output.failure(), None);
        reader.closed("simulator", Instant::now(), None);
        let failure = output.failure().unwrap();
        assert_eq!(failure.cause, Cause::LicenceUnavailable);
        assert_eq!(failure.hint.as_deref(), Some("buy one"));
        assert!(failure.message.contains("no seat"));
    }
}
