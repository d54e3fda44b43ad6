//! Boot blocks: bring a machine to where tests can run.

mod address;
mod beside;
mod bootloader;
mod connect;
pub(crate) mod container;
mod executables;
mod hearing;
mod install;
mod kexec;
mod login;
mod minimal;
mod overlay;
mod place;
mod serve;
mod shell;
mod silence;
mod start;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pumice_console::{Console, Match, Pattern, Patterns};
use pumice_plan::boot::{Boot, BootKind};
use pumice_platform::{Machine, Measured};
use pumice_record::{LogLevel, ResultRecord};
use pumice_types::{Blame as _, CaseResult, Cause, Deadline, Failure};

use crate::{
    control::Registered,
    cx::StepCx,
    deploy::{Deployed, Downloads, unplanned},
    host::RunHost,
    licence::Seat,
};

pub(crate) use address::HostAddress;
use hearing::Hearing;
pub(crate) use minimal::reset;
#[cfg(test)]
pub(crate) use shell::run_line;
use silence::Silence;

/// What a boot block leaves: a machine with a console, and what was deployed for it.
pub(crate) struct Booted {
    /// The machine.
    pub(crate) machine: Machine,
    /// Its main console.
    pub(crate) console: Console,
    /// Its channel for signals, kept so that it is drained to its end.
    pub(crate) channel: Option<Console>,
    /// Consoles that were the main one before, kept for the same reason.
    pub(crate) others: Vec<Console>,
    /// The signals of its tests.
    pub(crate) heard: Hearing,
    /// How long its consoles may be silent.
    pub(crate) silence: Silence,
    /// When the times of those signals begin.
    pub(crate) clock: Instant,
    /// The prompts of its shell.
    pub(crate) prompts: Option<Patterns>,
    /// The seats of licences it holds.
    pub(crate) seats: Vec<Seat>,
    /// Where people find it.
    pub(crate) reach: Registered,
    /// Whether a panic ends a wait.
    pub(crate) minds_kernel: bool,
    /// Where this host is seen from it.
    pub(crate) host: HostAddress,
    /// How often each stage of the tests was begun on it.
    pub(crate) begun_stages: BTreeMap<u32, u32>,
}

/// Facts of the plan that boot blocks need.
pub(crate) struct BootFacts {
    /// Pause between two characters typed.
    pub(crate) pacing: Duration,
    /// How long the consoles may be silent; `None` for no limit.
    pub(crate) inactivity: Option<Duration>,
    /// The masked secrets, for transcripts.
    pub(crate) mask: pumice_types::Mask,
}

/// Runs a boot block: as often as the plan says, each time on a machine of its own.
pub(crate) async fn run(
    plan: &Boot,
    deployed: &Deployed,
    downloads: &Downloads,
    host: &RunHost,
    facts: &BootFacts,
    cx: &StepCx,
) -> Result<Booted, Failure> {
    let seats = match &plan.kind {
        // On the job's time: a boot that waits for somebody else is not a slow boot.
        BootKind::Machine(machine) => host.licences.take(&machine.licences, cx).await?,
        _ => Vec::new(),
    };
    // Boxed: the states of so many nested steps are too deep for the compiler in one.
    let mut booted = Box::pin(tries(plan, deployed, downloads, host, facts, &seats, cx)).await?;
    booted.seats = seats;
    Ok(booted)
}

async fn tries(
    plan: &Boot,
    deployed: &Deployed,
    downloads: &Downloads,
    host: &RunHost,
    facts: &BootFacts,
    seats: &[Seat],
    cx: &StepCx,
) -> Result<Booted, Failure> {
    cx.step_with_tries(&plan.scope, Cause::StepTimeout, async |cx| {
        let mut booted = match &plan.kind {
            BootKind::Machine(machine) => {
                Box::pin(start::run(machine, deployed, host, facts, seats, cx)).await?
            }
            BootKind::Container { .. } => container::boot(plan, deployed, downloads, host, facts, cx).await?,
            _ => connect::run(plan, deployed, host, facts, cx).await?,
        };
        match reach_shell(plan, deployed, &mut booted, cx).await {
            Ok(()) => Ok(booted),
            Err(failure) => {
                let failure = booted.explained(failure).await;
                stop(booted, cx).await?;
                Err(failure)
            }
        }
    })
    .await
}

/// Runs a boot block that works on the machine of the block before.
pub(crate) async fn run_on(
    plan: &Boot,
    deployed: &Deployed,
    booted: &mut Booted,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step_with_tries(&plan.scope, Cause::StepTimeout, async |cx| {
        match &plan.kind {
            BootKind::Minimal { instance, pre_power, pre_os } => {
                minimal::run(instance, [pre_power, pre_os], booted, host, cx).await?;
            }
            BootKind::Kexec { kexec, call } => kexec::run(kexec, call, booted, cx).await?,
            _ => return Err(unplanned(&plan.scope.name)),
        }
        match reach_shell(plan, deployed, booted, cx).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(booted.explained(failure).await),
        }
    })
    .await
}

/// From a machine that was just started to a shell that finds the tests.
async fn reach_shell(
    plan: &Boot,
    deployed: &Deployed,
    booted: &mut Booted,
    cx: &StepCx,
) -> Result<(), Failure> {
    if let Some(bootloader) = &plan.bootloader {
        bootloader::run(bootloader, &deployed.files, booted, cx).await?;
    }
    let mut has_answered = false;
    if let Some(login) = &plan.login {
        let reached = login::run(login, booted, cx).await?;
        booted.prompts = Some(reached.prompts);
        has_answered = reached.has_answered;
    }
    if let Some(scope) = &plan.shell {
        let expect = async |cx: &StepCx| if has_answered { Ok(()) } else { expect_shell(booted, cx).await };
        cx.step(scope, Cause::NoPrompt, expect).await?;
        if plan.mount_overlay.is_some() {
            overlay::mount(deployed, booted, cx).await?;
        }
    }
    if let Some(unpack) = &plan.unpack {
        overlay::fetch(unpack, deployed, booted, cx).await?;
    }
    for beside in &plan.beside {
        beside::run(beside, deployed, booted, cx).await?;
    }
    Ok(())
}

/// Makes sure of a shell: an empty line brings the prompt again. A prompt that answered to a login is sure enough.
async fn expect_shell(booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    let Some(prompts) = booted.prompts.clone() else { return Ok(()) };
    type_line(&booted.console, "", cx).await?;
    booted.expect(&prompts, cx.deadline()).await.map(drop)
}

/// Waits for the prompt that a shell shows by itself.
pub(crate) async fn expect_prompt(booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    let Some(prompts) = booted.prompts.clone() else { return Ok(()) };
    booted.expect(&prompts, cx.deadline()).await.map(drop)
}

/// Types a line and says so in the log.
pub(crate) async fn type_line(console: &Console, line: &str, cx: &StepCx) -> Result<(), Failure> {
    cx.report().log(LogLevel::Input, line);
    console.send_line(line, cx.deadline()).await.map_err(|error| error.failure())
}

impl Booted {
    /// Waits for one of `patterns`; the end of the machine ends the wait too. Says which it was.
    pub(crate) async fn expect(
        &mut self,
        patterns: &Patterns,
        deadline: &Deadline,
    ) -> Result<usize, Failure> {
        self.with_console(async |console| {
            console.expect(patterns, deadline).await.map_err(|error| error.failure())
        })
        .await
        .map(|found: Match| found.index())
    }

    /// Works with the console; the end of the machine ends that too, and so does too long a silence.
    pub(crate) async fn with_console<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Console) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            result = work(&mut self.console) => result,
            failure = machine_failure(&self.machine) => Err(failure),
            failure = self.silence.exceeded() => Err(failure),
        }
    }

    /// A failure, explained by the machine where it has something to say: a console that closed because the
    /// simulator ended is the simulator's end, and one that never spoke may not be the guest's.
    pub(crate) async fn explained(&self, failure: Failure) -> Failure {
        if failure.cause != Cause::ConsoleLost {
            if self.console.total_bytes() > 0 {
                return failure;
            }
            let name = self.console.name();
            let licence = if self.machine.launch().takes_licence() {
                "; or does the simulator wait for a licence, whose server lets it queue?"
            } else {
                ""
            };
            return failure.hint(format!(
                "not one byte came from {name}: does the guest use another console (`console=` of its kernel, the \
                 other consoles in the log), or does somebody else hold the only seat at this one?{licence}"
            ));
        }
        // The console closes a moment before the process is gone.
        let patience = Duration::from_millis(500);
        drop(tokio::time::timeout(patience, self.machine.wait()).await);
        self.machine.failure().unwrap_or(failure)
    }
}

/// Resolves when the machine's own end, or what it says, is a failure.
pub(crate) async fn machine_failure(machine: &Machine) -> Failure {
    match machine.wait().await {
        pumice_platform::Ended::PoweredOff => {
            // What it said last is still on its way.
            tokio::time::sleep(Duration::from_millis(100)).await;
            powered_off()
        }
        pumice_platform::Ended::CutOff => {
            let message = "the machine's network broke while it was needed";
            machine.failure().unwrap_or_else(|| Failure::new(Cause::NetworkLost, message))
        }
        pumice_platform::Ended::Exited(_) => {
            machine.last_words().await;
            // A program that follows its guest may be gone before its console was read.
            if machine.is_powered_off() {
                return powered_off();
            }
            let message = "the simulator ended while it was needed";
            machine.failure().unwrap_or_else(|| Failure::new(Cause::SimulatorExited, message))
        }
    }
}

fn powered_off() -> Failure {
    let message = "the guest powered off while it was needed";
    Failure::new(Cause::SimulatorExited, message).blame(pumice_types::Fault::Job)
}

/// How long the stop of a machine may take beyond its own graces.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Ends a machine, its consoles read to their end.
pub(crate) async fn stop(booted: Booted, cx: &StepCx) -> Result<(), Failure> {
    let late = Deadline::after(Instant::now(), STOP_PATIENCE, "the stop of the machine");
    let Booted { machine, console, channel, others, seats, .. } = booted;
    let platform = machine.launch().platform;
    let stopped = machine.stop(&late).await?;
    drop(seats);
    report_measures(&stopped.measured, cx);
    console.close(&late).await;
    for other in channel.into_iter().chain(others) {
        other.close(&late).await;
    }
    let how = stopped.by.map_or_else(|| "by itself".to_owned(), |by| format!("by {by}"));
    cx.report().debug(format!("the machine ({platform}) ended {how}: it {}", stopped.exit.status));
    Ok(())
}

/// The numbers the simulator reported of itself, as results of the suite `simulator`.
fn report_measures(measured: &[Measured], cx: &StepCx) {
    for one in measured {
        let mut record = ResultRecord::new("simulator", &one.name, CaseResult::Pass);
        record.measurement = one.value.parse().ok().filter(|number: &f64| number.is_finite());
        record.units = Some(one.units.clone()).filter(|units| !units.is_empty());
        cx.report().result(record);
    }
}

/// Patterns of the job as the console takes them.
pub(crate) fn patterns<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Patterns, Failure> {
    let list = texts.into_iter().map(Pattern::python).collect::<Result<Vec<_>, _>>();
    list.and_then(Patterns::new).map_err(|error| Failure::new(Cause::InvalidDefinition, error.to_string()))
}
