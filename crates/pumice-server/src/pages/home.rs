//! The first page: what the lab does now.

use pumice_db::{Condition, DeviceHealth, Order, Page as Part, Statistics, WorkerState};
use pumice_types::{JobState, Verdict};
use serde::Serialize;

use super::{
    context::JobView,
    page::{Answer, Page},
};

/// The lab in numbers.
#[derive(Serialize)]
struct Numbers {
    /// Devices that are not retired.
    devices: u64,
    good: u64,
    bad: u64,
    workers: u64,
    online: u64,
    running: u64,
    waiting: u64,
    complete: u64,
    incomplete: u64,
}

impl From<&Statistics> for Numbers {
    fn from(counted: &Statistics) -> Self {
        let jobs = |wanted: &[JobState]| {
            counted.jobs.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, count)| *count).sum()
        };
        let devices = |health: DeviceHealth| counted.devices.get(health.as_str()).copied().unwrap_or(0);
        Self {
            devices: counted.devices.values().sum::<u64>() - devices(DeviceHealth::Retired),
            good: devices(DeviceHealth::Good),
            bad: devices(DeviceHealth::Bad),
            workers: counted.workers.values().sum(),
            online: counted.workers.get(WorkerState::Online.as_str()).copied().unwrap_or(0),
            running: jobs(&[JobState::Scheduled, JobState::Running, JobState::Cancelling]),
            waiting: jobs(&[JobState::Submitted]),
            complete: jobs(&[JobState::Finished(Verdict::Complete)]),
            incomplete: jobs(&[JobState::Finished(Verdict::Incomplete)]),
        }
    }
}

/// What `home.html` sees.
#[derive(Serialize)]
struct HomeView {
    numbers: Numbers,
    running: Vec<JobView>,
    /// The last that ended.
    lately: Vec<JobView>,
}

/// Jobs of each kind.
const FEW: Part = Part { limit: 10, offset: 0 };

pub(super) async fn home(page: Page) -> Answer {
    let now = page.shared.clock.now();
    let mut reader = page.shared.database.read().await?;
    let numbers = Numbers::from(&reader.statistics().await?);
    let running: Vec<_> =
        Condition::on_jobs("state__in", "Scheduled,Running,Canceling").into_iter().collect();
    let running = reader.jobs(&page.who.viewer, &running, &[], FEW).await?.rows;
    let finished: Vec<_> = Condition::on_jobs("state", "Finished").into_iter().collect();
    let newest: Vec<_> = Order::of_jobs("-end_time").into_iter().collect();
    let lately = reader.jobs(&page.who.viewer, &finished, &newest, FEW).await?.rows;
    drop(reader);
    let values =
        HomeView { numbers, running: JobView::all(&running, now), lately: JobView::all(&lately, now) };
    page.show("home.html", "", "The lab", values)
}
