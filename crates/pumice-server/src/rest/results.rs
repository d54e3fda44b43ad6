//! Suites and test cases, and the exports.

use axum::{Json, extract::Path, response::Response};
use pumice_db::{Case, Condition, Job, Order, Page, Suite};
use pumice_record::export::{JunitStyle, write_json, write_junit, write_tap};
use pumice_types::Mask;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refused, no_job, text},
    list::ListQuery,
    routes::PREFIX,
    seen::{SeenJob, SeenSuite},
};
use crate::{app::Shared, lab::jobs, refusal::Refusal, results, yaml as yaml_text};

/// Every row at once.
const ALL: Page = Page { limit: 1 << 31, offset: 0 };

async fn all(shared: &Shared, job: &Job, suite: Option<&Suite>, page: Page) -> Result<Vec<Case>, Refused> {
    let conditions: Vec<_> =
        suite.iter().filter_map(|suite| Condition::on_cases("suite", &suite.id.to_string()).ok()).collect();
    Ok(shared.database.read().await?.cases(job.id, &conditions, &[], page).await?.rows)
}

fn as_csv(job: &Job, cases: &[Case]) -> Response {
    text("application/csv", results::csv(job, cases))
}

fn as_yaml(cases: &[Case]) -> Response {
    text("application/yaml", yaml_text::dump(&cases.iter().map(results::case_yaml).collect()))
}

pub(super) async fn csv(SeenJob { shared, job, .. }: SeenJob) -> Answer<Response> {
    Ok(as_csv(&job, &all(&shared, &job, None, ALL).await?))
}

/// All, unless a part was asked for.
fn part(query: &ListQuery) -> Page {
    if query.get("limit").is_some() || query.get("offset").is_some() { query.page() } else { ALL }
}

pub(super) async fn yaml(SeenJob { shared, job, .. }: SeenJob, query: ListQuery) -> Answer<Response> {
    Ok(as_yaml(&all(&shared, &job, None, part(&query)).await?))
}

pub(super) async fn junit(SeenJob { shared, job, .. }: SeenJob, query: ListQuery) -> Answer<Response> {
    let cases = all(&shared, &job, None, ALL).await?;
    let style = JunitStyle { class_prefix: query.get("classname_prefix"), unknown_passes: true };
    let mut report = results::report(&job, &cases);
    for (logged, case) in report.results.iter_mut().zip(&cases) {
        logged.excerpt = excerpt(&shared, &job, case).await?;
    }
    Ok(text("application/xml", write_junit(&report, style, &Mask::default())))
}

/// The lines of the log that show a failure, at most this many.
const EXCERPT_LINES: u64 = 200;

async fn excerpt(shared: &Shared, job: &Job, case: &Case) -> Result<Option<String>, Refused> {
    if case.result != pumice_types::CaseResult::Fail || case.suite == "lava" {
        return Ok(None);
    }
    let line = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    let (Some(first), Some(last)) = (line(case.start_log_line), line(case.end_log_line)) else {
        return Ok(None);
    };
    if last <= first {
        return Ok(None);
    }
    let end = last.saturating_add(1).min(first.saturating_add(EXCERPT_LINES));
    let lines =
        results::read_lines(shared, results::place(job), first, Some(end), results::PIECE_BYTES).await?;
    Ok(Some(lines).filter(|lines| !lines.is_empty()))
}

pub(super) async fn tap(SeenJob { shared, job, .. }: SeenJob) -> Answer<Response> {
    let cases = all(&shared, &job, None, ALL).await?;
    Ok(text("application/yaml", write_tap(&results::report(&job, &cases), &Mask::default())))
}

pub(super) async fn json(SeenJob { shared, job, .. }: SeenJob) -> Answer<Response> {
    let cases = all(&shared, &job, None, ALL).await?;
    Ok(text("application/json", write_json(&results::report(&job, &cases), &Mask::default())))
}

fn suite_shown(query: &ListQuery, suite: &Suite) -> Value {
    json!({
        "id": suite.id,
        "resource_uri": format!("{}{PREFIX}/jobs/{}/suites/{}/", query.base(), suite.job_id, suite.id),
        "name": suite.name,
        "job": suite.job_id,
    })
}

pub(super) async fn suites(SeenJob { shared, job, .. }: SeenJob, query: ListQuery) -> Answer {
    let conditions = query.conditions(Condition::on_suites)?;
    let found = shared.database.read().await?.suites(job.id, &conditions).await?;
    query.answer(&query.cut(found), |suite| suite_shown(&query, suite))
}

pub(super) async fn suite(SeenSuite { suite, .. }: SeenSuite, query: ListQuery) -> Answer {
    Ok(Json(suite_shown(&query, &suite)))
}

pub(super) async fn suite_csv(SeenSuite { shared, job, suite }: SeenSuite) -> Answer<Response> {
    Ok(as_csv(&job, &all(&shared, &job, Some(&suite), ALL).await?))
}

pub(super) async fn suite_yaml(
    SeenSuite { shared, job, suite }: SeenSuite,
    query: ListQuery,
) -> Answer<Response> {
    Ok(as_yaml(&all(&shared, &job, Some(&suite), part(&query)).await?))
}

fn case_shown(query: &ListQuery, case: &Case) -> Value {
    json!({
        "id": case.id,
        "result": case.result.as_str(),
        "resource_uri": format!(
            "{}{PREFIX}/jobs/{}/suites/{}/tests/{}/", query.base(), case.job_id, case.suite_id, case.id
        ),
        "unit": case.units,
        "name": case.name,
        "measurement": case.measurement.map(results::decimal),
        "metadata": results::metadata_yaml(case),
        "start_log_line": case.start_log_line,
        "end_log_line": case.end_log_line,
        "logged": case.logged.rest(),
        "suite": case.suite_id,
        "test_set": case.set_id,
    })
}

async fn tests_of(shared: &Shared, job: &Job, suite: Option<&Suite>, query: &ListQuery) -> Answer {
    let mut conditions = query.conditions(Condition::on_cases)?;
    conditions
        .extend(suite.iter().filter_map(|suite| Condition::on_cases("suite", &suite.id.to_string()).ok()));
    let orders = query.orders(Order::of_cases);
    let mut reader = shared.database.read().await?;
    let listing = reader.cases(job.id, &conditions, &orders, query.page()).await?;
    query.answer(&listing, |case| case_shown(query, case))
}

pub(super) async fn tests(SeenJob { shared, job, .. }: SeenJob, query: ListQuery) -> Answer {
    tests_of(&shared, &job, None, &query).await
}

pub(super) async fn suite_tests(SeenSuite { shared, job, suite }: SeenSuite, query: ListQuery) -> Answer {
    tests_of(&shared, &job, Some(&suite), &query).await
}

pub(super) async fn suite_test(
    SeenSuite { shared, suite, .. }: SeenSuite,
    Path((_, _, case)): Path<(String, String, String)>,
    query: ListQuery,
) -> Answer {
    let missing = || Refusal::Missing("No TestCase matches the given query.".to_owned());
    let key = case.parse().map_err(|_| missing())?;
    let found = shared.database.read().await?.case(key).await?;
    let found = found.filter(|case| case.suite_id == suite.id).ok_or_else(missing)?;
    Ok(Json(case_shown(&query, &found)))
}

pub(super) async fn compare(
    SeenJob { shared, who, job: after }: SeenJob,
    Path((_, other)): Path<(String, String)>,
) -> Answer {
    let mut reader = shared.database.read().await?;
    let before = jobs::find(&mut reader, &who, &other).await.map_err(no_job)?;
    let found = results::compare(&mut reader, &before, &after).await?;
    Ok(Json(json!({"before": before.id, "after": after.id, "changes": found.changes})))
}
