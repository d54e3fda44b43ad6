//! Two jobs side by side.

use axum::extract::Query;
use serde::Deserialize;
use serde_json::json;

use super::{
    context as shown,
    jobs::find,
    page::{Answer, Page},
};
use crate::results::{Change, compare};

#[derive(Deserialize)]
pub(super) struct Two {
    before: String,
    after: String,
}

pub(super) async fn two(page: Page, Query(asked): Query<Two>) -> Answer {
    let (page, before) = find(page, asked.before.trim()).await?;
    let (page, after) = find(page, asked.after.trim()).await?;
    let mut reader = page.shared.database.read().await?;
    let found = compare(&mut reader, &before, &after).await?;
    drop(reader);
    let now = page.shared.clock.now();
    let of = |wanted: fn(&Change) -> bool| {
        found.changes.iter().filter(|change| wanted(change)).collect::<Vec<_>>()
    };
    let groups = [
        ("Got worse", of(Change::is_regression)),
        ("Got better", of(Change::is_progression)),
        ("Measured otherwise", of(Change::is_measurement)),
        ("Otherwise changed", of(Change::is_other)),
    ];
    let title = format!("Job {} against job {}", after.display_id(), before.display_id());
    let values = json!({
        "before": shown::job(&before, now), "after": shown::job(&after, now), "groups": groups,
        "same": found.same, "changed": !found.changes.is_empty(),
    });
    page.show("compare.html", "results", &title, values)
}
