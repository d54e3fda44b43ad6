//! About the server: version, who asks, events, the audit log.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Who},
    list::ListQuery,
    routes::PREFIX,
};
use crate::{LAVA_VERSION, app::Shared, refusal::Refusal};

/// The longest wait for an event.
const LONGEST_WAIT: u64 = 60;

pub(super) async fn index(query: ListQuery) -> Json<Value> {
    let at = |name: &str| format!("{}{PREFIX}/system/{name}/", query.base());
    Json(json!({
        "version": at("version"), "whoami": at("whoami"), "master_config": at("master_config"),
    }))
}

pub(super) async fn version() -> Json<Value> {
    Json(json!({"version": LAVA_VERSION, "pumice": env!("CARGO_PKG_VERSION")}))
}

pub(super) async fn whoami(who: Who) -> Json<Value> {
    Json(json!({"user": who.user.as_ref().map_or("", |user| user.username.as_str())}))
}

pub(super) async fn master_config() -> Json<Value> {
    Json(json!({
        "EVENT_SOCKET": "", "EVENT_TOPIC": "org.lavasoftware", "EVENT_NOTIFICATION": true, "LOG_SIZE_LIMIT": 0,
    }))
}

/// What happened after the place `after`, at most after `wait` seconds. Without `after`: from now on.
pub(super) async fn events(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let number = |name: &str| match query.get(name) {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse::<u64>().map(Some).map_err(|_| Refusal::Invalid(format!("`{name}` must be a number")))
        }
    };
    let mut newest = shared.events.subscribe();
    let begin = *newest.borrow_and_update();
    // A place beyond the newest is from before the server was started again: everything that is kept is new.
    let after = number("after")?.map_or(begin, |after| if after > begin { 0 } else { after });
    let wait = Duration::from_secs(number("wait")?.unwrap_or(0).min(LONGEST_WAIT));
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        let last = *newest.borrow_and_update();
        let events = shared.events.after(after);
        let seen: Vec<_> =
            events.iter().filter(|event| event.is_for(&who.viewer)).map(|event| event.frame()).collect();
        if !seen.is_empty() || tokio::time::Instant::now() >= deadline {
            return Ok(Json(json!({"next": last, "events": seen})));
        }
        tokio::select! {
            changed = newest.changed() => {
                if changed.is_err() {
                    return Ok(Json(json!({"next": last, "events": []})));
                }
            }
            () = tokio::time::sleep_until(deadline) => {}
            () = shared.stopping() => return Ok(Json(json!({"next": last, "events": []}))),
        }
    }
}

pub(super) async fn audit(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    who.needs("admin.view_logentry")?;
    let mut reader = shared.database.read().await?;
    let limit = query.page().limit;
    let entries = match (query.get("kind"), query.get("object")) {
        (Some(kind), Some(object)) => reader.audit_of(kind, object, limit).await?,
        _ => reader.audit(limit).await?,
    };
    let one = |entry: &pumice_db::AuditEntry| {
        json!({
            "at": entry.at.rest(), "username": entry.username, "action": entry.action, "kind": entry.kind,
            "object": entry.object, "message": entry.message,
        })
    };
    Ok(Json(entries.iter().map(one).collect()))
}
