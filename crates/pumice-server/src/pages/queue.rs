//! The queue: what waits, and what for.

use axum::extract::Query;
use pumice_db::{Condition, Listing, Order};
use serde::Serialize;
use serde_json::Value;

use super::{
    context::{JobView, ListingView, part},
    page::{Answer, Page},
};
use crate::lab::jobs;

/// A job that waits.
#[derive(Clone, Serialize)]
struct WaitingView {
    #[serde(flatten)]
    job: JobView,
    /// What it waits for, as `jobs::why` tells it.
    why: Value,
}

/// What `queue.html` sees.
#[derive(Serialize)]
struct QueueView {
    listing: ListingView<WaitingView>,
}

pub(super) async fn waiting(page: Page, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let now = page.shared.clock.now();
    let wanted = part(&pairs);
    let waiting: Vec<_> = Condition::on_jobs("state", "Submitted").into_iter().collect();
    let orders: Vec<_> = ["-priority", "id"].into_iter().filter_map(Order::of_jobs).collect();
    let found = page.shared.database.read().await?.jobs(&page.who.viewer, &waiting, &orders, wanted).await?;
    let mut rows = Vec::new();
    for job in &found.rows {
        rows.push(WaitingView { job: JobView::new(job, now), why: jobs::why(&page.shared, job).await? });
    }
    let found = Listing { total: found.total, rows };
    let listing = ListingView::new(&found, wanted, &pairs, WaitingView::clone);
    page.show("queue.html", "queue", "Queue", QueueView { listing })
}
