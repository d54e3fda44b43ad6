//! `protocols.lava-multinode`.

use pumice_types::{Diagnostics, Spanned};

use super::Fields;
use crate::{DynamicConnection, Member, Multinode, MultinodeNode, Role, RoleKind};

pub(super) fn multinode(fields: Fields<'_>, defects: &mut Diagnostics) -> Multinode {
    let mut roles = Vec::new();
    if let Some(named) = fields.fields("roles", defects) {
        for entry in named.map {
            let name = Spanned::new(entry.key.clone(), entry.key_span);
            roles.extend(Fields::of(&entry.value, defects).map(|fields| role(name, fields, defects)));
        }
    }
    Multinode { timeout: fields.timeout("timeout", defects), roles, span: fields.span }
}

/// Which node an assigned job is: `roles` then maps the number of each job to its role (lava-compat 5.1). `None` for
/// a job that is not split.
pub(super) fn node(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<MultinodeNode> {
    let group = fields.get("target_group")?.scalar_text()?;
    let role = fields.needed("role", defects)?.value;
    let mut members: Vec<Member> = Vec::new();
    for entry in fields.fields("roles", defects).iter().flat_map(|roles| roles.map) {
        if let Some(role) = entry.value.scalar_text() {
            members.push(Member { name: entry.key.clone(), role });
        }
    }
    Some(MultinodeNode {
        name: String::new(),
        role,
        members,
        group: Some(group),
        essential: fields.flag("essential", false),
        timeout: fields.timeout("timeout", defects),
        connection: connection(fields, defects),
    })
}

/// What a role, or a node of one, says when it is a connection to another role's machine.
fn connection(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<DynamicConnection> {
    Some(DynamicConnection {
        connection: fields.text("connection", defects)?,
        host_role: fields.needed("host_role", defects).unwrap_or_else(|| nothing(fields)),
        expect_role: fields.text("expect_role", defects),
        request: fields.text("request", defects),
    })
}

/// What stands for a text that is missing.
fn nothing(fields: Fields<'_>) -> Spanned<String> {
    Spanned::new(String::new(), fields.span)
}

/// A role is kept when something is missing in it: blocks refer to it.
fn role(name: Spanned<String>, fields: Fields<'_>, defects: &mut Diagnostics) -> Role {
    let kind = match connection(fields, defects) {
        Some(connection) => RoleKind::Connection(connection),
        None => RoleKind::Device {
            device_type: fields.needed("device_type", defects).unwrap_or_else(|| nothing(fields)),
            device: fields.text("device", defects),
            worker: fields.text("worker", defects),
        },
    };
    let count = fields.number("count", defects).unwrap_or_else(|| Spanned::new(1, fields.span));
    let context = fields.fields("context", defects).map(|fields| fields.map.clone()).unwrap_or_default();
    let environment = fields.fields("environment", defects).map(|fields| fields.map.clone());
    Role {
        name,
        count,
        kind,
        context,
        tags: fields.texts("tags", defects),
        environment,
        essential: fields.flag("essential", false),
        timeout: fields.timeout("timeout", defects),
        span: fields.span,
    }
}
