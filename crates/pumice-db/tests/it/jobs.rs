use pumice_db::{
    Condition, Database, GroupWord, GroupWordKind, JobEnd, JobHold, NewJob, Order, Page, Viewer, Visibility,
};
use pumice_types::{JobId, JobState, Verdict};
use serde_json::json;

use crate::{NOW, job, small_lab};

async fn submit(database: &Database, new: NewJob) -> JobId {
    let mut writer = database.write().await.unwrap();
    let ids = writer.insert_jobs(&[new], NOW).await.unwrap();
    writer.commit().await.unwrap();
    ids[0]
}

async fn listed(database: &Database, viewer: &Viewer, conditions: &[Condition]) -> Vec<i64> {
    let mut reader = database.read().await.unwrap();
    let listing =
        reader.jobs(viewer, conditions, &[Order::of_jobs("id").unwrap()], Page::default()).await.unwrap();
    assert_eq!(listing.total, u64::try_from(listing.rows.len()).unwrap());
    listing.rows.iter().map(|job| job.id.0).collect()
}

pub(crate) async fn a_state_moves_once(url: String) {
    let database = small_lab(&url).await;
    let id = submit(&database, job(2, "one")).await;
    let mut writer = database.write().await.unwrap();
    let hold = |device: &str| JobHold { device: Some(device.into()), worker: "w1".into(), fence: 7 };
    assert!(writer.schedule_job(id, &hold("d1")).await.unwrap());
    assert!(!writer.schedule_job(id, &hold("d2")).await.unwrap(), "it waits no more");
    assert!(!writer.start_job(id, 6, NOW).await.unwrap(), "an older giving");
    assert!(writer.start_job(id, 7, NOW).await.unwrap());
    assert!(writer.cancel_job(id).await.unwrap());
    assert!(!writer.cancel_job(id).await.unwrap());
    let end = JobEnd { error_type: Some("Job".into()), ..JobEnd::plain(Verdict::Cancelled) };
    assert!(!writer.finish_job(id, JobState::Running, &end, NOW).await.unwrap());
    assert!(writer.finish_job(id, JobState::Cancelling, &end, NOW).await.unwrap());
    let job = writer.job(id).await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Finished(Verdict::Cancelled));
    assert_eq!((job.actual_device.as_deref(), job.error_type.as_deref()), (Some("d1"), Some("Job")));
}

pub(crate) async fn a_job_that_was_never_started_begins_when_it_ends(url: String) {
    let database = small_lab(&url).await;
    let (short, waiting) =
        (submit(&database, job(2, "short")).await, submit(&database, job(2, "waiting")).await);
    let mut writer = database.write().await.unwrap();
    let hold = JobHold { device: Some("d1".into()), worker: "w1".into(), fence: 1 };
    writer.schedule_job(short, &hold).await.unwrap();
    let end = JobEnd::plain(Verdict::Complete);
    assert!(writer.finish_job(short, JobState::Scheduled, &end, NOW).await.unwrap());
    assert!(
        writer
            .finish_job(waiting, JobState::Submitted, &JobEnd::plain(Verdict::Cancelled), NOW)
            .await
            .unwrap()
    );
    assert_eq!(writer.job(short).await.unwrap().unwrap().start_time, Some(NOW));
    assert_eq!(writer.job(waiting).await.unwrap().unwrap().start_time, None);
}

pub(crate) async fn members_of_a_group_are_numbered_after_the_first(url: String) {
    let database = small_lab(&url).await;
    let member = |place: u32, role: &str| NewJob {
        group: Some(("g-1".into(), place, role.into())),
        multinode: "whole".into(),
        ..job(2, "group")
    };
    let mut writer = database.write().await.unwrap();
    let ids = writer.insert_jobs(&[member(0, "server"), member(1, "client")], NOW).await.unwrap();
    let jobs = writer.jobs_of_group("g-1").await.unwrap();
    let shown: Vec<_> = jobs.iter().map(pumice_db::Job::display_id).collect();
    assert_eq!(shown, [format!("{}.0", ids[0]), format!("{}.1", ids[0])]);
    assert_eq!(writer.job_by_sub_id(&shown[1]).await.unwrap().unwrap().id, ids[1]);
    assert_eq!(writer.job_text(ids[1]).await.unwrap().unwrap().multinode, "whole");
}

pub(crate) async fn lists_show_what_the_viewer_may_see(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let (lab, kernel) =
        (writer.insert_group("lab").await.unwrap(), writer.insert_group("kernel").await.unwrap());
    writer.join_group(2, lab).await.unwrap();
    writer.commit().await.unwrap();
    let public = submit(&database, job(1, "public")).await.0;
    let personal =
        submit(&database, NewJob { visibility: Visibility::Personal, ..job(1, "personal") }).await.0;
    let of = |viewing_groups: Vec<i64>| NewJob {
        visibility: Visibility::Group,
        viewing_groups,
        ..job(1, "group")
    };
    let in_one = submit(&database, of(vec![lab])).await.0;
    let in_both = submit(&database, of(vec![lab, kernel])).await.0;
    let viewer = |id: Option<i64>, all: bool| {
        let database = database.clone();
        async move { database.read().await.unwrap().viewer(id, all).await.unwrap() }
    };
    assert_eq!(
        listed(&database, &viewer(Some(1), false).await, &[]).await,
        [public, personal, in_one, in_both]
    );
    assert_eq!(listed(&database, &viewer(Some(2), false).await, &[]).await, [public, in_one]);
    assert_eq!(listed(&database, &viewer(None, false).await, &[]).await, [public]);
    assert_eq!(listed(&database, &viewer(Some(2), true).await, &[]).await.len(), 4);
    let mut writer = database.write().await.unwrap();
    writer.grant_on(pumice_db::ObjectKind::DeviceType, "virtual", kernel, "view_devicetype").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(
        listed(&database, &viewer(Some(2), false).await, &[]).await,
        [in_one],
        "its type is private now"
    );
    let alice = viewer(Some(2), false).await;
    let mut reader = database.read().await.unwrap();
    assert!(reader.sees_job(&alice, JobId(in_one)).await.unwrap());
    assert!(!reader.sees_job(&alice, JobId(public)).await.unwrap());
}

pub(crate) async fn lists_are_narrowed_by_fields_and_metadata(url: String) {
    let database = small_lab(&url).await;
    let with = |metadata| NewJob { metadata, ..job(2, "Boot Test 100%") };
    let first = submit(&database, with(json!({"build": {"nr": 7}, "branch": "main"}))).await.0;
    let second = submit(&database, with(json!({"build": {"nr": 8}, "list": ["a", "b"]}))).await.0;
    let third = submit(&database, NewJob { priority: 90, ..job(1, "other") }).await.0;
    let found = async |name: &str, value: &str| {
        listed(&database, &Viewer::everything(), &[Condition::on_jobs(name, value).unwrap()]).await
    };
    assert_eq!(found("id__gt", &first.to_string()).await, [second, third]);
    assert_eq!(found("state", "Submitted").await, [first, second, third]);
    assert_eq!(found("health", "Complete").await, [0; 0]);
    assert_eq!(found("priority__gte", "90").await, [third]);
    assert_eq!(found("submitter__username", "admin").await, [third]);
    assert_eq!(found("description__contains", "boot").await, [0; 0], "large letters count");
    assert_eq!(found("description__icontains", "boot").await, [first, second]);
    assert_eq!(found("description__endswith", "100%").await, [first, second]);
    assert_eq!(found("description__startswith", "oth").await, [third]);
    assert_eq!(found("end_time__isnull", "true").await, [first, second, third]);
    assert_eq!(found("original_definition__contains", "as written").await, [first, second, third]);
    assert_eq!(found("metadata__build__nr", "8").await, [second]);
    assert_eq!(found("metadata__branch__in", "main,next").await, [first]);
    assert_eq!(found("metadata__has_key", "build").await, [first, second]);
    assert_eq!(found("metadata__has_keys", "build,list").await, [second]);
    assert_eq!(found("metadata__has_any_keys", "branch,list").await, [first, second]);
    assert_eq!(found("metadata__contains", r#"{"build": {"nr": 7}}"#).await, [first]);
    assert_eq!(found("metadata__branch__isnull", "true").await, [second, third]);
    let mut reader = database.read().await.unwrap();
    let newest = reader.jobs(&Viewer::everything(), &[], &[], Page { limit: 1, offset: 1 }).await.unwrap();
    assert_eq!((newest.total, newest.rows[0].id.0), (3, second));
}

pub(crate) async fn writers_take_turns(url: String) {
    let database = small_lab(&url).await;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let database = database.clone();
            tokio::spawn(async move { submit(&database, job(2, &format!("job {number}"))).await })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap().0);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub(crate) async fn the_words_of_a_group_come_back_in_order(url: String) {
    let database = small_lab(&url).await;
    let word = |node: &str, kind, line: &str| GroupWord { node: node.into(), kind, line: line.into() };
    let words = [
        word("2", GroupWordKind::Heard, "{}\n"),
        word("1", GroupWordKind::Said, "it's\n"),
        word("1", GroupWordKind::Gone, ""),
    ];
    let mut writer = database.write().await.unwrap();
    let grouped = NewJob { group: Some(("g".into(), 0, "server".into())), ..job(2, "of a group") };
    writer.insert_jobs(&[grouped], NOW).await.unwrap();
    for group in ["g", "over"] {
        writer.add_group_words(group, &words[..1]).await.unwrap();
        writer.add_group_words(group, &words[1..]).await.unwrap();
    }
    assert_eq!(writer.group_words("g").await.unwrap(), words);
    writer.remove_words_of_ended_groups().await.unwrap();
    assert_eq!(writer.group_words("over").await.unwrap(), [], "no job of it goes on");
    assert_eq!(writer.group_words("g").await.unwrap().len(), 3);
    writer.remove_group_words("g").await.unwrap();
    assert_eq!(writer.group_words("g").await.unwrap(), []);
    writer.commit().await.unwrap();
}
