//! Sessions, fences, leases, cancelling, handing back.

use pumice_api::worker::{Epoch, Held, Phase};
use pumice_sched::{
    Action, Event, FinishReason, JobRequest, Lab, Leasing, Policy, RequeueReason, Time, WorkerFacts,
};
use pumice_types::{JobId, JobState, Verdict};

use crate::floor::{Floor, SECOND, ended, given, job, job_ref, seconds};

fn requeued(actions: &[Action]) -> Vec<(i64, RequeueReason)> {
    let found = |action: &Action| match action {
        Action::Requeue { job, reason } => Some((job.0, *reason)),
        _ => None,
    };
    actions.iter().filter_map(found).collect()
}

/// A job that runs on `w1`, while `w2` has an idle device.
fn running() -> Floor {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    floor.pass(1);
    floor.worker(WorkerFacts::new("w2"));
    floor.step(Event::PutDevice(pumice_sched::Device::new("d2", "qemu", "w2".into())));
    floor
}

#[test]
fn a_job_is_given_away_after_lease_and_margin_and_not_before() {
    let mut floor = running();
    assert_eq!(requeued(&floor.pass_without(70, &["w1"])), []);
    let actions = floor.pass_without(1, &["w1"]);
    assert_eq!(requeued(&actions), [(1, RequeueReason::Lost)]);
    assert_eq!(given(&actions), [(1, "d2".to_owned())]);
    assert_eq!(floor.lab.job(JobId(1)).unwrap().fence, job_ref(1, 2).fence);
}

#[test]
fn what_the_former_worker_says_later_changes_nothing() {
    let mut floor = running();
    floor.pass_without(72, &["w1"]);
    let late = Event::JobFinished { job: job_ref(1, 1), verdict: Verdict::Complete, fault: None };
    assert_eq!(ended(&floor.step(late)), []);
    assert_eq!(floor.orders("w1", &[job_ref(1, 1)]).stop, [job_ref(1, 1)]);
    assert_eq!(floor.orders("w2", &[job_ref(1, 2)]).stop, []);
}

#[test]
fn a_job_lost_too_often_ends_incomplete() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(JobRequest { repeats: Some(1), ..job(1, "qemu") });
    floor.pass(1);
    assert_eq!(requeued(&floor.pass_without(72, &["w1"])).len(), 1);
    floor.pass(1);
    let actions = floor.pass_without(72, &["w1"]);
    assert_eq!(ended(&actions), [(1, Verdict::Incomplete, FinishReason::LeaseLost)]);
}

#[test]
fn a_worker_that_says_it_lost_a_job_need_not_be_waited_for() {
    let mut floor = running();
    let actions = floor.step(Event::JobLost(job_ref(1, 1)));
    assert_eq!((requeued(&actions).len(), given(&actions).len()), (1, 1));
    assert_eq!(requeued(&floor.step(Event::JobLost(job_ref(1, 1)))), [], "said twice, done once");
}

#[test]
fn the_job_of_a_worker_without_leases_stays_its_own() {
    let mut floor = Floor::new(&[]);
    floor.worker(WorkerFacts { leasing: Leasing::Unbounded, ..WorkerFacts::new("w1") });
    floor.step(Event::PutDevice(pumice_sched::Device::new("d1", "qemu", "w1".into())));
    floor.submit(job(1, "qemu"));
    floor.pass(1);
    assert_eq!(requeued(&floor.pass_without(10_000, &["w1"])), []);
    assert_eq!(
        ended(&floor.step(Event::GiveUp(JobId(1)))),
        [(1, Verdict::Incomplete, FinishReason::GivenUp)]
    );
}

#[test]
fn time_in_which_the_server_did_not_listen_does_not_count() {
    let mut floor = running();
    floor.now += 3_600 * SECOND;
    let actions = floor.step(Event::Tick);
    assert_eq!(requeued(&actions), []);
    assert!(!actions.iter().any(|action| matches!(action, Action::MarkOffline(_))));
    assert_eq!(requeued(&floor.pass_without(65, &["w1"])), []);
    assert_eq!(requeued(&floor.pass_without(10, &["w1"])).len(), 1);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut floor = running();
    floor.now += 30 * SECOND;
    floor.step(Event::Tick);
    floor.lab.step(Event::Tick, Time(0));
    assert_eq!(floor.lab.now(), Time(floor.now));
}

#[test]
fn a_restarted_server_takes_every_lease_as_renewed() {
    let mut floor = running();
    floor.pass_without(50, &["w1"]);
    floor.lab = Lab::restore(Policy::default(), floor.lab.record(), Time(floor.now));
    assert_eq!(floor.lab.contradictions(), Vec::<String>::new());
    assert_eq!(requeued(&floor.pass_without(60, &["w1", "w2"])), []);
    assert_eq!(floor.lab.job(JobId(1)).unwrap().state, JobState::Running);
}

#[test]
fn a_poll_that_was_overtaken_says_nothing() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    let held = vec![Held { job: JobId(1), fence: job_ref(1, 1).fence, phase: Phase::Accepted }];
    let poll = |sequence, held| Event::WorkerPolled {
        worker: "w1".into(),
        epoch: Epoch(1),
        sequence,
        held,
        not_ready: None,
    };
    floor.step(poll(2, held));
    let lease = floor.lab.job(JobId(1)).unwrap().given.as_ref().unwrap().lease_until;
    floor.now += 4 * SECOND;
    floor.step(poll(1, Vec::new()));
    let giving = floor.lab.job(JobId(1)).unwrap().given.as_ref().unwrap();
    assert!(giving.acknowledged);
    assert_eq!(giving.lease_until, lease);
}

#[test]
fn a_session_said_twice_is_one_and_an_older_one_is_not_heard() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    assert_eq!(floor.hello("w1", "first session"), []);
    let opened = floor.hello("w1", "second session");
    assert_eq!(opened, [Action::OpenSession { worker: "w1".into(), epoch: Epoch(2) }]);
    floor.pass_without(61, &["w1"]);
    let old = Event::WorkerPolled {
        worker: "w1".into(),
        epoch: Epoch(1),
        sequence: 99,
        held: vec![],
        not_ready: None,
    };
    assert_eq!(floor.step(old), [], "it does not bring the worker back");
}

#[test]
fn an_offer_is_repeated_until_it_is_taken() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    assert_eq!(floor.orders("w1", &[]).offers, [job_ref(1, 1)]);
    floor.poll("w1", &[]);
    assert_eq!(floor.orders("w1", &[]).offers, [job_ref(1, 1)]);
    floor.poll("w1", &[job_ref(1, 1)]);
    assert_eq!(
        floor.orders("w1", &[]).offers,
        [],
        "it was taken; that it is gone again is no reason to run it twice"
    );
}

#[test]
fn an_offer_that_is_never_taken_goes_to_somebody_else() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    floor.step(Event::PutDevice(pumice_sched::Device::new("d2", "qemu", "w2".into())));
    floor.worker(WorkerFacts::new("w2"));
    for _ in 0..140 {
        floor.poll("w1", &[]);
        floor.poll("w2", &[]);
        floor.now += SECOND;
        floor.step(Event::Tick);
    }
    assert_eq!(floor.lab.job(JobId(1)).unwrap().losses, 1);
}

/// What cancelling leads to when the job's worker has or has not taken it.
#[track_caller]
fn check_cancel(taken: bool) {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    let held: &[_] = if taken { &[job_ref(1, 1)] } else { &[] };
    floor.poll("w1", held);
    let actions = floor.step(Event::Cancel(JobId(1)));
    assert_eq!(
        actions,
        [Action::TellWorkerCancel { job: job_ref(1, 1), worker: "w1".into(), because: None }]
    );
    assert_eq!(floor.step(Event::Cancel(JobId(1))), []);
    let orders = floor.orders("w1", held);
    assert_eq!((orders.offers, orders.cancel), (vec![], vec![job_ref(1, 1)]));
    let over = floor.finish(1, Verdict::Complete, None);
    assert_eq!(ended(&over), [(1, Verdict::Cancelled, FinishReason::Reported)]);
}

#[test]
fn a_cancelled_job_ends_cancelled_whether_or_not_its_worker_had_taken_it() {
    check_cancel(true);
    check_cancel(false);
}

#[test]
fn a_cancelled_job_whose_worker_is_gone_ends_with_its_lease() {
    let mut floor = running();
    floor.step(Event::Cancel(JobId(1)));
    let actions = floor.pass_without(75, &["w1"]);
    assert_eq!(ended(&actions), [(1, Verdict::Cancelled, FinishReason::LeaseLost)]);
}

#[test]
fn a_waiting_job_ends_when_it_is_cancelled_or_has_waited_too_long() {
    let mut floor = Floor::new(&[]);
    floor.submit(job(1, "qemu"));
    floor.submit(JobRequest { queue_timeout: Some(seconds(5)), ..job(2, "qemu") });
    assert_eq!(
        ended(&floor.step(Event::Cancel(JobId(1)))),
        [(1, Verdict::Cancelled, FinishReason::CancelledInQueue)]
    );
    assert_eq!(ended(&floor.pass(5)), []);
    assert_eq!(ended(&floor.pass(1)), [(2, Verdict::Cancelled, FinishReason::QueueTimeout)]);
}

#[test]
fn a_job_handed_back_goes_elsewhere_and_returns_only_after_a_while() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    let actions = floor.step(Event::JobReturned(job_ref(1, 1)));
    assert_eq!((requeued(&actions), given(&actions)), (vec![(1, RequeueReason::Returned)], vec![]));
    assert_eq!(given(&floor.pass(59)), []);
    assert_eq!(given(&floor.pass(1)), [(1, "d1".to_owned())]);
}

#[test]
fn a_job_handed_back_keeps_nobody_else_waiting() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    floor.submit(job(2, "qemu"));
    assert_eq!(given(&floor.step(Event::JobReturned(job_ref(1, 1)))), [(2, "d1".to_owned())]);
}

#[test]
fn a_job_handed_back_by_everybody_ends_incomplete() {
    let policy = Policy { returns: 2, return_pause: seconds(1), ..Policy::default() };
    let mut floor = Floor::with_policy(&["d1 qemu w1"], policy);
    floor.submit(job(1, "qemu"));
    for fence in 1..=2 {
        floor.step(Event::JobReturned(job_ref(1, fence)));
        floor.now += 2 * SECOND;
        floor.step(Event::Tick);
    }
    let actions = floor.step(Event::JobReturned(job_ref(1, 3)));
    assert_eq!(ended(&actions), [(1, Verdict::Incomplete, FinishReason::Returned)]);
}

#[test]
fn a_short_job_may_end_before_it_was_said_to_start() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.submit(job(1, "qemu"));
    assert_eq!(ended(&floor.complete(1)), [(1, Verdict::Complete, FinishReason::Reported)]);
    assert_eq!(floor.step(Event::JobStarted(job_ref(1, 1))), []);
}

#[test]
fn a_silent_worker_is_offline_and_online_when_it_is_heard_again() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    assert_eq!(floor.pass_without(60, &["w1"]), []);
    assert_eq!(floor.pass_without(1, &["w1"]), [Action::MarkOffline("w1".into())]);
    assert_eq!(floor.poll("w1", &[]), [Action::MarkOnline("w1".into())]);
}

/// While a server cannot write, it only renews.
#[test]
fn leases_are_renewed_without_anything_that_must_be_written() {
    let mut floor = running();
    let epoch = floor.lab.worker(&"w1".into()).unwrap().epoch;
    let held = [Held { job: JobId(1), fence: job_ref(1, 1).fence, phase: Phase::Running }];
    let record = |lab: &Lab| format!("{:?}", lab.record());
    for _ in 0..20 {
        assert_eq!(requeued(&floor.pass_without(30, &["w1"])), []);
        let before = record(&floor.lab);
        assert!(floor.lab.renew(&"w1".into(), epoch, &held, Time(floor.now)));
        assert_eq!(requeued(&floor.step(Event::Tick)), []);
        // The lease, which nobody keeps, is all that differs.
        let without_leases = |text: &str| {
            let parts =
                text.split("lease_until: Time(").map(|part| part.trim_start_matches(char::is_numeric));
            parts.collect::<String>()
        };
        assert_eq!(without_leases(&record(&floor.lab)), without_leases(&before));
    }
    assert_eq!(requeued(&floor.pass_without(71, &["w1"])), [(1, RequeueReason::Lost)]);
}

#[test]
fn what_is_not_the_workers_own_is_not_renewed_nor_what_it_holds_beside() {
    let mut floor = running();
    let epoch = floor.lab.worker(&"w1".into()).unwrap().epoch;
    let held = |fence: u64| Held { job: JobId(1), fence: job_ref(1, fence).fence, phase: Phase::Running };
    let strange = Held { job: JobId(99), fence: job_ref(99, 1).fence, phase: Phase::Running };
    floor.now += 30 * SECOND;
    let now = Time(floor.now);
    assert!(!floor.lab.renew(&"w1".into(), epoch, &[held(1), strange], now), "a job of nobody");
    assert!(!floor.lab.renew(&"w1".into(), epoch, &[held(7)], now), "another fence");
    assert!(!floor.lab.renew(&"w2".into(), epoch, &[held(1)], now), "another worker");
    assert!(!floor.lab.renew(&"w1".into(), Epoch(epoch.0 + 1), &[held(1)], now), "another session");
}
