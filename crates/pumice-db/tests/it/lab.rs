use pumice_db::{
    ClaimError, Condition, Database, DbError, DeviceState, Engine, JobHold, ObjectKind, Page, Viewer,
};
use pumice_types::Verdict;
use sqlx::{Connection as _, Executor as _};

use crate::{NOW, job, small_lab};

pub(crate) async fn a_device_does_what_its_jobs_do(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let id = writer.insert_jobs(&[job(2, "one")], NOW).await.unwrap()[0];
    let hold = JobHold { device: Some("d1".into()), worker: "w1".into(), fence: 1 };
    assert_eq!(writer.device("d1").await.unwrap().unwrap().state, DeviceState::Idle);
    assert!(writer.schedule_job(id, &hold).await.unwrap());
    let device = writer.device("d1").await.unwrap().unwrap();
    assert_eq!((device.state, device.current_job), (DeviceState::Reserved, Some(id.0)));
    assert!(writer.start_job(id, 1, NOW).await.unwrap());
    assert_eq!(writer.device("d1").await.unwrap().unwrap().state, DeviceState::Running);
    let running = Condition::on_devices("state", "Running").unwrap();
    let found = writer.devices(&Viewer::everything(), &[running], &[], Page::default()).await.unwrap();
    assert_eq!(found.rows.iter().map(|device| device.hostname.as_str()).collect::<Vec<_>>(), ["d1"]);
    let end = pumice_db::JobEnd::plain(Verdict::Complete);
    assert!(writer.finish_job(id, pumice_types::JobState::Running, &end, NOW).await.unwrap());
    assert_eq!(writer.device("d1").await.unwrap().unwrap().current_job, None);
}

pub(crate) async fn a_device_is_seen_by_those_who_may(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let group = writer.insert_group("lab").await.unwrap();
    let seen = async |writer: &mut pumice_db::Writer, user: Option<i64>| {
        let viewer = writer.viewer(user, false).await.unwrap();
        let listing = writer.devices(&viewer, &[], &[], Page::default()).await.unwrap();
        let names: Vec<_> = listing.rows.into_iter().map(|device| device.hostname).collect();
        assert_eq!(listing.total, u64::try_from(names.len()).unwrap());
        names
    };
    assert_eq!(seen(&mut writer, None).await, ["d1", "d2"], "public without permissions");
    writer.grant_on(ObjectKind::Device, "d1", group, "view_device").await.unwrap();
    assert_eq!(seen(&mut writer, None).await, ["d2"]);
    assert_eq!(seen(&mut writer, Some(2)).await, ["d2"]);
    writer.join_group(2, group).await.unwrap();
    assert_eq!(seen(&mut writer, Some(2)).await, ["d1", "d2"]);
    let other = writer.insert_group("other").await.unwrap();
    writer.grant_on(ObjectKind::DeviceType, "virtual", other, "view_devicetype").await.unwrap();
    assert_eq!(seen(&mut writer, Some(2)).await, ["d1"], "its own permission goes before its type's");
    assert_eq!(seen(&mut writer, None).await, [""; 0]);
    writer.grant_on(ObjectKind::Device, "d1", group, "view_device").await.unwrap();
    assert_eq!(writer.permissions_on(ObjectKind::Device, "d1").await.unwrap().len(), 1, "granted twice");
}

pub(crate) async fn what_is_referred_to_cannot_be_removed(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    assert!(matches!(writer.delete_device_type("virtual").await, Err(DbError::StillReferenced)));
    drop(writer);
    let mut writer = database.write().await.unwrap();
    assert!(matches!(writer.delete_worker("w1").await, Err(DbError::StillReferenced)));
    drop(writer);
    let mut writer = database.write().await.unwrap();
    writer.insert_alias("virt", "virtual").await.unwrap();
    assert!(matches!(writer.insert_alias("v", "none").await, Err(DbError::StillReferenced)));
}

pub(crate) async fn a_database_is_one_servers_alone(url: String) {
    let first = Database::open(&url).await.unwrap();
    let mut claim = first.claim().await.unwrap();
    claim.check().await.unwrap();
    let second = Database::open(&url).await.unwrap();
    let refused = second.claim().await.unwrap_err();
    assert!(matches!(refused, ClaimError::Taken), "{refused}");
    claim.check().await.unwrap();
    if first.engine() == Engine::Postgres {
        // Its connection breaks, and is made again; it breaks once more, and another is faster.
        break_claim(&url).await;
        claim.check().await.unwrap();
        break_claim(&url).await;
        let taken = second.claim().await.unwrap();
        assert!(matches!(claim.check().await, Err(ClaimError::Taken)));
        drop(taken);
    }
    drop(claim);
    let mut claim = second.claim().await.unwrap();
    claim.check().await.unwrap();
}

async fn break_claim(url: &str) {
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    let sql =
        "SELECT pg_terminate_backend(pid)::TEXT FROM pg_locks WHERE locktype = 'advisory' AND objid = 657";
    connection.execute(sql).await.unwrap();
}
