//! The runner: one job from its plan to its verdict.
//!
//! ```text
//!             deploy             boot
//!  Idle ───────────────▶ Deployed ───▶ Booted ──┐
//!                           ▲   ▲        │  ▲   │ test
//!                           │   └────────┘  └───┘
//!                        deploy    boot again: the old machine is stopped first
//! ```
//!
//! One such state a namespace. Whatever happens, every machine is stopped in the end: teardown is not a block.

mod hold;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pumice_plan::{
    Block, CLEANUP, Command, CommandAction, OnTimeout, Plan, Scope,
    boot::{Boot, BootKind},
    test::{Test, TestKind},
};
use pumice_record::{LogLevel, ResultRecord, export::LoggedResult};
use pumice_types::{CaseResult, Cause, Deadline, Failure, Fault, JobId, Mask, Verdict};

use crate::{
    boot::{self, BootFacts, Booted},
    command::{self, Undo},
    cx::{Cancel, StepCx},
    deploy::{self, BuiltOverlay, Deployed, Downloads, Facts},
    host::RunHost,
    report::Reporter,
    test::{self, TestFacts, services::Services},
};

/// How a job ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Complete, incomplete or cancelled.
    pub verdict: Verdict,
    /// Why it is not complete.
    pub failure: Option<Failure>,
    /// Every result, in order.
    pub results: Vec<LoggedResult>,
}

impl Outcome {
    /// How many cases of the tests (not of the suite `lava`) have this result.
    pub fn count(&self, result: CaseResult) -> usize {
        let tests = self.results.iter().map(|result| &result.record).filter(|record| record.suite != "lava");
        tests.filter(|record| record.result == result).count()
    }
}

/// Where a namespace stands.
enum Role {
    Deployed(Deployed),
    Booted { deployed: Deployed, booted: Box<Booted> },
}

impl Role {
    fn overlay(&self) -> Option<&BuiltOverlay> {
        match self {
            Self::Deployed(deployed) | Self::Booted { deployed, .. } => deployed.overlay.as_ref(),
        }
    }

    fn booted(&mut self) -> Option<&mut Booted> {
        match self {
            Self::Deployed(_) => None,
            Self::Booted { booted, .. } => Some(booted),
        }
    }

    fn deployed(&mut self) -> &mut Deployed {
        match self {
            Self::Deployed(deployed) | Self::Booted { deployed, .. } => deployed,
        }
    }
}

/// Runs one job.
pub struct Runner<'a> {
    plan: &'a Plan,
    host: &'a RunHost,
    reporter: Reporter,
    cancel: Cancel,
    job: JobId,
    mask: Mask,
    roles: BTreeMap<String, Role>,
    downloads: Downloads,
    undo: Vec<Undo>,
    services: Services,
}

impl<'a> Runner<'a> {
    /// A runner of `plan`. `mask` hides the job's secrets in transcripts, as the reporter does in the log.
    pub fn new(
        plan: &'a Plan,
        host: &'a RunHost,
        job: JobId,
        reporter: Reporter,
        mask: Mask,
        cancel: Cancel,
    ) -> Self {
        let (roles, downloads) = (BTreeMap::new(), Downloads::default());
        let (undo, services) = (Vec::new(), Services::default());
        Self { plan, host, reporter, cancel, job, mask, roles, downloads, undo, services }
    }

    /// Runs it to its end. Machines are stopped and results recorded whatever happens.
    pub async fn run(mut self) -> Outcome {
        let deadline = Deadline::after(Instant::now(), self.plan.timeout, "the job");
        let limit = self.plan.node.as_ref().and_then(|node| node.request_timeout);
        let cx = StepCx::new(self.reporter.clone(), deadline, self.cancel.clone())
            .with_peers(self.host.peers.clone(), limit);
        self.reporter.result(ResultRecord::new("lava", "validate", CaseResult::Pass));
        let ended = self.blocks(&cx).await;
        if let Some(peers) = &self.host.peers {
            // Before the clean-up: the others need not wait for that.
            let failure = ended.as_ref().err().map(|failure| self.reporter.masked_failure(failure.clone()));
            peers.leave(failure).await;
        }
        if let Some(scope) = &self.plan.hold
            && self.cancel.reason().is_none()
            && (ended.is_err() || self.has_failed_tests())
        {
            self.hold_after(scope, &hold::why(ended.as_ref().err())).await;
        }
        let finalized = self.finalize().await;
        let failure = ended.and(finalized).err();
        self.conclude(failure)
    }

    /// Whether a case of the tests, not of the suite `lava`, has failed.
    fn has_failed_tests(&self) -> bool {
        let results = self.reporter.results();
        results.iter().any(|one| one.record.suite != "lava" && one.record.result == CaseResult::Fail)
    }

    async fn blocks(&mut self, cx: &StepCx) -> Result<(), Failure> {
        for block in &self.plan.blocks {
            if let Some(reason) = self.cancel.reason() {
                return Err(reason);
            }
            let (scope, on_timeout) = match block {
                Block::Deploy(deploy) => (&deploy.scope, deploy.on_timeout),
                Block::Boot(boot) => (&boot.scope, boot.on_timeout),
                Block::Test(test) => (&test.scope, test.on_timeout),
                Block::Command(command) => (&command.scope, OnTimeout::Fail),
            };
            let began = Instant::now();
            match self.block(block, cx).await {
                Ok(()) => {}
                Err(failure) => self.give_up(scope, on_timeout, began, failure, cx)?,
            }
        }
        Ok(())
    }

    /// Whether a block that failed ends the job: not when its own time was over and the job said so.
    fn give_up(
        &self,
        scope: &Scope,
        on_timeout: OnTimeout,
        began: Instant,
        failure: Failure,
        cx: &StepCx,
    ) -> Result<(), Failure> {
        let ran_out = matches!(
            failure.cause,
            Cause::TestTimeout
                | Cause::StepTimeout
                | Cause::NoPrompt
                | Cause::Inactivity
                | Cause::SimulatorHung
        );
        if !ran_out || on_timeout == OnTimeout::Fail || cx.deadline().is_over(Instant::now()) {
            return Err(failure);
        }
        self.reporter.warning(format!("{failure}; the job goes on with the next block"));
        if on_timeout == OnTimeout::Soft {
            let name = format!("{}-soft-timeout", scope.name);
            let mut record = ResultRecord::new("lava", name, CaseResult::Fail);
            record.namespace = Some(scope.namespace.clone());
            record.level = Some(scope.level.to_string());
            record.duration = Some(began.elapsed());
            record.extra = Some(serde_json::json!({ "fail": failure.message }));
            self.reporter.result(record);
        }
        Ok(())
    }

    async fn block(&mut self, block: &Block, cx: &StepCx) -> Result<(), Failure> {
        match block {
            Block::Deploy(plan) => {
                let facts =
                    Facts { job: self.job, guest: &self.plan.guest, environment: &self.plan.environment };
                let deployed =
                    Box::pin(deploy::run(plan, self.host, &facts, &mut self.downloads, cx)).await?;
                match self.roles.get_mut(&plan.scope.namespace) {
                    Some(role) => role.deployed().merge(deployed),
                    None => {
                        self.roles.insert(plan.scope.namespace.clone(), Role::Deployed(deployed));
                    }
                }
                Ok(())
            }
            Block::Boot(plan) if matches!(plan.kind, BootKind::Minimal { .. } | BootKind::Kexec { .. }) => {
                let Some(Role::Booted { deployed, booted }) = self.roles.get_mut(&plan.scope.namespace)
                else {
                    return Err(nothing_runs(&plan.scope.namespace));
                };
                Box::pin(boot::run_on(plan, deployed, booted, self.host, cx)).await
            }
            Block::Boot(plan) => Box::pin(self.boot(plan, cx)).await,
            Block::Test(plan) if matches!(plan.kind, TestKind::Container { .. }) => {
                let deployed = self.roles.get_mut(&plan.scope.namespace).map(Role::deployed);
                let overlay = deployed.and_then(|deployed| deployed.overlay.as_ref());
                let facts = BootFacts {
                    pacing: Duration::ZERO,
                    inactivity: self.plan.inactivity,
                    mask: self.mask.clone(),
                };
                let block = test::container::Block {
                    job: self.job,
                    directory: &self.plan.guest.directory,
                    overlay,
                    downloads: &self.downloads,
                };
                Box::pin(test::container::run(plan, &block, self.host, &facts, cx)).await
            }
            Block::Test(plan) if matches!(plan.kind, TestKind::Services { .. }) => {
                // Boxed, as the others that nest deep.
                Box::pin(test::services::run(plan, &mut self.services, self.host, cx)).await
            }
            Block::Test(plan) => {
                let namespace = plan.connection_namespace.as_ref().unwrap_or(&plan.scope.namespace);
                // The tests are those of the block's own namespace, on whose console ever they run.
                let own = self.roles.get(&plan.scope.namespace).and_then(|role| role.overlay().cloned());
                let own = own.as_ref();
                // Taken out, so that the machine of the block's own namespace can lend it what it hears.
                let Some(mut role) = self.roles.remove(namespace) else {
                    return Err(nothing_runs(namespace));
                };
                let Role::Booted { deployed, booted } = &mut role else {
                    self.roles.insert(namespace.clone(), role);
                    return Err(nothing_runs(namespace));
                };
                let stages = own.or(deployed.overlay.as_ref()).map(|overlay| overlay.stages.clone());
                let facts = TestFacts {
                    job: self.job,
                    directory: &self.plan.guest.directory,
                    stages: &stages.unwrap_or_default(),
                    is_last: self.is_last(plan),
                };
                let owner = self.roles.get_mut(&plan.scope.namespace).and_then(Role::booted);
                let outcome = match owner {
                    Some(owner) => {
                        owner.heard.lend(&mut booted.heard);
                        let outcome = Box::pin(test::run(plan, booted, &facts, cx)).await;
                        owner.heard.take_back(&mut booted.heard);
                        outcome
                    }
                    None => Box::pin(test::run(plan, booted, &facts, cx)).await,
                };
                self.roles.insert(namespace.clone(), role);
                outcome
            }
            Block::Command(plan) => {
                cx.step(&plan.scope, Cause::StepTimeout, async |cx| self.command(plan, cx).await).await
            }
        }
    }

    /// Whether nothing is done with the guest's shell after this block.
    fn is_last(&self, plan: &Test) -> bool {
        let is_it = |block: &Block| matches!(block, Block::Test(last) if std::ptr::eq(last, plan));
        plan.scope.tries.is_none() && self.plan.blocks.last().is_some_and(is_it)
    }

    /// Starts the machine of a namespace; one that runs there is stopped first.
    async fn boot(&mut self, plan: &Boot, cx: &StepCx) -> Result<(), Failure> {
        let namespace = plan.scope.namespace.clone();
        let deployed = match self.roles.remove(&namespace) {
            Some(Role::Deployed(deployed)) => deployed,
            Some(Role::Booted { deployed, booted }) => {
                self.reporter.info("the machine of the block before is stopped");
                boot::stop(*booted, cx).await?;
                deployed
            }
            None => Deployed::default(),
        };
        let pacing = Duration::from_millis(self.plan.character_delays.boot_ms);
        let inactivity = self.plan.inactivity;
        let facts = BootFacts { pacing, inactivity, mask: self.mask.clone() };
        match boot::run(plan, &deployed, &self.downloads, self.host, &facts, cx).await {
            Ok(booted) => {
                let booted = Box::new(booted);
                self.roles.insert(namespace, Role::Booted { deployed, booted });
                Ok(())
            }
            Err(failure) => {
                self.roles.insert(namespace, Role::Deployed(deployed));
                Err(failure)
            }
        }
    }

    async fn command(&mut self, plan: &Command, cx: &StepCx) -> Result<(), Failure> {
        let namespace = &plan.scope.namespace;
        match &plan.action {
            CommandAction::Host { run, .. } => {
                // Also after a command that failed half-way.
                self.undo.extend(command::undo_of(plan));
                for argv in run {
                    command::run_on_host(&plan.name, argv, self.host, cx).await?;
                }
            }
            CommandAction::Reset => {
                let Some(Role::Booted { booted, .. }) = self.roles.get_mut(namespace) else {
                    return Err(nothing_runs(namespace));
                };
                boot::reset(booted, cx).await?;
            }
            CommandAction::PowerOff => {
                if let Some(Role::Booted { deployed, booted }) = self.roles.remove(namespace) {
                    self.roles.insert(namespace.clone(), Role::Deployed(deployed));
                    boot::stop(*booted, cx).await?;
                }
            }
            CommandAction::StopServices => self.services.stop(self.host, cx).await?,
            CommandAction::Hold => {
                self.serve("the job says so", cx).await;
                return Ok(());
            }
            // A machine has power from its boot block on.
            CommandAction::PowerOn => {}
        }
        command::record(plan, cx);
        Ok(())
    }

    /// Stops every machine. It has a time of its own, and nobody can cancel it.
    async fn finalize(&mut self) -> Result<(), Failure> {
        let deadline = Deadline::after(Instant::now(), CLEANUP, "clean-up");
        let (_keep, cancel) = crate::cx::Canceller::new();
        let cx = StepCx::new(self.reporter.clone(), deadline, cancel);
        let roles = std::mem::take(&mut self.roles);
        let undo = std::mem::take(&mut self.undo);
        let mut services = std::mem::take(&mut self.services);
        let plan = &self.plan.finalize;
        cx.step(&plan.scope, Cause::SimulatorHung, async |cx| {
            let mut outcome = cx
                .step(&plan.power_off, Cause::SimulatorHung, async |cx| {
                    let mut outcome = Ok(());
                    for role in roles.into_values().rev() {
                        if let Role::Booted { booted, .. } = role {
                            outcome = outcome.and(boot::stop(*booted, cx).await);
                        }
                    }
                    outcome
                })
                .await;
            outcome = outcome.and(services.stop(self.host, cx).await);
            for undo in undo.iter().rev() {
                outcome = outcome.and(undo.run(self.host, cx).await);
            }
            outcome
        })
        .await
    }

    /// Turns the end of the blocks into a verdict. The only place that does.
    fn conclude(self, failure: Option<Failure>) -> Outcome {
        let failure = failure.map(|failure| self.reporter.masked_failure(failure));
        let verdict = match &failure {
            None => Verdict::Complete,
            Some(failure) if failure.fault == Fault::Cancelled => Verdict::Cancelled,
            Some(_) => Verdict::Incomplete,
        };
        let result = if failure.is_none() { CaseResult::Pass } else { CaseResult::Fail };
        let mut record = ResultRecord::new("lava", "job", result);
        if let Some(failure) = &failure {
            record.error_msg = Some(failure.message.clone());
            record.error_type = Some(failure.fault.lava_name().to_owned());
            self.reporter.log(LogLevel::Exception, &failure.message);
            if let Some(evidence) = &failure.evidence {
                self.reporter.log(LogLevel::Error, format!("{} said:\n{}", evidence.from, evidence.text));
            }
            if let Some(hint) = &failure.hint {
                self.reporter.log(LogLevel::Error, format!("hint: {hint}"));
            }
        } else {
            // The words by which readers of logs know it (clients.md 2).
            self.reporter.info("Job finished correctly");
        }
        self.reporter.result(record);
        let results = self.reporter.results();
        Outcome { verdict, failure, results }
    }
}

/// A block needs a machine that no block before it started, or that has ended.
fn nothing_runs(namespace: &str) -> Failure {
    let message = format!("no machine of namespace `{namespace}` runs");
    Failure::new(Cause::ConsoleLost, message).blame(Fault::Job)
}
