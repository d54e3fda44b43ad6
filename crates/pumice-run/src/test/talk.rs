//! What a guest's tests ask the other nodes of a MultiNode job, and how they are answered (lava-compat 5.3).
//!
//! A request may wait for long, and other signals arrive meanwhile: each is a task of its own.

use pumice_guest::{
    session::{Moment, SessionEvent, TestSession},
    signal::MultiNode,
};
use pumice_multinode::{Answer, Refusal};
use pumice_record::LogLevel;
use pumice_types::{Blame as _, Cause, Failure};
use tokio::task::JoinSet;

use crate::{
    boot::Booted,
    cx::StepCx,
    peers::{as_typed, asked, failure_of},
};

/// The longest line that a guest takes from its console: one byte less than the kernel's buffer (termios(3),
/// "Canonical and noncanonical mode").
const LONGEST_TYPED_BYTES: usize = 4095;

/// Requests of one test block that are under way. Dropped, all are given up.
#[derive(Default)]
pub(super) struct Talk {
    waiting: JoinSet<Answered>,
}

/// A request with what became of it.
pub(super) struct Answered {
    request: MultiNode,
    outcome: Result<Answer, Failure>,
}

impl Talk {
    /// Passes a guest's request on to the group.
    pub(super) fn ask(&mut self, request: MultiNode, cx: &StepCx) {
        let (peers, limit) = match cx.peers() {
            Ok((peers, limit)) => (peers.clone(), limit),
            Err(failure) => {
                self.waiting.spawn(async move { Answered { request, outcome: Err(failure) } });
                return;
            }
        };
        let deadline = cx.deadline().clone();
        self.waiting.spawn(async move {
            let outcome = peers.ask_within(asked(&request), limit, &deadline).await;
            Answered { request, outcome }
        });
    }

    /// The next request that has come to its end. Cancel-safe; it never resolves while none is under way.
    pub(super) async fn next(&mut self) -> Answered {
        loop {
            match self.waiting.join_next().await {
                Some(Ok(answered)) => return answered,
                // A task that was aborted, or that panicked: the guest waits, and the time of the tests ends that.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Tells the guest, and says what is to be recorded. A failure ends the tests: another node failed, and this one
    /// waits for it.
    pub(super) async fn hand_over(
        &self,
        answered: Answered,
        session: &mut TestSession,
        booted: &Booted,
        moment: Moment,
        cx: &StepCx,
    ) -> (Vec<SessionEvent>, Result<(), Failure>) {
        let Answered { request, outcome } = answered;
        let (answer, failure) = match outcome {
            Ok(Answer::Refused { refusal }) => {
                let failure = failure_of(&asked(&request), &refusal);
                let ends = matches!(refusal, Refusal::Ended { failed: true, .. });
                (None, Some((failure, ends)))
            }
            Ok(answer) => (Some(answer), None),
            Err(failure) => {
                let ends = failure.cause == Cause::PeerFailed;
                (None, Some((failure, ends)))
            }
        };
        let events = session.multi_node_done(&request, failure.is_none(), moment);
        match failure {
            Some((failure, true)) => return (events, Err(failure)),
            Some((failure, false)) => cx.report().log(LogLevel::Error, failure.to_string()),
            None => {}
        }
        let told = match as_typed(&request, answer.as_ref()) {
            Some(line) => type_answer(&line, &request, booted, cx).await,
            None => Ok(()),
        };
        (events, told)
    }
}

/// Types the answer on the console, where the helper reads it from its standard input.
async fn type_answer(line: &str, request: &MultiNode, booted: &Booted, cx: &StepCx) -> Result<(), Failure> {
    let mut line = line.to_owned();
    if line.len() > LONGEST_TYPED_BYTES {
        let message = format!(
            "the answer to `{}` has {} bytes; a console takes {LONGEST_TYPED_BYTES}",
            asked(request),
            line.len()
        );
        cx.report().log(LogLevel::Error, message);
        line = as_typed(request, None).unwrap_or_default();
    }
    cx.report().log(LogLevel::Input, &line);
    // LAVA types an empty line after it: a shell that reads ahead gets its own.
    booted.console.send_line(&line, cx.deadline()).await.map_err(|error| error.failure())?;
    booted.console.send_line("", cx.deadline()).await.map_err(|error| error.failure())
}
