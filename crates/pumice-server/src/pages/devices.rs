//! Devices and device types.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query},
    response::{IntoResponse, Redirect},
};
use pumice_db::{Condition, DeviceType, Page as Part};
use serde::{Deserialize, Serialize};

use super::{
    context::{ALL, DeedView, DeviceView, JobView, ListingView, part, views},
    page::{Answer, Page},
};
use crate::lab::{
    device_types,
    devices::{self, Described},
};

/// What `devices.html` sees.
#[derive(Serialize)]
struct DevicesView {
    listing: ListingView<DeviceView>,
    filters: BTreeMap<String, String>,
}

pub(super) async fn all(page: Page, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let wanted = part(&pairs);
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    let mut conditions: Vec<_> =
        given.filter_map(|(name, value)| Condition::on_devices(name, value).ok()).collect();
    if !pairs.iter().any(|(name, value)| name == "health" && !value.is_empty()) {
        conditions.push(Condition::not_retired());
    }
    let found =
        page.shared.database.read().await?.devices(&page.who.viewer, &conditions, &[], wanted).await?;
    let listing = ListingView::new(&found, wanted, &pairs, |device| DeviceView::from(device));
    let values = DevicesView { listing, filters: pairs.into_iter().collect() };
    page.show("devices.html", "devices", "Devices", values)
}

/// What `device.html` sees.
#[derive(Serialize)]
struct OneView {
    device: DeviceView,
    tags: Vec<String>,
    /// The last jobs on it.
    jobs: Vec<JobView>,
    history: Vec<DeedView>,
    dictionary: Option<String>,
    may_change: bool,
}

pub(super) async fn one(page: Page, Path(hostname): Path<String>) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let device = page.or_refuse(devices::find(&mut reader, &page.who, &hostname).await)?;
    let conditions: Vec<_> = Condition::on_jobs("actual_device", &hostname).into_iter().collect();
    let jobs = reader.jobs(&page.who.viewer, &conditions, &[], Part { limit: 20, offset: 0 }).await?.rows;
    let values = OneView {
        device: DeviceView::from(&device),
        tags: reader.device_tags(&hostname).await?,
        jobs: JobView::all(&jobs, page.shared.clock.now()),
        history: views(&reader.audit_of("device", &hostname, 20).await?),
        dictionary: reader.dictionary(&hostname).await?,
        may_change: page.who.may_change_device(&mut reader, &hostname, &device.device_type).await?,
    };
    drop(reader);
    page.show("device.html", "devices", &hostname, values)
}

#[derive(Deserialize)]
pub(super) struct NewHealth {
    #[serde(default)]
    csrf: String,
    health: String,
    reason: Option<String>,
}

pub(super) async fn set_health(
    page: Page,
    Path(hostname): Path<String>,
    Form(form): Form<NewHealth>,
) -> Answer {
    page.or_refuse(page.check_csrf(&form.csrf))?;
    let described = Described { health: Some(form.health), reason: form.reason, ..Described::default() };
    page.or_refuse(devices::change(&page.shared, &page.who, &hostname, &described).await)?;
    let there = format!("/scheduler/device/{}", crate::rest::encoded(&hostname));
    Ok(Redirect::to(&there).into_response())
}

/// A device type in the list of all.
#[derive(Serialize)]
struct TypeRow {
    name: String,
    description: Option<String>,
    /// How many devices of it are not retired.
    devices: usize,
    /// How many jobs wait for one.
    waiting: u64,
}

/// What `device_types.html` sees.
#[derive(Serialize)]
struct TypesView {
    rows: Vec<TypeRow>,
}

pub(super) async fn types(page: Page) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let types = reader.device_types(&page.who.viewer, &[], &[], ALL).await?.rows;
    let devices = reader.devices(&page.who.viewer, &[Condition::not_retired()], &[], ALL).await?.rows;
    let queue = reader.statistics().await?.queue;
    drop(reader);
    let row = |kind: DeviceType| TypeRow {
        devices: devices.iter().filter(|device| device.device_type == kind.name).count(),
        waiting: queue.get(&kind.name).copied().unwrap_or(0),
        name: kind.name,
        description: kind.description,
    };
    let rows = types.into_iter().filter(|kind| kind.display).map(row).collect();
    page.show("device_types.html", "types", "Device types", TypesView { rows })
}

/// What `device_type.html` sees.
#[derive(Serialize)]
struct TypeView {
    name: String,
    description: Option<String>,
    aliases: Vec<String>,
    health_check: Option<String>,
    health_disabled: bool,
    health_frequency: i64,
    health_denominator: String,
    template: Option<String>,
}

pub(super) async fn one_type(page: Page, Path(name): Path<String>) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let kind = page.or_refuse(device_types::find(&mut reader, &page.who, &name).await)?;
    let aliases = reader.aliases_of(&name).await?;
    drop(reader);
    let template = device_types::template(&page.shared, &kind);
    let values = TypeView {
        name: kind.name,
        description: kind.description,
        aliases,
        health_check: kind.health_check,
        health_disabled: kind.health_disabled,
        health_frequency: kind.health_frequency,
        health_denominator: kind.health_denominator,
        template,
    };
    page.show("device_type.html", "types", &name, values)
}
