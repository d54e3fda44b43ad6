//! The scope of a step: the one place that writes its start and end, narrows the deadline and records the
//! automatic result.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use pumice_plan::{Scope, TryMode};
use pumice_types::{CaseResult, Cause, Deadline, Failure, Fault};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    peers::{self, Peers},
    report::Reporter,
};

/// What a step can reach: the report, its deadline, the request to end.
pub struct StepCx {
    reporter: Reporter,
    deadline: Deadline,
    cancel: Cancel,
    /// What is recorded with the step's result; `None` while the step records none.
    extra: RefCell<Option<Value>>,
    records: Cell<bool>,
    peers: Option<Peers>,
    /// How long a request to the other nodes may take, where the job says so.
    peer_limit: Option<Duration>,
}

/// The request to end a run. Copies share it.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<Option<Failure>>);

/// Asks a run to end.
#[derive(Clone, Debug)]
pub struct Canceller(Rc<watch::Sender<Option<Failure>>>);

impl Canceller {
    /// A request and the side that makes it.
    pub fn new() -> (Self, Cancel) {
        let (sender, receiver) = watch::channel(None);
        (Self(Rc::new(sender)), Cancel(receiver))
    }

    /// Asks for the end, saying why. The first reason counts.
    pub fn cancel(&self, reason: impl Into<String>) {
        self.end(Failure::new(Cause::Cancelled, reason));
    }

    /// Ends the run with a failure from outside. The first reason counts.
    pub fn end(&self, failure: Failure) {
        self.0.send_if_modified(|value| {
            let is_first = value.is_none();
            if is_first {
                *value = Some(failure);
            }
            is_first
        });
    }
}

impl Cancel {
    /// Resolves with the reason once somebody asked for the end. Cancel-safe.
    pub async fn requested(&mut self) -> Failure {
        if let Ok(reason) = self.0.wait_for(Option::is_some).await
            && let Some(failure) = reason.clone()
        {
            return failure;
        }
        // Nobody can ask any more.
        std::future::pending().await
    }

    /// The reason, once somebody asked for the end.
    pub fn reason(&self) -> Option<Failure> {
        self.0.borrow().clone()
    }
}

/// How much later than its deadline a step is given up from outside. It gives the step, which knows what it was
/// waiting for, the time to say so; a deeper one speaks first.
fn grace(depth: usize) -> Duration {
    Duration::from_millis(50) * u32::try_from(10_usize.saturating_sub(depth).max(1)).unwrap_or(1)
}

impl StepCx {
    /// The outermost scope: the job's.
    pub fn new(reporter: Reporter, deadline: Deadline, cancel: Cancel) -> Self {
        Self {
            reporter,
            deadline,
            cancel,
            extra: RefCell::new(None),
            records: Cell::new(false),
            peers: None,
            peer_limit: None,
        }
    }

    /// With the other nodes of a MultiNode job, and how long a request to them may take.
    #[must_use]
    pub(crate) fn with_peers(mut self, peers: Option<Peers>, limit: Option<Duration>) -> Self {
        self.peers = peers;
        self.peer_limit = limit;
        self
    }

    /// A scope inside this one.
    fn inner(&self, deadline: Deadline) -> Self {
        Self::new(self.reporter.clone(), deadline, self.cancel.clone())
            .with_peers(self.peers.clone(), self.peer_limit)
    }

    /// The other nodes, and how long a request to them may take.
    ///
    /// # Errors
    /// The job has one node.
    pub(crate) fn peers(&self) -> Result<(&Peers, Option<Duration>), Failure> {
        match &self.peers {
            Some(peers) => Ok((peers, self.peer_limit)),
            None => {
                Err(Failure::new(Cause::InvalidDefinition, "the job has one node, so there is nobody to ask")
                    .hint("run a MultiNode job with `pumice run`; `lava-run` runs one machine"))
            }
        }
    }

    /// Where the step says what it does.
    pub fn report(&self) -> &Reporter {
        &self.reporter
    }

    /// When the step must be done.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// The request to end.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The step's success is a result of its own, `lava/NAME`, and carries this.
    pub fn record(&self, extra: Value) {
        self.records.set(true);
        *self.extra.borrow_mut() = (!extra.is_null()).then_some(extra);
    }

    /// A scope like this one with a deadline that ends no later than `limit` from now on behalf of `owner`.
    #[must_use]
    pub fn within(&self, limit: Duration, owner: &str) -> Self {
        let deadline = self.deadline.narrowed(Instant::now(), limit, owner);
        self.inner(deadline)
    }

    /// Runs a step: says that it starts and ends, ends it with its time or on request, and records its result:
    /// always when it fails, else when it asked for that. `late` is the cause when its time is over and it does
    /// not say so itself.
    pub async fn step<T>(
        &self,
        scope: &Scope,
        late: Cause,
        body: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let deadline = self.deadline.narrowed(started, scope.timeout, scope.name.as_str());
        self.reporter.started(scope, deadline.remaining(started));
        let cx = self.inner(deadline);
        let mut cancel = self.cancel.clone();
        let given_up = cx.deadline.at() + grace(scope.level.depth());
        // Boxed, and apart: it would deepen the state of every step.
        let asked = Box::pin(cx.ask_peers(scope)).await;
        let result = if let Err(failure) = asked {
            Err(failure)
        } else {
            tokio::select! {
                biased;
                result = body(&cx) => result,
                reason = cancel.requested() => Err(reason),
                () = tokio::time::sleep_until(given_up.into()) => {
                    Err(Failure::timed_out(late, cx.deadline.owner(), cx.deadline.limit(), "its end"))
                }
            }
        };
        let took = started.elapsed();
        self.reporter.ended(scope, took, result.as_ref().err());
        match &result {
            Ok(_) if cx.records.get() => {
                self.reporter.step_result(scope, took, CaseResult::Pass, cx.extra.take());
            }
            Err(failure) if failure.fault != Fault::Cancelled => {
                let extra = serde_json::json!({ "fail": failure.message, "cause": failure.cause });
                self.reporter.step_result(scope, took, CaseResult::Fail, Some(extra));
            }
            _ => {}
        }
        result
    }

    /// Asks the other nodes what the job wants asked before this step.
    async fn ask_peers(&self, scope: &Scope) -> Result<(), Failure> {
        let mut cancel = self.cancel.clone();
        for request in &scope.requests {
            let (peers, limit) = self.peers()?;
            let asked = tokio::select! {
                biased;
                asked = peers::make(peers, request, limit, &self.deadline) => asked?,
                reason = cancel.requested() => return Err(reason),
            };
            self.reporter.info(format!("the other nodes answered `{asked}`"));
        }
        Ok(())
    }

    /// Runs a step as often as its scope says (lava-compat 1.3): until it succeeds, or always all of the times,
    /// failing in the end if any failed. Only failures that may pass are tried again, and only while there is
    /// time.
    pub async fn step_with_tries<T>(
        &self,
        scope: &Scope,
        late: Cause,
        mut body: impl AsyncFnMut(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(tries) = scope.tries else {
            return self.step(scope, late, async |cx| body(cx).await).await;
        };
        self.step(scope, late, async |cx| {
            let share = scope.timeout / tries.count;
            let mut first_failure = None;
            let mut success = None;
            for attempt in 1..=tries.count {
                let own = cx.within(share.max(Duration::from_secs(1)), &scope.name);
                match body(&own).await {
                    Ok(value) => {
                        success = Some(value);
                        if tries.mode == TryMode::UntilSuccess {
                            first_failure = None;
                            break;
                        }
                    }
                    // A licence that is not for us will not be in a minute.
                    Err(failure) if !failure.fault.is_retried() || failure.cause == Cause::LicenceRefused => {
                        return Err(failure);
                    }
                    Err(failure) => {
                        cx.report().warning(format!(
                            "{} failed, try {attempt} of {}: {failure}",
                            scope.name, tries.count
                        ));
                        first_failure.get_or_insert(failure);
                    }
                }
                if attempt == tries.count {
                    break;
                }
                if cx.deadline.remaining(Instant::now()) <= tries.interval {
                    cx.report().warning(format!("no time is left for another try of {}", scope.name));
                    break;
                }
                tokio::time::sleep(tries.interval).await;
            }
            match (first_failure, success) {
                (None, Some(value)) => Ok(value),
                (Some(failure), _) => Err(failure),
                (None, None) => Err(Failure::new(Cause::Bug, "a step was never tried")),
            }
        })
        .await
    }
}
