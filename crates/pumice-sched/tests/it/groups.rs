//! MultiNode groups: all or none, without deadlock or starvation.

use pumice_sched::{Action, Event, FinishReason, JobKind, JobRequest, Member, Policy};
use pumice_types::{Fault, JobId, JobState, Verdict};

use crate::floor::{Floor, ended, given, job, job_of, member, seconds};

fn group(ids: &[i64], device_type: &str, name: &str) -> Event {
    Event::Submit(ids.iter().map(|id| member(*id, device_type, name, false)).collect())
}

#[test]
fn a_group_starts_whole_or_not_at_all() {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w2"]);
    floor.submit(job(1, "qemu"));
    assert_eq!(given(&floor.step(group(&[2, 3], "qemu", "g"))), []);
    let mut placed = given(&floor.complete(1));
    placed.sort();
    assert_eq!(placed, [(2, "d1".to_owned()), (3, "d2".to_owned())]);
}

#[test]
fn two_groups_that_want_the_same_devices_both_come_to_their_end() {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w1", "d3 qemu w2"]);
    floor.submit(job(1, "qemu"));
    floor.step(group(&[2, 3], "qemu", "g"));
    floor.step(group(&[4, 5], "qemu", "h"));
    assert!(!floor.is_waiting(2) && !floor.is_waiting(3));
    assert!(floor.is_waiting(4) && floor.is_waiting(5));
    floor.complete(2);
    assert!(floor.is_waiting(4) && floor.is_waiting(5), "one free device is not enough, and is not held");
    floor.complete(1);
    assert!(!floor.is_waiting(4) && !floor.is_waiting(5));
}

#[test]
fn a_group_of_different_needs_finds_the_only_arrangement() {
    let mut floor = Floor::new(&["d1 qemu w1 net", "d2 qemu w1 net kvm", "d3 qemu w1 kvm"]);
    let with =
        |id, words: &[&str]| JobRequest { tags: crate::floor::tags(words), ..member(id, "qemu", "g", false) };
    let event = Event::Submit(vec![with(1, &[]), with(2, &["kvm"]), with(3, &["net"])]);
    assert_eq!(given(&floor.step(event)).len(), 3);
}

#[test]
fn a_group_goes_to_one_worker_where_one_has_room_for_all_of_it() {
    let devices = ["d1 qemu w1", "d2 qemu w2", "d3 qemu w3", "d4 qemu w3", "d5 fvp w2", "d6 fvp w3"];
    let mut floor = Floor::new(&devices);
    let places = |actions: &[Action]| {
        let mut places = given(actions);
        places.sort();
        places
    };
    let both = Event::Submit(vec![member(1, "qemu", "g", false), member(2, "fvp", "g", false)]);
    assert_eq!(places(&floor.step(both)), [(1, "d2".to_owned()), (2, "d5".to_owned())]);
    let pair = floor.step(group(&[3, 4], "qemu", "h"));
    assert_eq!(places(&pair), [(3, "d3".to_owned()), (4, "d4".to_owned())]);
    floor.complete(3);
    let apart = floor.step(group(&[5, 6], "qemu", "i"));
    assert_eq!(places(&apart), [(5, "d1".to_owned()), (6, "d3".to_owned())], "rather apart than not at all");
}

#[test]
fn a_group_larger_than_the_lab_waits_and_holds_nobody_up() {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w1"]);
    floor.step(group(&[1, 2, 3], "qemu", "g"));
    floor.pass(100);
    assert_eq!(given(&floor.submit(job(4, "qemu"))).len(), 1);
}

#[test]
fn a_group_is_not_starved_by_single_jobs() {
    let policy = Policy { claim_after: seconds(30), ..Policy::default() };
    let mut floor = Floor::with_policy(&["d1 qemu w1", "d2 qemu w1", "d3 qemu w1"], policy);
    for id in 100..103 {
        floor.submit(job_of(id, "bob", "qemu"));
    }
    floor.step(group(&[1, 2, 3], "qemu", "g"));
    for id in 103..200 {
        floor.submit(job_of(id, "bob", "qemu"));
        floor.pass(7);
        if floor.device_of(id - 3).is_some() {
            floor.complete(id - 3);
        }
        if !floor.is_waiting(1) {
            return;
        }
    }
    panic!("the group still waits");
}

#[test]
fn a_group_keeps_what_is_free_while_it_waits_for_what_is_not() {
    let policy = Policy { claim_after: seconds(30), ..Policy::default() };
    let mut floor = Floor::with_policy(&["q1 qemu w1", "f1 fvp w1"], policy);
    floor.submit(job(1, "fvp"));
    floor.submit(job(2, "qemu"));
    floor.step(Event::Submit(vec![member(3, "fvp", "g", false), member(4, "qemu", "g", false)]));
    floor.pass(31);
    floor.complete(2);
    assert_eq!(given(&floor.submit(job(99, "qemu"))), [], "the free one is kept for the group");
    assert_eq!(given(&floor.complete(1)).len(), 2);
}

#[test]
fn a_member_beside_another_goes_to_its_worker_and_takes_no_device() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    let beside = Member { group: "g".to_owned(), essential: false, beside: Some(JobId(1)) };
    let guest = JobRequest { kind: JobKind::Member(beside), ..job(2, "qemu") };
    let actions = floor.step(Event::Submit(vec![member(1, "qemu", "g", true), guest]));
    assert_eq!(given(&actions), [(1, "d1".to_owned()), (2, "on w1".to_owned())]);
}

#[test]
fn cancelling_one_waiting_member_ends_the_group() {
    let mut floor = Floor::new(&["d1 qemu w1"]);
    floor.step(group(&[1, 2], "qemu", "g"));
    let mut over = ended(&floor.step(Event::Cancel(JobId(2))));
    over.sort_by_key(|(id, ..)| *id);
    assert_eq!(
        over,
        [
            (1, Verdict::Cancelled, FinishReason::GroupBroken),
            (2, Verdict::Cancelled, FinishReason::CancelledInQueue)
        ]
    );
}

/// Two members run; the first, essential or not, fails or is complete. Is the second cancelled?
#[track_caller]
fn check_spread(essential: bool, verdict: Verdict, expected: bool) {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w2"]);
    let jobs = vec![member(1, "qemu", "g", essential), member(2, "qemu", "g", false)];
    floor.step(Event::Submit(jobs));
    floor.pass(2);
    floor.finish(1, verdict, Some(Fault::Job));
    let state = floor.lab.job(JobId(2)).expect("the second still runs").state;
    assert_eq!(state == JobState::Cancelling, expected, "{state:?}");
}

#[test]
fn only_the_failure_of_an_essential_member_ends_the_others() {
    check_spread(true, Verdict::Incomplete, true);
    check_spread(true, Verdict::Complete, false);
    check_spread(false, Verdict::Incomplete, false);
}

/// The first of two members that run says that it failed. Is the second cancelled because of it?
#[track_caller]
fn check_failed(essential: bool, expected: Option<i64>) {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w2"]);
    let jobs = vec![member(1, "qemu", "g", essential), member(2, "qemu", "g", false)];
    floor.step(Event::Submit(jobs));
    floor.pass(2);
    let failed = floor.lab.job(JobId(1)).expect("the first runs").job_ref();
    let actions = floor.step(Event::MemberFailed(failed));
    let because = actions.iter().find_map(|action| match action {
        Action::TellWorkerCancel { job, because, .. } if job.job == JobId(2) => *because,
        _ => None,
    });
    assert_eq!(because, expected.map(JobId), "{actions:?}");
    let state = floor.lab.job(JobId(1)).map(|job| job.state);
    assert_eq!(state, Some(JobState::Running), "its own end is yet to come");
    assert_eq!(floor.step(Event::MemberFailed(failed)), [], "said once is enough");
}

#[test]
fn an_essential_member_that_says_it_failed_ends_the_others_before_its_own_end() {
    check_failed(true, Some(1));
    check_failed(false, None);
}

#[test]
fn a_member_lost_with_its_worker_is_not_given_again() {
    let mut floor = Floor::new(&["d1 qemu w1", "d2 qemu w2"]);
    let jobs = vec![member(1, "qemu", "g", true), member(2, "qemu", "g", false)];
    floor.step(Event::Submit(jobs));
    floor.pass(2);
    let actions = floor.pass_without(75, &["w1"]);
    assert_eq!(ended(&actions), [(1, Verdict::Incomplete, FinishReason::LeaseLost)]);
    assert_eq!(floor.lab.job(JobId(2)).unwrap().state, JobState::Cancelling);
}
