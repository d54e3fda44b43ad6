//! Devices and device types.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query},
    response::{IntoResponse, Redirect},
};
use pumice_db::{Condition, Page as Part};
use serde::Deserialize;
use serde_json::json;

use super::{
    context::{self as shown, listing, part},
    page::{Answer, Page},
};
use crate::lab::{
    device_types,
    devices::{self, Described},
};

/// Every row at once.
const ALL: Part = Part { limit: 1 << 31, offset: 0 };

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
    let filters: BTreeMap<_, _> = pairs.iter().cloned().collect();
    let values = json!({ "listing": listing(&found, wanted, &pairs, shown::device), "filters": filters });
    page.show("devices.html", "devices", "Devices", values)
}

pub(super) async fn one(page: Page, Path(hostname): Path<String>) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let device = match devices::find(&mut reader, &page.who, &hostname).await {
        Ok(device) => device,
        Err(refusal) => {
            drop(reader);
            return Err(page.refuse(refusal));
        }
    };
    let now = page.shared.clock.now();
    let conditions: Vec<_> = Condition::on_jobs("actual_device", &hostname).into_iter().collect();
    let jobs = reader.jobs(&page.who.viewer, &conditions, &[], Part { limit: 20, offset: 0 }).await?.rows;
    let history = reader.audit_of("device", &hostname, 20).await?;
    let values = json!({ "device": shown::device(&device), "tags": reader.device_tags(&hostname).await?, "jobs": jobs.iter().map(|job| shown::job(job, now)).collect::<Vec<_>>(), "history": history.iter().map(shown::deed).collect::<Vec<_>>(), "dictionary": reader.dictionary(&hostname).await?, "may_change": page.who.may_change_device(&mut reader, &hostname, &device.device_type).await? });
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
    let done = async {
        page.check_csrf(&form.csrf)?;
        let described = Described { health: Some(form.health), reason: form.reason, ..Described::default() };
        devices::change(&page.shared, &page.who, &hostname, &described).await
    };
    let done = done.await;
    let there = format!("/scheduler/device/{}", crate::rest::encoded(&hostname));
    done.map(|()| Redirect::to(&there).into_response()).map_err(|refusal| page.refuse(refusal))
}

pub(super) async fn types(page: Page) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let types = reader.device_types(&page.who.viewer, &[], &[], ALL).await?.rows;
    let devices = reader.devices(&page.who.viewer, &[Condition::not_retired()], &[], ALL).await?.rows;
    let queue = reader.statistics().await?.queue;
    drop(reader);
    let row = |kind: &pumice_db::DeviceType| json!({ "name": kind.name, "description": kind.description, "devices": devices.iter().filter(|device| device.device_type == kind.name).count(), "waiting": queue.get(&kind.name).copied().unwrap_or(0) });
    let rows: Vec<_> = types.iter().filter(|kind| kind.display).map(row).collect();
    page.show("device_types.html", "types", "Device types", json!({ "rows": rows }))
}

pub(super) async fn one_type(page: Page, Path(name): Path<String>) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let kind = match device_types::find(&mut reader, &page.who, &name).await {
        Ok(kind) => kind,
        Err(refusal) => {
            drop(reader);
            return Err(page.refuse(refusal));
        }
    };
    let aliases = reader.aliases_of(&name).await?;
    drop(reader);
    let values = json!({ "kind": json!({ "name": kind.name, "description": kind.description, "health_check": kind.health_check, "health_disabled": kind.health_disabled, "health_frequency": kind.health_frequency, "health_denominator": kind.health_denominator }), "aliases": aliases, "template": device_types::template(&page.shared, &kind) });
    page.show("device_type.html", "types", &name, values)
}
