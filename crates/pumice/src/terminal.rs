//! All printing: progress that a person can follow, the summary, failures.

mod meter;
mod table;

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use pumice_record::{
    LogLevel, LogRecord, Message,
    export::{JobReport, summarise, unfinished},
};
use pumice_run::{Progress, Sink};
use pumice_types::{ByteSize, CaseResult, Failure, Verdict, clock};

use crate::cli::{Format, RunArgs};

pub(crate) use meter::Meter;
pub(crate) use table::Table;

/// Prints a line to standard output.
pub(crate) fn print(line: &str) {
    // Nobody to tell when standard output is gone.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// Prints a line to standard error.
pub(crate) fn print_error(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Shows a run while it goes on, on standard error.
pub(crate) struct Watcher {
    is_shown: bool,
    shows_console: bool,
    output_dir: String,
    is_terminal: bool,
    started: Instant,
    transfer: Option<Instant>,
}

impl Watcher {
    /// Quiet, or for programs: nothing is shown.
    pub(crate) fn new(args: &RunArgs, output_dir: &Path) -> Self {
        // As a person would type it.
        let here = std::env::current_dir().unwrap_or_default();
        let shown = output_dir.strip_prefix(here).unwrap_or(output_dir);
        Self {
            is_shown: !args.quiet && args.format == Format::Text,
            shows_console: args.console,
            output_dir: shown.display().to_string(),
            is_terminal: std::io::stderr().is_terminal(),
            started: Instant::now(),
            transfer: None,
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        let clear = if self.transfer.take().is_some() { "\r\x1b[K" } else { "" };
        let elapsed = self.started.elapsed().as_secs_f64();
        let indent = "  ".repeat(depth.saturating_sub(1));
        print_error(&format!("{clear}{elapsed:8.2} {indent}{text}"));
    }

    fn colour(&self, code: &str, text: &str) -> String {
        if self.is_terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Sink for Watcher {
    fn record(&mut self, _index: u64, record: &LogRecord) {
        if !self.is_shown {
            return;
        }
        let Message::Text(text) = &record.message else { return };
        match record.level {
            LogLevel::Warning => {
                let text = self.colour("33", &format!("warning: {text}"));
                self.line(1, &text);
            }
            LogLevel::Target if self.shows_console => print_error(&format!("         | {text}")),
            _ => {}
        }
    }

    fn progress(&mut self, progress: &Progress<'_>) {
        if !self.is_shown {
            return;
        }
        match progress {
            Progress::Started { scope, budget } if scope.level.depth() == 1 => {
                let name = self.colour("1", &scope.name);
                self.line(1, &format!("{} {name} (at most {})", scope.level, clock(*budget)));
            }
            Progress::Ended { scope, took, failure } => {
                let depth = scope.level.depth();
                let worth_showing = *took >= Duration::from_millis(100) || failure.is_some();
                if depth > 1 && worth_showing {
                    let mark =
                        if failure.is_some() { self.colour("31", "failed") } else { "done".to_owned() };
                    let text =
                        format!("{} {} {mark} in {:.2} s", scope.level, scope.name, took.as_secs_f64());
                    self.line(depth, &text);
                }
            }
            Progress::Result(record) if record.suite != "lava" => {
                let word = match record.result {
                    CaseResult::Pass => self.colour("32", "pass"),
                    CaseResult::Fail => self.colour("31", "fail"),
                    CaseResult::Skip => self.colour("33", "skip"),
                    CaseResult::Unknown => self.colour("33", "unknown"),
                };
                let measured = record
                    .measurement
                    .map(|number| format!(" {number} {}", record.units.as_deref().unwrap_or_default()));
                let text = format!("{word} {}/{}{}", record.suite, record.case, measured.unwrap_or_default());
                self.line(3, &text);
            }
            Progress::Held { why, left } => {
                let (directory, left) = (self.output_dir.clone(), clock(*left));
                let text = self.colour("33", &format!("held for {left}: {why}"));
                self.line(1, &text);
                self.line(2, &format!("use the machine: pumice attach {directory}"));
                self.line(2, &format!("and more:        pumice machine list {directory}"));
                self.line(2, &format!("be done:         pumice machine release {directory}, or Ctrl-C here"));
            }
            Progress::Transfer { label, done, total } if self.is_terminal => {
                let due = self.transfer.is_none_or(|at| at.elapsed() >= Duration::from_millis(100));
                if due {
                    self.transfer = Some(Instant::now());
                    let of = total.map(|total| format!(" of {}", ByteSize(total))).unwrap_or_default();
                    let mut out = std::io::stderr().lock();
                    drop(write!(out, "\r\x1b[K           {label}: {}{of}", ByteSize(*done)));
                    drop(out.flush());
                }
            }
            _ => {}
        }
    }
}

/// Prints the table of results, the verdict and where the log is.
pub(crate) fn show_summary(report: &JobReport, output_dir: &Path) {
    let suites = summarise(&report.results);
    let tests: Vec<_> = suites.iter().filter(|suite| suite.name != "lava").collect();
    if !tests.is_empty() {
        let width = tests.iter().map(|suite| suite.name.chars().count()).max().unwrap_or(0).max(5);
        print(&format!("{:<width$}  {:>6} {:>6} {:>6} {:>8}", "suite", "pass", "fail", "skip", "unknown"));
        for suite in &tests {
            let counts = suite.counts;
            print(&format!(
                "{:<width$}  {:>6} {:>6} {:>6} {:>8}",
                suite.name, counts.pass, counts.fail, counts.skip, counts.unknown
            ));
        }
        for result in report.results.iter().filter(|result| result.record.suite != "lava") {
            let record = &result.record;
            if let Some(number) = record.measurement {
                let units = record.units.as_deref().unwrap_or_default();
                print(&format!("{}/{}: {number} {units}", record.suite, record.case));
            }
        }
        for suite in tests.iter().filter(|suite| !suite.failed.is_empty()) {
            print(&format!("failed in {}: {}", suite.name, suite.failed.join(", ")));
        }
    }
    for one in unfinished(&report.results) {
        let reason = one.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        print(&format!("failed as a whole: {}{reason}", one.suite));
    }
    match report.verdict {
        Some(Verdict::Complete) => print("complete"),
        Some(Verdict::Incomplete) => print("incomplete"),
        Some(Verdict::Cancelled) => print("cancelled"),
        None => {}
    }
    if let Some(failure) = &report.failure {
        show_failure(failure);
    }
    print(&format!("log and results: {}", output_dir.display()));
}

/// Prints a failure: what, whose, the evidence, what to do.
pub(crate) fn show_failure(failure: &Failure) {
    print_error(&format!(
        "error: {} [{}, {}]",
        failure.message,
        failure.cause.code(),
        failure.fault.lava_name()
    ));
    if let Some(evidence) = &failure.evidence {
        print_error(&format!("  {} said:", evidence.from));
        for line in evidence.text.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev() {
            print_error(&format!("    {line}"));
        }
    }
    if let Some(hint) = &failure.hint {
        print_error(&format!("  hint: {hint}"));
    }
}
