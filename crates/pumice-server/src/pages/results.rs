//! Results: lately, of a job, of a suite, one.

use axum::extract::{Path, Query};
use pumice_db::{Case, Condition, Job, Listing, Page as Part, Reader};
use serde_json::{Value, json};

use super::{
    context::{self as shown, listing, part},
    jobs::{excerpt, find},
    page::{Answer, Page},
};
use crate::refusal::Refusal;

/// Failed tests that are listed at once.
const FAILED: u64 = 500;

/// The suites of a job with counts.
pub(super) async fn suites(reader: &mut Reader, job: &Job) -> Result<Vec<Value>, Refusal> {
    let counts = reader.result_counts(job.id).await?;
    let suites = reader.suites(job.id, &[]).await?;
    let one = |suite: &pumice_db::Suite| {
        let count = |word: &str| counts.get(&suite.id).and_then(|of| of.get(word)).copied().unwrap_or(0);
        let other = count("skip") + count("unknown");
        json!({ "name": suite.name, "pass": count("pass"), "fail": count("fail"), "other": other })
    };
    Ok(suites.iter().map(one).collect())
}

/// Tests that failed; the runner's own steps aside.
pub(super) async fn failed(reader: &mut Reader, job: &Job, limit: u64) -> Result<Listing<Case>, Refusal> {
    let failed = [("result", "fail"), ("suite__name__ne", "lava")];
    let failed: Vec<_> =
        failed.iter().filter_map(|(name, value)| Condition::on_cases(name, value).ok()).collect();
    Ok(reader.cases(job.id, &failed, &[], Part { limit, offset: 0 }).await?)
}

pub(super) async fn lately(page: Page, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let now = page.shared.clock.now();
    let wanted = part(&pairs);
    let finished: Vec<_> = Condition::on_jobs("state", "Finished").into_iter().collect();
    let found = page.shared.database.read().await?.jobs(&page.who.viewer, &finished, &[], wanted).await?;
    let values = json!({ "listing": listing(&found, wanted, &pairs, |job| shown::job(job, now)) });
    page.show("results.html", "results", "Results", values)
}

pub(super) async fn of_job(page: Page, Path(id): Path<String>) -> Answer {
    let (page, job) = find(page, &id).await?;
    let now = page.shared.clock.now();
    let mut reader = page.shared.database.read().await?;
    let failed = failed(&mut reader, &job, FAILED).await?;
    let failed = failed.rows.iter().map(|case| {
        let mut shown = shown::case(case);
        shown["with_suite"] = json!(true);
        shown
    });
    let failed: Vec<_> = failed.collect();
    let previous = super::jobs::previous(&mut reader, &page.who.viewer, &job).await?;
    let values = json!({ "job": shown::job(&job, now), "suites": suites(&mut reader, &job).await?, "failed_cases": failed, "previous": previous });
    drop(reader);
    page.show("results.html", "results", &format!("Results of job {}", job.display_id()), values)
}

pub(super) async fn of_suite(page: Page, Path((id, name)): Path<(String, String)>) -> Answer {
    let (page, job) = find(page, &id).await?;
    let mut reader = page.shared.database.read().await?;
    let Some(suite) = reader.suite(job.id, &name).await? else {
        drop(reader);
        return Err(page.refuse(Refusal::missing("Suite", &name)));
    };
    let conditions: Vec<_> = Condition::on_cases("suite", &suite.id.to_string()).into_iter().collect();
    let cases = reader.cases(job.id, &conditions, &[], Part { limit: 5000, offset: 0 }).await?.rows;
    drop(reader);
    let values = json!({ "job": shown::job(&job, page.shared.clock.now()), "cases": cases.iter().map(shown::case).collect::<Vec<_>>() });
    page.show("suite.html", "results", &suite.name, values)
}

pub(super) async fn case(page: Page, Path(id): Path<i64>) -> Answer {
    let found = page.shared.database.read().await?.case(id).await?;
    let Some(case) = found else { return Err(page.refuse(Refusal::missing("Test case", id))) };
    let (page, job) = find(page, &case.job_id.to_string()).await?;
    let history = page.shared.database.read().await?.case_history(&case, &job.description, 20).await?;
    let text = match (case.start_log_line, case.end_log_line) {
        (Some(first), Some(last)) => excerpt(&page, &job, first, last).await?,
        _ => String::new(),
    };
    let values = json!({ "case": shown::case(&case), "job": shown::job(&job, page.shared.clock.now()), "metadata": crate::yaml::dump(&case.metadata), "excerpt": text, "history": history.iter().map(shown::case).collect::<Vec<_>>() });
    page.show("case.html", "results", &case.name, values)
}
