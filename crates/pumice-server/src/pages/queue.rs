//! The queue: what waits, and what for.

use axum::extract::Query;
use pumice_db::{Condition, Order};
use serde_json::{Value, json};

use super::{
    context::{self as shown, listing, part},
    page::{Answer, Page},
};
use crate::lab::jobs;

pub(super) async fn waiting(page: Page, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let now = page.shared.clock.now();
    let wanted = part(&pairs);
    let waiting: Vec<_> = Condition::on_jobs("state", "Submitted").into_iter().collect();
    let orders: Vec<_> = ["-priority", "id"].into_iter().filter_map(Order::of_jobs).collect();
    let found = page.shared.database.read().await?.jobs(&page.who.viewer, &waiting, &orders, wanted).await?;
    let mut rows = Vec::new();
    for job in &found.rows {
        let mut row = shown::job(job, now);
        row["why"] = jobs::why(&page.shared, job).await?;
        rows.push(row);
    }
    let found = pumice_db::Listing { total: found.total, rows };
    page.show(
        "queue.html",
        "queue",
        "Queue",
        json!({ "listing": listing(&found, wanted, &pairs, Value::clone) }),
    )
}
