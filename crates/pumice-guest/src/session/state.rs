//! The state of a block of tests.

use std::{collections::HashMap, mem, time::Duration};

use pumice_types::{Blame, CaseResult, Cause, Failure};

use super::{Moment, Origin, Outcome, PatternMatch, PlannedRun, SessionEvent, SessionPlan};
use crate::signal::{
    ChannelState, InstallFail, InstallReason, MultiNode, RunExit, Signal, SignalError, TestCase, TestSet,
};

/// A block of tests under way. Feed it every signal in the order of arrival; it says what is to be done.
#[derive(Debug)]
pub struct TestSession {
    stage: u32,
    planned: Vec<(PlannedRun, Progress)>,
    open: Option<Open>,
    /// The suite of the run before: late results of background processes belong to it.
    last_suite: Option<String>,
    /// Where the output of cases begins and ends, by suite and case.
    markers: HashMap<(String, String), (Option<u64>, Option<u64>)>,
    installs_failed: Vec<InstallFail>,
    /// Runs whose time was over, and what to say of them.
    given_up: HashMap<String, String>,
    loss: Option<Failure>,
    channel: ChannelUse,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Started,
    InstallFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelUse {
    /// Signals come over the console.
    None,
    /// The guest says that they come over the channel; `true` once one did.
    Announced(bool),
    /// The guest says that the channel was lost.
    Lost,
}

/// A run between its start and its end.
#[derive(Debug)]
struct Open {
    run: PlannedRun,
    since: Duration,
    set: Option<String>,
    cases: Vec<(String, CaseResult)>,
    lost: bool,
}

impl TestSession {
    /// Nothing has run yet.
    pub fn new(plan: SessionPlan) -> Self {
        Self {
            stage: plan.stage,
            planned: plan.runs.into_iter().map(|run| (run, Progress::Waiting)).collect(),
            open: None,
            last_suite: None,
            markers: HashMap::new(),
            installs_failed: Vec::new(),
            given_up: HashMap::new(),
            loss: None,
            channel: ChannelUse::None,
            over: false,
        }
    }

    /// Takes a signal, or why it cannot be used.
    pub fn receive(
        &mut self,
        origin: Origin,
        signal: Result<Signal, SignalError>,
        moment: Moment,
    ) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        if self.over {
            return events;
        }
        match signal {
            Ok(signal) => self.signal(origin, signal, moment, &mut events),
            Err(error) => self.error(error, &mut events),
        }
        events
    }

    /// Takes a match of the pattern of the run that is open.
    pub fn pattern_match(&mut self, found: PatternMatch, moment: Moment) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        let Some(open) = self.open.as_ref() else { return events };
        let fixups = open.run.pattern.as_ref().map_or(&[][..], |pattern| &pattern.fixups);
        match found.into_case(fixups) {
            Ok(case) => self.case(case, None, moment, &mut events),
            Err(problem) => {
                events.push(SessionEvent::Warning(format!("the pattern found no result: {problem}")));
            }
        }
        events
    }

    /// Records how a request to the other nodes ended: the case `multinode-VERB-ID` of the open suite
    /// (lava-compat 5.3).
    pub fn multi_node_done(&mut self, request: &MultiNode, done: bool, moment: Moment) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        let case = TestCase {
            id: format!("multinode-{}-{}", request.verb(), request.id()),
            result: if done { CaseResult::Pass } else { CaseResult::Fail },
            measurement: None,
            units: None,
        };
        self.case(case, None, moment, &mut events);
        events
    }

    /// The time of one run is over and the guest was asked to end it: `reason` is why it fails, whatever status
    /// its script ends with.
    pub fn give_up(&mut self, suite: &str, reason: String) {
        self.given_up.insert(suite.to_owned(), reason);
    }

    /// The channel stayed silent after the console said that the tests are over.
    pub fn channel_silent(&mut self, moment: Moment) -> Vec<SessionEvent> {
        let message = match self.channel {
            ChannelUse::Announced(false) => {
                "the guest says that it writes its signals to the channel, and none arrived there"
            }
            _ => "the channel fell silent before the guest said that its tests were over",
        };
        self.lose(Failure::new(Cause::SignalLost, message).hint(
            "check that the device's channel is the one the guest opened, and that nothing else reads it",
        ));
        let mut events = Vec::new();
        self.exit(moment, &mut events);
        events
    }

    /// Ends the session from outside: the time is over, the console closed, the job was cancelled. Runs that did not
    /// come to their end fail for `reason`.
    pub fn abort(&mut self, reason: &str, moment: Moment) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        if !self.over {
            self.close_all(reason, moment, &mut events);
        }
        events
    }

    fn signal(&mut self, origin: Origin, signal: Signal, moment: Moment, events: &mut Vec<SessionEvent>) {
        match signal {
            Signal::StartRun(run) => self.start_run(run.name, run.uuid, moment, events),
            Signal::EndRun(run) => {
                if self.open.as_ref().is_some_and(|open| open.run.suite == run.name) {
                    self.end_run(None, moment, events);
                } else {
                    let text = format!("the guest ended `{}`, which was not running", run.name);
                    events.push(SessionEvent::Warning(text));
                }
            }
            Signal::RunExit(RunExit { name, status }) => {
                if self.open.as_ref().is_some_and(|open| open.run.suite == name) {
                    let reason =
                        self.given_up.get(&name).cloned().unwrap_or_else(|| {
                            format!("the script ended with status {status} before its end")
                        });
                    self.end_run(Some(reason), moment, events);
                }
            }
            Signal::StartTc(id) => self.mark(id, moment, true),
            Signal::EndTc(id) => self.mark(id, moment, false),
            Signal::TestCase(case) => self.case(case, None, moment, events),
            Signal::TestReference(found) => {
                let case = TestCase { id: found.id, result: found.result, measurement: None, units: None };
                self.case(case, Some(found.reference), moment, events);
            }
            Signal::TestSet(set) => self.set(set, events),
            Signal::TestFeedback(namespace) => events.push(SessionEvent::Feedback(namespace)),
            Signal::TestEvent(message) => events.push(SessionEvent::Event(message)),
            Signal::TestRaise(message) => {
                let failure = Failure::new(Cause::TestRaised, message);
                self.fail("a test asked to end the job", failure, moment, events);
            }
            Signal::ReturnCode(status) => events.push(SessionEvent::ReturnCode(status)),
            Signal::InstallFail(failed) => {
                if let Some((_, progress)) =
                    self.planned.iter_mut().find(|(run, _)| Some(&run.suite) == failed.name.as_ref())
                {
                    *progress = Progress::InstallFailed;
                }
                // One whose time was over was ended by us, and says nothing of what it installs.
                if !failed.name.as_ref().is_some_and(|name| self.given_up.contains_key(name)) {
                    self.installs_failed.push(failed);
                }
            }
            Signal::Channel(state) => {
                self.channel = match state {
                    ChannelState::Open(_) => ChannelUse::Announced(true),
                    ChannelState::Announced(_) if self.channel == ChannelUse::Announced(true) => self.channel,
                    ChannelState::Announced(_) => ChannelUse::Announced(false),
                    ChannelState::Lost => {
                        let message =
                            "the program that sends the guest's signals over the channel ended early";
                        self.lose(Failure::new(Cause::SignalLost, message));
                        ChannelUse::Lost
                    }
                }
            }
            Signal::MultiNode(request) => events.push(SessionEvent::MultiNode(request)),
            Signal::RunnerExit => match (origin, self.channel) {
                (Origin::Console, ChannelUse::Announced(_)) => events.push(SessionEvent::AwaitChannel),
                _ => self.exit(moment, events),
            },
        }
    }

    fn error(&mut self, error: SignalError, events: &mut Vec<SessionEvent>) {
        if error.is_loss() {
            self.lose(error.failure());
        }
        events.push(SessionEvent::Complaint(error));
    }

    /// Remembers the first loss; the open run can no longer pass.
    fn lose(&mut self, failure: Failure) {
        if let Some(open) = &mut self.open {
            open.lost = true;
        }
        self.loss.get_or_insert(failure);
    }

    fn start_run(&mut self, suite: String, uuid: String, moment: Moment, events: &mut Vec<SessionEvent>) {
        self.end_run(Some("the next test began before this one came to its end".to_owned()), moment, events);
        let planned = self.planned.iter_mut().find(|(run, _)| run.suite == suite);
        let run = if let Some((run, progress)) = planned {
            *progress = Progress::Started;
            run.clone()
        } else {
            let mut run = PlannedRun { suite, ..PlannedRun::default() };
            run.source.uuid = uuid;
            run
        };
        events.push(SessionEvent::RunStarted { suite: run.suite.clone() });
        self.open = Some(Open { run, since: moment.at, set: None, cases: Vec::new(), lost: false });
    }

    /// Closes the open run, if there is one: passed, or failed for `problem`.
    fn end_run(&mut self, problem: Option<String>, moment: Moment, events: &mut Vec<SessionEvent>) {
        let Some(mut open) = self.open.take() else { return };
        let lost = open.lost.then(|| "signals of this test were lost on the way".to_owned());
        let reason = problem.or(lost);
        let result = if reason.is_none() { CaseResult::Pass } else { CaseResult::Fail };
        events.push(recorded(Outcome {
            duration: Some(moment.at.saturating_sub(open.since)),
            reason,
            source: Some(open.run.source.clone()),
            ..Outcome::new("lava", &open.run.suite, result)
        }));
        missing_cases(&open.run, &mut open.cases, events);
        events.push(SessionEvent::RunEnded { suite: open.run.suite.clone(), cases: open.cases });
        self.last_suite = Some(open.run.suite);
    }

    fn mark(&mut self, case: String, moment: Moment, starts: bool) {
        let suite = self.suite().unwrap_or_default().to_owned();
        let marker = self.markers.entry((suite, case)).or_default();
        if starts {
            *marker = (Some(moment.line), None);
        } else {
            marker.1 = Some(moment.line);
        }
    }

    fn suite(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.run.suite.as_str()).or(self.last_suite.as_deref())
    }

    fn case(
        &mut self,
        case: TestCase,
        reference: Option<String>,
        moment: Moment,
        events: &mut Vec<SessionEvent>,
    ) {
        let Some(suite) = self.suite().map(str::to_owned) else {
            let message = format!("the case `{}` was reported before any test began", case.id);
            let stray = Failure::new(Cause::SignalInvalid, message)
                .hint("report cases from the steps of a test definition only");
            // It may have been the beginning that was lost.
            let failure = self.loss.take().unwrap_or(stray);
            self.fail("no test had begun", failure, moment, events);
            return;
        };
        let marker = self.markers.remove(&(suite.clone(), case.id.clone()));
        let (start_line, end_line) = marker.unwrap_or_default();
        let mut outcome = Outcome {
            measurement: case.measurement,
            units: case.units,
            reference,
            start_line: start_line.or(Some(moment.line)),
            end_line: end_line.or(Some(moment.line)),
            ..Outcome::new(suite, case.id, case.result)
        };
        if let Some(open) = &mut self.open {
            outcome.set.clone_from(&open.set);
            if open.run.expected.as_ref().is_some_and(|expected| !expected.contains(&outcome.case)) {
                outcome.result = CaseResult::Fail;
                outcome.reason = Some("this case was not expected".to_owned());
            }
            open.cases.push((outcome.case.clone(), outcome.result));
        }
        events.push(recorded(outcome));
    }

    fn set(&mut self, set: TestSet, events: &mut Vec<SessionEvent>) {
        let Some(open) = &mut self.open else {
            events.push(SessionEvent::Warning("a set of cases was named while no test ran".to_owned()));
            return;
        };
        open.set = match set {
            TestSet::Start(name) => Some(name),
            TestSet::Stop => None,
        };
    }

    /// Ends the session with `failure`; open runs fail for `reason`.
    fn fail(&mut self, reason: &str, failure: Failure, moment: Moment, events: &mut Vec<SessionEvent>) {
        self.close_all(reason, moment, events);
        events.push(SessionEvent::Over(Some(failure)));
    }

    /// Ends the session as the guest wanted.
    fn exit(&mut self, moment: Moment, events: &mut Vec<SessionEvent>) {
        if self.over {
            return;
        }
        self.close_all("it did not come to its end", moment, events);
        let failure = self.loss.take().or_else(|| self.install_failure());
        events.push(SessionEvent::Over(failure));
    }

    fn close_all(&mut self, reason: &str, moment: Moment, events: &mut Vec<SessionEvent>) {
        self.end_run(Some(reason.to_owned()), moment, events);
        for (run, progress) in mem::take(&mut self.planned) {
            let reason = match progress {
                Progress::Started => continue,
                Progress::InstallFailed => {
                    let given_up = self.given_up.get(&run.suite).cloned();
                    given_up.unwrap_or_else(|| "its install steps failed, so it was not run".to_owned())
                }
                Progress::Waiting => format!("it was not run: {reason}"),
            };
            events.push(recorded(Outcome {
                reason: Some(reason),
                source: Some(run.source.clone()),
                ..Outcome::new("lava", &run.suite, CaseResult::Fail)
            }));
            missing_cases(&run, &mut Vec::new(), events);
        }
        if !self.installs_failed.is_empty() {
            let case = format!("stage_{}", self.stage);
            let reason = Some("install steps failed".to_owned());
            events.push(recorded(Outcome { reason, ..Outcome::new("lava", case, CaseResult::Fail) }));
        }
        self.over = true;
    }

    fn install_failure(&self) -> Option<Failure> {
        let names: Vec<_> = self.installs_failed.iter().filter_map(|failed| failed.name.as_deref()).collect();
        let of = if names.is_empty() { "a test".to_owned() } else { names.join(", ") };
        let first = self.installs_failed.iter().map(|failed| failed.reason).max_by_key(|reason| {
            [InstallReason::Step, InstallReason::Unsupported, InstallReason::Package, InstallReason::Network]
                .iter()
                .position(|known| known == reason)
        })?;
        let (cause, what, hint) = match first {
            InstallReason::Network => (
                Cause::InstallNetwork,
                "the network did not work",
                "see the log for what was tried; a mirror near the lab or a package proxy helps",
            ),
            InstallReason::Package => (
                Cause::InstallFailed,
                "a package does not exist",
                "check the names under `install: deps`; names differ between distributions, see `deps-NAME`",
            ),
            InstallReason::Unsupported => (
                Cause::InstallFailed,
                "the guest has no package manager that is known",
                "use an image that has the packages, or `skip_install: [deps]`",
            ),
            InstallReason::Step => (Cause::InstallFailed, "a step failed", "see the log for its output"),
        };
        Some(Failure::new(cause, format!("the install steps of {of} failed: {what}")).hint(hint))
    }
}

fn recorded(outcome: Outcome) -> SessionEvent {
    SessionEvent::Result(Box::new(outcome))
}

/// Expected cases that were never reported fail.
fn missing_cases(run: &PlannedRun, cases: &mut Vec<(String, CaseResult)>, events: &mut Vec<SessionEvent>) {
    for expected in run.expected.iter().flatten() {
        if !cases.iter().any(|(case, _)| case == expected) {
            cases.push((expected.clone(), CaseResult::Fail));
            events.push(recorded(Outcome {
                reason: Some("this case was expected and not reported".to_owned()),
                ..Outcome::new(&run.suite, expected, CaseResult::Fail)
            }));
        }
    }
}
