//! What can be asked of the lab, whichever door the question comes through.

pub(crate) mod artifact_tokens;
pub(crate) mod definition;
pub(crate) mod device_types;
pub(crate) mod devices;
pub(crate) mod jobs;
pub(crate) mod library;
pub(crate) mod needs;
pub(crate) mod permissions;
pub(crate) mod query;
pub(crate) mod render;
pub(crate) mod reservation;
pub(crate) mod split;
pub(crate) mod submission;
pub(crate) mod upload_urls;
pub(crate) mod uploads;
pub(crate) mod workers;

/// The user who submits health checks, as LAVA names it.
pub(crate) const HEALTH_USER: &str = "lava-health";

/// The name under which the server itself acts, as in LAVA's events.
pub(crate) const SERVER: &str = "lavaserver";

use pumice_db::AuditEntry;

use crate::{access::Identity, app::Shared};

/// An entry for the audit log.
pub(crate) fn deed(
    shared: &Shared,
    who: &Identity,
    action: &str,
    kind: &str,
    object: &str,
    message: impl Into<String>,
) -> AuditEntry {
    deed_of(shared, who.name(), action, kind, object, message)
}

/// An entry for the audit log, of somebody by name.
pub(crate) fn deed_of(
    shared: &Shared,
    username: &str,
    action: &str,
    kind: &str,
    object: &str,
    message: impl Into<String>,
) -> AuditEntry {
    AuditEntry {
        at: shared.clock.now(),
        username: username.to_owned(),
        action: action.to_owned(),
        kind: kind.to_owned(),
        object: object.to_owned(),
        message: message.into(),
    }
}

/// Refuses a name that does not fit an address or a file.
pub(crate) fn valid_name(kind: &str, name: &str) -> Result<(), crate::refusal::Refusal> {
    match name.parse::<pumice_types::Name>() {
        Ok(_) => Ok(()),
        Err(error) => Err(crate::refusal::Refusal::Invalid(format!("Bad request: {kind}: {error}"))),
    }
}
