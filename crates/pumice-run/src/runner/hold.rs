//! Holding machines for people: until they are done or the time is over.

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use pumice_api::control::{Done, Place, Refused};
use pumice_plan::{
    Block, Scope,
    boot::{Boot, BootKind},
};
use pumice_types::{Cause, Deadline, Failure};

use super::{Role, Runner};
use crate::{
    boot::{self, Booted},
    control::{Asked, Holder, Work, exec, pull, push, refused},
    cx::{Canceller, StepCx},
};

impl Runner<'_> {
    /// Holds the machines after the job's end, because it says so. What happens in it changes no verdict: the end of the job is
    /// recorded as it was, and whoever cancels a held job only ends the hold.
    pub(super) async fn hold_after(&mut self, scope: &Scope, why: &str) {
        if self.roles.is_empty() {
            self.reporter.info("there is no machine to hold");
            return;
        }
        let deadline = Deadline::after(Instant::now(), scope.timeout, scope.name.as_str());
        let (_keep, never) = Canceller::new();
        let cx = StepCx::new(self.reporter.clone(), deadline, never);
        let mut cancel = self.cancel.clone();
        let held = cx.step(scope, Cause::StepTimeout, async |cx| {
            tokio::select! {
                () = self.serve(why, cx) => {}
                reason = cancel.requested() => cx.report().info(format!("the hold ends: {reason}")),
            }
            Ok(())
        });
        // It has no failure of its own.
        drop(held.await);
    }

    /// Does what people ask, until they are done or the time is over.
    pub(super) async fn serve(&mut self, why: &str, cx: &StepCx) {
        let namespaces = self.plan.blocks.iter().filter_map(starts).map(|boot| boot.scope.namespace.clone());
        let bootable: BTreeSet<String> =
            namespaces.filter(|namespace| self.roles.contains_key(namespace)).collect();
        let until = cx.deadline().at();
        let mut holder = Holder::begin(&self.host.hands, why, until, bootable);
        cx.report().held(why, cx.deadline().remaining(Instant::now()));
        loop {
            let asked = tokio::select! {
                asked = holder.next() => asked,
                () = tokio::time::sleep_until(until.into()) => None,
            };
            let Some(Asked { machine, work, answer }) = asked else {
                cx.report().info("the hold is over");
                return;
            };
            if matches!(work, Work::Release) {
                cx.report().info("the hold was ended by a person");
                drop(answer.send(Ok(Done::Done)));
                return;
            }
            // Whoever asked may have gone.
            drop(answer.send(self.work(&machine, work, cx).await));
        }
    }

    async fn work(&mut self, machine: &str, work: Work, cx: &StepCx) -> Result<Done, Refused> {
        match work {
            Work::Stop => self.stop_machine(machine, cx).await,
            Work::Start => self.start_machine(machine, cx).await,
            Work::Restart => {
                if let Some(Role::Booted { .. }) = self.roles.get(machine) {
                    self.stop_machine(machine, cx).await?;
                }
                self.start_machine(machine, cx).await
            }
            Work::Exec { line, seconds, said } => {
                cx.report().info(format!("a person runs: {line}"));
                let booted = self.booted(machine)?;
                exec(booted, &line, seconds, &said).await.map_err(|failure| refused(&failure))?;
                Ok(Done::Done)
            }
            Work::Push { file, sha256, to: Place::Guest(path), executable } => {
                let booted = self.booted(machine)?;
                let pushed = push(booted, &file, &sha256, &path, executable, cx).await;
                pushed.map_err(|failure| refused(&failure))?;
                Ok(Done::Done)
            }
            Work::Push { file, to: Place::Image(label), .. } => self.replace_image(machine, &label, file, cx),
            Work::Pull { path, file } => {
                let booted = self.booted(machine)?;
                let pulled = pull(booted, &path, &file, cx).await;
                let (size, sha256) = pulled.map_err(|failure| refused(&failure))?;
                Ok(Done::File { size, sha256, offset: 0 })
            }
            Work::Release => Ok(Done::Done),
        }
    }

    fn booted(&mut self, machine: &str) -> Result<&mut Booted, Refused> {
        let Some(Role::Booted { booted, .. }) = self.roles.get_mut(machine) else {
            return Err(not_running(machine));
        };
        if booted.reach.has_writer() {
            return Err(Refused::new("somebody types on the console, and the shell is theirs")
                .hint("leave the console first"));
        }
        Ok(booted)
    }

    async fn stop_machine(&mut self, machine: &str, cx: &StepCx) -> Result<Done, Refused> {
        match self.roles.remove(machine) {
            Some(Role::Booted { deployed, booted }) => {
                self.roles.insert(machine.to_owned(), Role::Deployed(deployed));
                boot::stop(*booted, cx).await.map_err(|failure| refused(&failure))?;
                Ok(Done::Done)
            }
            Some(role) => {
                self.roles.insert(machine.to_owned(), role);
                Err(not_running(machine))
            }
            None => Err(not_running(machine)),
        }
    }

    async fn start_machine(&mut self, machine: &str, cx: &StepCx) -> Result<Done, Refused> {
        if let Some(Role::Booted { .. }) = self.roles.get(machine) {
            return Err(Refused::new(format!("the machine `{machine}` runs already")).hint("restart it"));
        }
        let plan = self.plan;
        let mut boots = plan.blocks.iter().filter_map(starts).rev();
        let Some(boot) = boots.find(|boot| boot.scope.namespace == machine) else {
            return Err(Refused::new(format!("the job does not say how to boot `{machine}`")));
        };
        self.boot(boot, cx).await.map_err(|failure| refused(&failure))?;
        Ok(Done::Done)
    }

    /// The next start uses this file for the image.
    fn replace_image(
        &mut self,
        machine: &str,
        label: &str,
        file: PathBuf,
        cx: &StepCx,
    ) -> Result<Done, Refused> {
        let Some(role) = self.roles.get_mut(machine) else { return Err(not_running(machine)) };
        let files = &mut role.deployed().files;
        if !files.contains_key(label) {
            let has: Vec<_> = files.keys().map(String::as_str).collect();
            return Err(Refused::new(format!("the job deploys no image `{label}`"))
                .hint(format!("it deploys: {}", has.join(", "))));
        }
        files.insert(label.to_owned(), file);
        cx.report().info(format!("the image `{label}` was replaced; the next start uses it"));
        Ok(Done::Done)
    }
}

/// A block that starts a machine.
fn starts(block: &Block) -> Option<&Boot> {
    match block {
        Block::Boot(boot) if matches!(boot.kind, BootKind::Machine(_)) => Some(boot),
        _ => None,
    }
}

fn not_running(machine: &str) -> Refused {
    Refused::new(format!("the machine `{machine}` does not run")).hint("start it first")
}

/// Why a job is held that has ended.
pub(super) fn why(failure: Option<&Failure>) -> String {
    match failure {
        Some(failure) => format!("the job failed: {}", failure.message),
        None => "a test failed".to_owned(),
    }
}
