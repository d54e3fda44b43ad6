//! The block that holds the machines still for a person (`command: hold`).

use std::time::Instant;

use pumice_plan::{Block, boot::BootKind};
use pumice_types::Failure;

use super::{Role, Runner, nothing_runs};
use crate::{
    boot,
    cx::StepCx,
    hands::{Ran, What, refused},
};

impl Runner<'_> {
    /// Does what is wished until the block's time is over or the machines are released. That a guest powers off, or a
    /// simulator ends, is the person's business.
    pub(super) async fn hold(&mut self, cx: &StepCx) -> Result<(), Failure> {
        let seconds = cx.deadline().remaining(Instant::now()).as_secs();
        cx.report()
            .info(format!("the machines are held for {seconds} seconds; `pumice machine` reaches them"));
        let mut holding = self.host.hands.hold();
        loop {
            let wish = tokio::select! {
                wish = holding.next() => wish,
                () = tokio::time::sleep_until(cx.deadline().at().into()) => {
                    cx.report().info("the time of the hold is over");
                    return Ok(());
                }
            };
            let is_release = wish.what == What::Release;
            let came = self.grant(&wish.machine, &wish.what, cx).await;
            if let Err(failure) = &came {
                cx.report().warning(failure.to_string());
            }
            // Whoever wished it may have gone.
            drop(wish.reply.send(came));
            if is_release {
                cx.report().info("the machines are released");
                return Ok(());
            }
        }
    }

    async fn grant(&mut self, machine: &str, what: &What, cx: &StepCx) -> Result<Ran, Failure> {
        match what {
            What::Start => self.start_again(machine, cx).await?,
            What::Stop => self.stop(machine, cx).await?,
            What::Restart => {
                self.stop(machine, cx).await?;
                self.start_again(machine, cx).await?;
            }
            What::Shell(line) => return self.shell(machine, line, cx).await,
            What::Release => {}
        }
        Ok(Ran::default())
    }

    async fn stop(&mut self, machine: &str, cx: &StepCx) -> Result<(), Failure> {
        match self.roles.remove(machine) {
            Some(Role::Booted { deployed, booted }) => {
                self.roles.insert(machine.to_owned(), Role::Deployed(deployed));
                boot::stop(*booted, cx).await
            }
            Some(role) => {
                self.roles.insert(machine.to_owned(), role);
                Ok(())
            }
            None => Err(nothing_runs(machine)),
        }
    }

    /// As the last boot block of the machine's namespace started it.
    async fn start_again(&mut self, machine: &str, cx: &StepCx) -> Result<(), Failure> {
        if matches!(self.roles.get(machine), Some(Role::Booted { .. })) {
            return Err(refused(&format!("the machine `{machine}` runs already")));
        }
        let plan = self.plan;
        let starts = |block: &&Block| match block {
            Block::Boot(boot) => boot.scope.namespace == machine && matches!(boot.kind, BootKind::Machine(_)),
            _ => false,
        };
        let block = plan.blocks.iter().rev().find(starts).ok_or_else(|| nothing_runs(machine))?;
        Box::pin(self.block(block, cx)).await
    }

    async fn shell(&mut self, machine: &str, line: &str, cx: &StepCx) -> Result<Ran, Failure> {
        match self.roles.get_mut(machine) {
            Some(Role::Booted { booted, .. }) => {
                let (status, output) = booted.run_captured(line, cx).await?;
                Ok(Ran { status, output })
            }
            _ => Err(refused(&format!("the machine `{machine}` does not run"))),
        }
    }
}
