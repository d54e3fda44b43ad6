//! The crate `lava-api` against our server: what `lava-gitlab-runner` and others stand on (clients.md 3).

use futures_util::TryStreamExt as _;
use lava_api::{
    Lava,
    device::Health as DeviceHealth,
    job::{Health, Ordering, State},
    joblog::{JobLogError, JobLogMsg},
    test::{ErrorType, PassFail},
};
use serde_json::{Value, json};

use crate::{
    exchange::{LOG, LavaWorker},
    lab::{JOB, Lab},
};

/// A step of LAVA's runner with all that one can carry.
const STEP: &str = r#"- {"dt": "2026-11-22T11:23:43.900000+00:00", "lvl": "results", "msg": {"case": "http-download", "definition": "lava", "duration": "0.00", "extra": {"label": "kernel", "size": ! "188250"}, "level": "1.1.1", "namespace": "common", "result": "pass"}}"#;

/// A lab with a tagged device and a job of it that failed.
fn lab() -> (Lab, i64) {
    let lab = Lab::start();
    let token = lab.with_device();
    let tag = lab.rest("POST", "/tags/", &json!({"name": "big", "description": "much memory"}))["id"].clone();
    lab.rest("PATCH", "/devices/virtual01/", &json!({"tags": [tag]}));
    let worker = LavaWorker { lab: &lab, token };
    let submitted = lab.submit("tags: [big]\n");
    let mut log = LOG.to_vec();
    log.insert(1, STEP);
    let id = worker.run(&log, "result=fail&error_type=Infrastructure");
    assert_eq!(id, submitted);
    (lab, id)
}

async fn asked(lab: &Lab, id: i64) {
    let lava = Lava::new(&lab.url, Some(lab.token.clone())).unwrap();

    let devices: Vec<_> = lava.devices().try_collect().await.unwrap();
    let device = devices.iter().find(|device| device.hostname == "virtual01").unwrap();
    assert_eq!((device.worker_host.as_str(), &device.health), ("worker1", &DeviceHealth::Unknown));
    assert_eq!((device.device_type.as_str(), device.tags[0].name.as_str()), ("virtual", "big"));
    let workers: Vec<_> = lava.workers().try_collect().await.unwrap();
    assert!(workers.iter().any(|worker| worker.hostname == "worker1"));
    assert_eq!(lava.tags().await.unwrap()[0].description.as_deref(), Some("much memory"));

    // So that what is submitted now waits.
    lab.rest("POST", "/devices/virtual01/set_health/", &json!({"health": "Maintenance"}));
    let more = lava.submit_job(JOB).await.unwrap();
    let before = chrono::DateTime::from_timestamp(0, 0).unwrap();
    let of = |state| {
        lava.jobs().state(state).submitted_after(before).ordering(Ordering::Id, true).limit(1).query()
    };
    let waiting: Vec<_> = of(State::Submitted).try_collect().await.unwrap();
    assert_eq!(waiting.iter().map(|job| job.id).collect::<Vec<_>>(), more);
    let all = lava.jobs().ordering(Ordering::SubmitTime, false).limit(1).query();
    let all: Vec<_> = all.try_collect().await.unwrap();
    assert_eq!(all.iter().map(|job| job.id).collect::<Vec<_>>(), [more[0], id], "page by page, newest first");
    let ended: Vec<_> =
        lava.jobs().health(Health::Incomplete).ended_after(before).query().try_collect().await.unwrap();
    let [job] = ended.as_slice() else { panic!("{ended:?}") };
    assert_eq!((job.id, job.state, job.health), (id, State::Finished, Health::Incomplete));
    assert_eq!((job.actual_device.as_deref(), job.tags[0].name.as_str()), (Some("virtual01"), "big"));
    assert!(job.definition.contains("job_name: plain") && job.end_time >= job.start_time);

    let cases: Vec<_> = lava.test_cases(id).try_collect().await.unwrap();
    let case = |name: &str| cases.iter().find(|case| case.name == name).unwrap();
    assert_eq!((case("t3").result, case("t3").unit.as_str()), (PassFail::Pass, "ms"));
    assert_eq!(case("t3").measurement.as_deref().and_then(|text| text.parse().ok()), Some(42.0));
    let end = case("job").metadata.clone().unwrap();
    assert_eq!(
        (end.error_type, end.error_msg.as_deref()),
        (Some(ErrorType::Infrastructure), Some("no room"))
    );
    let step = case("http-download");
    assert_eq!(step.measurement.as_deref().and_then(|text| text.parse().ok()), Some(0.0));
    assert_eq!(step.metadata.as_ref().and_then(|step| step.duration.as_deref()), Some("0.00"));

    let log: Vec<_> = lava.log(id).log().try_collect().await.unwrap();
    assert_eq!(log.len(), 5);
    assert!(matches!(&log[0].msg, JobLogMsg::Msg(text) if text.starts_with("lava-dispatcher, installed")));
    assert!(matches!(&log[1].msg, JobLogMsg::Result(result) if result.extra.contains_key("label")));
    let part: Vec<_> = lava.log(id).start(4).end(5).log().try_collect().await.unwrap();
    assert!(matches!(&part[..], [entry] if matches!(&entry.msg, JobLogMsg::Msg(text) if text == "the end")));
    let none: Result<Vec<_>, _> = lava.log(more[0]).log().try_collect().await;
    assert!(matches!(none, Err(JobLogError::NoData)), "{none:?}");
    let junit: Vec<_> = lava.job_results_as_junit(id).await.unwrap().try_collect().await.unwrap();
    assert!(String::from_utf8(junit.concat()).unwrap().contains("<testsuites"));

    lava.cancel_job(more[0]).await.unwrap();
    assert!(lava.submit_job("job_name: x").await.is_err());
}

#[test]
fn the_crate_lava_api_reads_all_that_it_knows() {
    let (lab, id) = lab();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(asked(&lab, id));
    assert_eq!(lab.rest("GET", "/jobs/?state=Submitted", &Value::Null)["count"], 0);
}
