//! `protocols.lava-multinode`.

use pumice_types::{Diagnostics, Spanned};

use super::Fields;
use crate::{DynamicConnection, Multinode, Role, RoleKind};

pub(super) fn multinode(fields: Fields<'_>, defects: &mut Diagnostics) -> Multinode {
    let mut roles = Vec::new();
    if let Some(named) = fields.fields("roles", defects) {
        for entry in named.map {
            let name = Spanned::new(entry.key.clone(), entry.key_span);
            roles.extend(Fields::of(&entry.value, defects).and_then(|fields| role(name, fields, defects)));
        }
    }
    Multinode { timeout: fields.timeout("timeout", defects), roles, span: fields.span }
}

fn role(name: Spanned<String>, fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Role> {
    let kind = if let Some(connection) = fields.text("connection", defects) {
        RoleKind::Connection(DynamicConnection {
            connection,
            host_role: fields.needed("host_role", defects)?,
            expect_role: fields.text("expect_role", defects),
            request: fields.text("request", defects),
        })
    } else {
        RoleKind::Device {
            device_type: fields.needed("device_type", defects)?,
            device: fields.text("device", defects),
            worker: fields.text("worker", defects),
        }
    };
    let count = fields.number("count", defects).unwrap_or_else(|| Spanned::new(1, fields.span));
    let context = fields.fields("context", defects).map(|fields| fields.map.clone()).unwrap_or_default();
    let environment = fields.fields("environment", defects).map(|fields| fields.map.clone());
    Some(Role {
        name,
        count,
        kind,
        context,
        tags: fields.texts("tags", defects),
        environment,
        essential: fields.flag("essential", false),
        timeout: fields.timeout("timeout", defects),
        span: fields.span,
    })
}
