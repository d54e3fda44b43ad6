//! Runs test definitions in the guest's shell (lava-compat 4.2).
//!
//! One line is typed: it starts the runner that the overlay brought, and prints the runner's status when it is
//! over. Everything else comes as signals, over the machine's channel or its console.
//!
//! Blame: tests that do not end in time, and what a test raises, are the tests'; a machine that ends is the
//! infrastructure's; a signal that was lost on the way is too, and never a silent pass.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pumice_guest::{
    session::{Moment, Origin, Outcome, SessionEvent, SessionPlan, TestSession},
    signal::Signal,
};
use pumice_plan::test::RunLimit;
use pumice_record::{LogLevel, ResultRecord};
use pumice_types::{Blame as _, Cause, Deadline, Failure};
use serde_json::json;

use super::{TestFacts, limit::Limits, output::Output, talk::Talk};
use crate::{
    boot::{Booted, machine_failure, type_line},
    console_log::Heard,
    cx::StepCx,
};

/// How long the channel may stay silent after the console said that all is over.
const CHANNEL_PATIENCE: Duration = Duration::from_secs(10);

/// The key that interrupts the program in the foreground: `intr` of `stty`, as terminals have it from the start.
const INTERRUPT: &[u8] = b"\x03";

/// How long tests that were interrupted may take to end.
const INTERRUPT_PATIENCE: Duration = Duration::from_secs(5);

/// How long the shell may take to be back once the tests are over.
const SHELL_PATIENCE: Duration = Duration::from_secs(10);

/// What to look at when not even the runner was heard: what was typed may not have arrived whole.
const NOTHING_HEARD: &str = "the guest never said that the tests began: compare the command on the console with the one in \
     the log; where characters are missing, set `test_character_delay` in the device or the job's context";

/// How a session goes on.
enum Next {
    Listen,
    AwaitChannel,
    Over(Option<Failure>),
}

/// Runs one stage of the overlay.
pub(crate) async fn run(
    stage: u32,
    limits: &BTreeMap<String, RunLimit>,
    booted: &mut Booted,
    facts: &TestFacts<'_>,
    cx: &StepCx,
) -> Result<(), Failure> {
    let runs = usize::try_from(stage).ok().and_then(|stage| facts.stages.get(stage)).cloned();
    let runs = runs.unwrap_or_default();
    let order = runs.iter().map(|run| run.suite.clone()).collect();
    let mut output = Output::new(&runs)?;
    let mut session = TestSession::new(SessionPlan { stage, runs });
    // What a block before left unheard is not ours.
    booted.heard.forget();
    booted.console.skip();
    let directory = facts.directory;
    let seconds = cx.deadline().remaining(Instant::now()).as_secs();
    let tries = booted.begun_stages.entry(stage).or_insert(0_u32);
    *tries += 1;
    let again = if *tries == 1 { String::new() } else { format!(" {tries}") };
    // Short, because a guest echoes character by character. The marker is split so that the echo of the line is not taken
    // for a signal.
    let line = format!(
        "{directory}/bin/lava-test-runner {directory}/{stage} {seconds}{again};\
         echo '<LAVA_SIG''NAL_RETRUNCODE '$?'>'"
    );
    type_line(&booted.console, &line, cx).await?;
    let mut limits = Limits::new(limits, order);
    let outcome = listen(&mut session, &mut output, &mut limits, booted, facts, cx).await;
    if let Err(failure) = &outcome {
        // Runs that are open fail, with the reason.
        let moment = now(booted, cx);
        for event in session.abort(&failure.message, moment) {
            drop(perform(event, &mut Talk::default(), cx));
        }
        // Where the runner has ended by itself the shell is there.
        if !matches!(failure.cause, Cause::InstallFailed | Cause::InstallNetwork) {
            interrupt(failure, booted, cx).await;
        }
    }
    outcome
}

async fn listen(
    session: &mut TestSession,
    output: &mut Output,
    limits: &mut Limits<'_>,
    booted: &mut Booted,
    facts: &TestFacts<'_>,
    cx: &StepCx,
) -> Result<(), Failure> {
    let directory = facts.directory;
    let mut silent_at = None;
    let mut has_returned = facts.is_last;
    let mut has_begun = false;
    let mut talk = Talk::default();
    // The tests may be over, told by the channel, before the console has said so too. What it still says must
    // not be taken for the next block's.
    let mut over: Option<(Option<Failure>, Instant)> = None;
    loop {
        if let Some((failure, at)) = &over
            && (has_returned || failure.is_some() || at.elapsed() >= SHELL_PATIENCE)
        {
            return failure.clone().map_or(Ok(()), Err);
        }
        let shell = async {
            match &over {
                Some((_, at)) => tokio::time::sleep_until((*at + SHELL_PATIENCE).into()).await,
                None => std::future::pending().await,
            }
        };
        let silence = async {
            match silent_at {
                Some(at) => tokio::time::sleep_until(tokio::time::Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        let next = tokio::select! {
            biased;
            heard = booted.heard.next() => if let Some(heard) = heard {
                // The session is deaf once it is over, and this may come after.
                has_begun = true;
                has_returned |= matches!(heard.received.signal, Ok(Signal::ReturnCode(_)));
                let mut read = Ok(());
                if let Ok(signal) = &heard.received.signal {
                    limits.note(signal);
                    let (events, told) = output.catch_up(signal, session, booted, cx).await;
                    perform_all(events, &mut talk, cx);
                    read = told;
                }
                read.and_then(|()| take(session, heard, directory, &mut talk, cx))
            } else {
                let gone = Failure::new(Cause::ConsoleLost, "the consoles of the machine are gone");
                Err(booted.explained(gone).await)
            },
            () = silence => {
                silent_at = None;
                let moment = now(booted, cx);
                Ok(perform_all(session.channel_silent(moment), &mut talk, cx))
            }
            () = shell => Ok(Next::Listen),
            answered = talk.next() => {
                let moment = now(booted, cx);
                let (events, told) = talk.hand_over(answered, session, booted, moment, cx).await;
                let next = perform_all(events, &mut talk, cx);
                told.map(|()| next)
            }
            () = limits.over() => limits.end(session, booted, cx).await.map(|()| Next::Listen),
            () = tokio::time::sleep_until(cx.deadline().at().into()) => {
                let failure = Failure::timed_out(
                    Cause::TestTimeout,
                    cx.deadline().owner(),
                    cx.deadline().limit(),
                    "the tests to end",
                );
                let failure = failure.evidence(booted.console.name(), booted.console.tail(800));
                return Err(if has_begun { failure } else { failure.hint(NOTHING_HEARD) });
            }
            found = booted.console.expect(output.wanted(), cx.deadline()) => {
                let failure = match found {
                    Ok(found) => {
                        let moment = now(booted, cx);
                        perform_all(output.take(&found, session, moment), &mut talk, cx);
                        continue;
                    }
                    Err(error) => error.failure(),
                };
                if failure.cause == Cause::NoPrompt {
                    continue;
                }
                Err(booted.explained(failure).await)
            }
            failure = machine_failure(&booted.machine) => Err(failure),
            failure = booted.silence.exceeded() => Err(failure),
        }?;
        match next {
            Next::Listen => {}
            Next::AwaitChannel => silent_at = Some(Instant::now() + CHANNEL_PATIENCE),
            Next::Over(failure) => over = Some((failure, Instant::now())),
        }
    }
}

/// This moment, as the session counts.
pub(super) fn now(booted: &Booted, cx: &StepCx) -> Moment {
    Moment { at: booted.clock.elapsed(), line: cx.report().lines() }
}

/// Hands a signal to the session.
fn take(
    session: &mut TestSession,
    heard: Heard,
    directory: &str,
    talk: &mut Talk,
    cx: &StepCx,
) -> Result<Next, Failure> {
    if heard.origin == Origin::Channel
        && let Ok(signal) = &heard.received.signal
        && !matches!(signal, Signal::Channel(_) | Signal::ReturnCode(_))
    {
        // What came over a channel was not printed: readers of logs look for it (clients.md 1).
        cx.report().debug(signal.to_string());
    }
    let events = session.receive(heard.origin, heard.received.signal, heard.moment);
    for event in &events {
        if let SessionEvent::ReturnCode(status @ (126 | 127)) = event
            && heard.origin == Origin::Console
        {
            let message = format!("the guest cannot run {directory}/bin/lava-test-runner (status {status})");
            return Err(Failure::new(Cause::CommandFailed, message).hint(
                "the overlay did not reach the guest's root file system; see how it is delivered in the plan",
            ));
        }
    }
    Ok(perform_all(events, talk, cx))
}

fn perform_all(events: Vec<SessionEvent>, talk: &mut Talk, cx: &StepCx) -> Next {
    let mut next = Next::Listen;
    for event in events {
        match (perform(event, talk, cx), &next) {
            (Next::Listen, _) | (_, Next::Over(_)) => {}
            (other, _) => next = other,
        }
    }
    next
}

/// Does what an event asks for.
fn perform(event: SessionEvent, talk: &mut Talk, cx: &StepCx) -> Next {
    let report = cx.report();
    match event {
        SessionEvent::Result(outcome) => report.result(recorded(*outcome)),
        SessionEvent::RunStarted { suite } => report.info(format!("test {suite} begins")),
        SessionEvent::RunEnded { suite, cases } => {
            report.info(format!("test {suite} ended with {} results", cases.len()));
        }
        SessionEvent::Event(message) => report.log(LogLevel::Event, message),
        SessionEvent::Complaint(error) => report.log(LogLevel::Error, error.to_string()),
        SessionEvent::Warning(text) => report.warning(text),
        SessionEvent::MultiNode(request) => talk.ask(request, cx),
        SessionEvent::ReturnCode(_) | SessionEvent::Feedback(_) => {}
        SessionEvent::AwaitChannel => return Next::AwaitChannel,
        SessionEvent::Over(failure) => return Next::Over(failure),
    }
    Next::Listen
}

/// A result of the session as the log has it.
fn recorded(outcome: Outcome) -> ResultRecord {
    let mut record = ResultRecord::new(outcome.suite, outcome.case, outcome.result);
    record.set = outcome.set;
    record.measurement = outcome.measurement;
    record.units = outcome.units;
    record.reference = outcome.reference;
    record.start_line = outcome.start_line;
    record.end_line = outcome.end_line;
    record.duration = outcome.duration;
    record.extra = outcome.reason.map(|reason| json!({ "reason": reason }));
    if let Some(source) = outcome.source {
        record.uuid = Some(source.uuid).filter(|uuid| !uuid.is_empty());
        record.repository = source.repository;
        record.path = source.path;
        record.revision = Some(source.revision.unwrap_or_else(|| "unspecified".to_owned()));
        record.commit_id = source.commit_id;
    }
    record
}

/// Brings the shell back after tests that did not end: they may be tried again, or the job goes on with the next block.
/// What they still say must not be taken for what comes then, so that their last word is waited for.
async fn interrupt(failure: &Failure, booted: &mut Booted, cx: &StepCx) {
    let is_lost = matches!(failure.cause, Cause::GuestPanic | Cause::ConsoleLost | Cause::Inactivity);
    if is_lost || booted.machine.exited().is_some() || cx.cancel().reason().is_some() {
        return;
    }
    // The time of the tests may be over: this has a time of its own.
    let soon = Deadline::after(Instant::now(), INTERRUPT_PATIENCE, "the interrupt");
    if booted.console.send(INTERRUPT, &soon).await.is_err() {
        return;
    }
    let over = async {
        while let Some(heard) = booted.heard.next().await {
            if heard.origin == Origin::Console && matches!(heard.received.signal, Ok(Signal::RunnerExit)) {
                return;
            }
        }
    };
    let is_over = tokio::time::timeout(INTERRUPT_PATIENCE, over).await.is_ok();
    if !is_over {
        let seconds = INTERRUPT_PATIENCE.as_secs();
        cx.report()
            .warning(format!("the tests go on in the guest {seconds} seconds after they were interrupted"));
    }
}
