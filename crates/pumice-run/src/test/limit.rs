//! The time of single definitions of a block, ours and not LAVA's: whose turn it is, and what follows when its time
//! is over.
//!
//! The time is counted here and not in the guest, whose clock goes as fast as its simulator. A definition whose
//! time is over is ended by the key that quits (`^\`): it ends the test in the foreground and leaves the runner.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pumice_guest::{session::TestSession, signal::Signal};
use pumice_plan::{OnTimeout, test::RunLimit};
use pumice_record::ResultRecord;
use pumice_types::{Blame as _, CaseResult, Cause, Failure};

use crate::{boot::Booted, cx::StepCx};

/// How long a definition that was told to end may take to.
const PATIENCE: Duration = Duration::from_secs(15);

/// The key that quits the program in the foreground: `quit` of `stty`, as terminals have it from the start.
const QUIT: &[u8] = b"\x1c";

/// Whose turn it is among the definitions of a block, and how long each may take.
pub(super) struct Limits<'a> {
    by_run: &'a BTreeMap<String, RunLimit>,
    order: Vec<String>,
    turn: Option<String>,
    since: Instant,
    /// When the one whose turn it is was told to end.
    told: Option<Instant>,
}

impl<'a> Limits<'a> {
    /// It is the first one's turn.
    pub(super) fn new(by_run: &'a BTreeMap<String, RunLimit>, order: Vec<String>) -> Self {
        let turn = order.first().cloned();
        Self { by_run, order, turn, since: Instant::now(), told: None }
    }

    /// Takes what the guest says of whose turn it is.
    pub(super) fn note(&mut self, signal: &Signal) {
        let turn = match signal {
            Signal::StartRun(run) => Some(run.name.clone()),
            Signal::EndRun(run) => self.after(&run.name),
            Signal::RunExit(exit) => self.after(&exit.name),
            Signal::InstallFail(failed) if failed.name.is_some() => {
                failed.name.as_deref().and_then(|name| self.after(name))
            }
            _ => return,
        };
        if turn != self.turn {
            (self.turn, self.since, self.told) = (turn, Instant::now(), None);
        }
    }

    fn after(&self, name: &str) -> Option<String> {
        self.order.iter().skip_while(|other| *other != name).nth(1).cloned()
    }

    fn current(&self) -> Option<(&str, RunLimit)> {
        let turn = self.turn.as_deref()?;
        Some((turn, *self.by_run.get(turn)?))
    }

    /// Resolves when the time of the one whose turn it is is over. Cancel-safe.
    pub(super) async fn over(&self) {
        match (self.current(), self.told) {
            (Some(_), Some(told)) => tokio::time::sleep_until((told + PATIENCE).into()).await,
            (Some((_, limit)), None) => tokio::time::sleep_until((self.since + limit.timeout).into()).await,
            (None, _) => std::future::pending().await,
        }
    }

    /// Ends the definition whose time is over. A failure where that ends the block, or it did not end.
    pub(super) async fn end(
        &mut self,
        session: &mut TestSession,
        booted: &Booted,
        cx: &StepCx,
    ) -> Result<(), Failure> {
        let Some((suite, limit)) = self.current() else { return Ok(()) };
        let late = Failure::timed_out(Cause::TestTimeout, suite, limit.timeout, "the definition to end");
        if limit.on_timeout == OnTimeout::Fail {
            return Err(late.evidence(booted.console.name(), booted.console.tail(800)));
        }
        if self.told.is_some() {
            let stuck = late.hint("it was told to end with the key that quits, and went on");
            return Err(stuck.evidence(booted.console.name(), booted.console.tail(800)));
        }
        cx.report().warning(format!("{late}; the next definition follows"));
        if limit.on_timeout == OnTimeout::Soft {
            let case = format!("{suite}-soft-timeout");
            let mut record = ResultRecord::new("lava", case, CaseResult::Fail);
            record.duration = Some(self.since.elapsed());
            record.extra = Some(serde_json::json!({ "fail": late.message }));
            cx.report().result(record);
        }
        session.give_up(suite, late.message);
        booted.console.send(QUIT, cx.deadline()).await.map_err(|error| error.failure())?;
        self.told = Some(Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pumice_guest::signal::{Run, RunExit};

    use super::*;

    #[test]
    fn the_turn_goes_on_as_the_guest_says() {
        let limit = RunLimit { timeout: Duration::from_secs(5), on_timeout: OnTimeout::Soft };
        let table = ["0_a", "2_c"].map(|name| (name.to_owned(), limit)).into();
        let mut limits = Limits::new(&table, ["0_a", "1_b", "2_c"].map(str::to_owned).into());
        let run = |name: &str| Run { name: name.to_owned(), uuid: String::new() };
        let exit = |name: &str| RunExit { name: name.to_owned(), status: 131 };
        let check = |limits: &Limits<'_>, expected: Option<&str>| {
            assert_eq!(limits.current().map(|(suite, _)| suite), expected);
        };
        check(&limits, Some("0_a"));
        limits.note(&Signal::StartRun(run("0_a")));
        limits.note(&Signal::RunExit(exit("0_a")));
        check(&limits, None);
        limits.note(&Signal::StartRun(run("1_b")));
        limits.note(&Signal::EndRun(run("1_b")));
        check(&limits, Some("2_c"));
        limits.note(&Signal::EndRun(run("2_c")));
        check(&limits, None);
    }
}
