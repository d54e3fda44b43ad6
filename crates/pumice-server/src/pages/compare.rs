//! Two jobs side by side.

use axum::extract::Query;
use serde::{Deserialize, Serialize};

use super::{
    context::JobView,
    jobs::find,
    page::{Answer, Page},
};
use crate::results::{Change, compare};

#[derive(Deserialize)]
pub(super) struct Two {
    before: String,
    after: String,
}

/// What `compare.html` sees.
#[derive(Serialize)]
struct CompareView {
    before: JobView,
    after: JobView,
    /// What changed, by how, each with its heading.
    groups: [(&'static str, Vec<Change>); 4],
    same: usize,
    changed: bool,
}

pub(super) async fn two(page: Page, Query(asked): Query<Two>) -> Answer {
    let before = find(&page, asked.before.trim()).await?;
    let after = find(&page, asked.after.trim()).await?;
    let mut reader = page.shared.database.read().await?;
    let found = compare(&mut reader, &before, &after).await?;
    drop(reader);
    let now = page.shared.clock.now();
    let of = |wanted: fn(&Change) -> bool| {
        found.changes.iter().filter(|change| wanted(change)).cloned().collect::<Vec<_>>()
    };
    let values = CompareView {
        before: JobView::new(&before, now),
        after: JobView::new(&after, now),
        groups: [
            ("Got worse", of(Change::is_regression)),
            ("Got better", of(Change::is_progression)),
            ("Measured otherwise", of(Change::is_measurement)),
            ("Otherwise changed", of(Change::is_other)),
        ],
        same: found.same,
        changed: !found.changes.is_empty(),
    };
    let title = format!("Job {} against job {}", after.display_id(), before.display_id());
    page.show("compare.html", "results", &title, values)
}
