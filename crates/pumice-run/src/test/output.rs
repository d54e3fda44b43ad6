//! Results that a definition looks for in its own output: `parse`, LAVA's way from before there were signals
//! (lava-compat 4.2, 4.5).
//!
//! Where a run begins and ends stands in the output too: such tests send no signals over a channel. An end is heard before
//! all that was said until then has been looked at, so that this is done first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use pumice_console::{Match, Patterns};
use pumice_guest::{
    session::{Moment, PatternMatch, PlannedRun, SessionEvent, TestSession},
    signal::Signal,
};
use pumice_types::{Blame as _, Cause, Failure};

use super::shell::now;
use crate::{
    boot::{Booted, patterns},
    cx::StepCx,
};

/// How long what was said before an end that was heard may take to be looked at: it is here already.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a run begins or ends on the console.
const MARKS: &str =
    r"<LAVA_(?:SIGNAL_(?:(?P<start>STARTRUN)|ENDRUN)|TEST_RUNNER RUN_EXIT) (?P<suite>[^\s>]+)";

/// Looks for the results of a block's definitions in what the console says.
pub(super) struct Output {
    /// For each suite with a pattern, what to look for while it runs: the marks and the pattern.
    runs: BTreeMap<String, Patterns>,
    /// What to look for between them.
    marks: Patterns,
    /// The suite that runs, as far as the output was read.
    open: Option<String>,
    /// The suites whose end was read.
    ended: BTreeSet<String>,
}

impl Output {
    /// Fails for a pattern that is none.
    pub(super) fn new(runs: &[PlannedRun]) -> Result<Self, Failure> {
        let with_pattern = runs.iter().filter_map(|run| Some((run, run.pattern.as_ref()?)));
        let runs: BTreeMap<_, _> = with_pattern
            .map(|(run, pattern)| Ok((run.suite.clone(), patterns([MARKS, &pattern.pattern])?)))
            .collect::<Result<_, Failure>>()?;
        let marks = patterns((!runs.is_empty()).then_some(MARKS))?;
        Ok(Self { runs, marks, open: None, ended: BTreeSet::new() })
    }

    /// What to wait for now; nothing where no definition has a pattern.
    pub(super) fn wanted(&self) -> &Patterns {
        self.open.as_ref().and_then(|suite| self.runs.get(suite)).unwrap_or(&self.marks)
    }

    /// Takes what was found.
    pub(super) fn take(
        &mut self,
        found: &Match,
        session: &mut TestSession,
        moment: Moment,
    ) -> Vec<SessionEvent> {
        let group = |name: &str| found.named(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        if found.index() > 0 {
            let found = PatternMatch {
                test_case_id: group("test_case_id"),
                result: group("result"),
                measurement: group("measurement"),
                units: group("units"),
            };
            return session.pattern_match(found, moment);
        }
        let suite = group("suite").unwrap_or_default();
        if group("start").is_some() {
            self.ended.remove(&suite);
            self.open = Some(suite);
        } else {
            self.ended.insert(suite);
            self.open = None;
        }
        Vec::new()
    }

    /// Before the session learns of a run's end: looks at all the run has said, and says what else ended that.
    pub(super) async fn catch_up(
        &mut self,
        signal: &Signal,
        session: &mut TestSession,
        booted: &mut Booted,
        cx: &StepCx,
    ) -> (Vec<SessionEvent>, Result<(), Failure>) {
        let suite = match signal {
            Signal::EndRun(run) => &run.name,
            Signal::RunExit(exit) => &exit.name,
            _ => return (Vec::new(), Ok(())),
        };
        let mut events = Vec::new();
        let soon = cx.deadline().narrowed(Instant::now(), PATIENCE, "what a test said before its end");
        while self.runs.contains_key(suite) && !self.ended.contains(suite) {
            match booted.console.expect(self.wanted(), &soon).await.map_err(|error| error.failure()) {
                Ok(found) => events.extend(self.take(&found, session, now(booted, cx))),
                Err(failure) if failure.cause == Cause::NoPrompt => break,
                // A panic that was found here is found by nobody else.
                Err(failure) => return (events, Err(booted.explained(failure).await)),
            }
        }
        (events, Ok(()))
    }
}
