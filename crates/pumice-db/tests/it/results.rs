use pumice_db::{Condition, NewCase, Page};
use pumice_types::CaseResult;

use crate::{NOW, job, small_lab};

fn case(suite_id: i64, name: &str, result: CaseResult, log_line: i64) -> NewCase {
    NewCase {
        suite_id,
        set_id: None,
        name: name.into(),
        result,
        measurement: Some(42.5),
        units: "ms".into(),
        metadata: serde_json::json!({"definition": "0_x", "case": name}),
        start_log_line: Some(3),
        end_log_line: None,
        log_line,
    }
}

pub(crate) async fn the_same_line_of_the_log_is_one_result(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let id = writer.insert_jobs(&[job(2, "one")], NOW).await.unwrap()[0];
    let suite = writer.suite_key(id, "0_x").await.unwrap();
    assert_eq!(writer.suite_key(id, "0_x").await.unwrap(), suite);
    assert!(writer.insert_case(id, &case(suite, "t", CaseResult::Pass, 9), NOW).await.unwrap());
    assert!(!writer.insert_case(id, &case(suite, "t", CaseResult::Pass, 9), NOW).await.unwrap());
    assert!(
        writer.insert_case(id, &case(suite, "t", CaseResult::Fail, 10), NOW).await.unwrap(),
        "a name may repeat"
    );
    let found = writer.cases(id, &[], &[], Page::default()).await.unwrap();
    let (first, second) = (&found.rows[0], &found.rows[1]);
    assert_eq!((first.result, second.result, found.total), (CaseResult::Pass, CaseResult::Fail, 2));
    assert_eq!((first.measurement, first.start_log_line, first.logged), (Some(42.5), Some(3), NOW));
    assert_eq!(first.metadata.to_string(), r#"{"definition":"0_x","case":"t"}"#, "the order of keys is kept");
    writer.forget_results(id).await.unwrap();
    assert_eq!(writer.cases(id, &[], &[], Page::default()).await.unwrap().total, 0);
}

/// A statement that was first run without a measurement must take one afterwards, and the other way about.
pub(crate) async fn a_measurement_may_be_missing_and_may_come(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let id = writer.insert_jobs(&[job(2, "one")], NOW).await.unwrap()[0];
    let suite = writer.suite_key(id, "0_x").await.unwrap();
    let measured = [None, Some(0.1), None, Some(-1.5e300), Some(f64::NAN)];
    for (line, measurement) in (1..).zip(measured) {
        let new = NewCase { measurement, ..case(suite, "t", CaseResult::Pass, line) };
        assert!(writer.insert_case(id, &new, NOW).await.unwrap());
    }
    let found = writer.cases(id, &[], &[], Page::default()).await.unwrap();
    let kept: Vec<_> = found.rows.iter().map(|case| case.measurement).collect();
    assert_eq!(kept, [None, Some(0.1), None, Some(-1.5e300), None]);
}

pub(crate) async fn counts_and_filters_of_results(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let id = writer.insert_jobs(&[job(2, "one")], NOW).await.unwrap()[0];
    let suite = writer.suite_key(id, "0_x").await.unwrap();
    let set = writer.set_key(suite, "fast").await.unwrap();
    writer.insert_case(id, &case(suite, "a", CaseResult::Pass, 1), NOW).await.unwrap();
    writer.insert_case(id, &case(suite, "b", CaseResult::Fail, 2), NOW).await.unwrap();
    let in_set = NewCase { set_id: Some(set), ..case(suite, "c", CaseResult::Pass, 3) };
    writer.insert_case(id, &in_set, NOW).await.unwrap();
    let counts = writer.result_counts(id).await.unwrap();
    assert_eq!((counts[&suite]["pass"], counts[&suite]["fail"]), (2, 1));
    for (name, value, expected) in [
        ("result", "fail", vec!["b"]),
        ("test_set__name", "fast", vec!["c"]),
        ("name__in", "a,c", vec!["a", "c"]),
    ] {
        let condition = Condition::on_cases(name, value).unwrap();
        let found = writer.cases(id, &[condition], &[], Page::default()).await.unwrap();
        assert_eq!(found.rows.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), expected, "{name}");
    }
    let one = writer.cases(id, &[], &[], Page { limit: 1, offset: 1 }).await.unwrap();
    assert_eq!((one.total, one.rows[0].name.as_str()), (3, "b"));
    assert_eq!(writer.case_history(&one.rows[0], "one", 5).await.unwrap().len(), 1);
}
