//! The items of `actions` and what they have in common.

use std::time::Duration;

use pumice_types::{Diagnostics, Span, Spanned};

use super::{Fields, boot, deploy, test};
use crate::{Action, Block, Command, Container, ProtocolRequest, RegistryLogin};

/// One item of `actions`; none when it is no block.
pub(super) fn action(node: &pumice_yaml::Node, defects: &mut Diagnostics) -> Option<Action> {
    let item = Fields::of(node, defects)?;
    // A second word in one item is an error of its own; LAVA takes the first.
    let entry =
        item.map.iter().find(|entry| matches!(entry.key.as_str(), "deploy" | "boot" | "test" | "command"))?;
    let fields = Fields::of(&entry.value, defects)?;
    let block = block(fields, entry.key_span, defects);
    match entry.key.as_str() {
        "deploy" => deploy::deploy(fields, block, defects).map(|deploy| Action::Deploy(Box::new(deploy))),
        "boot" => boot::boot(fields, block, defects).map(|boot| Action::Boot(Box::new(boot))),
        "test" => test::test(fields, block, defects).map(|test| Action::Test(Box::new(test))),
        _ => {
            let name = fields.needed("name", defects)?;
            Some(Action::Command(Box::new(Command { block, name })))
        }
    }
}

fn block(fields: Fields<'_>, word_span: Span, defects: &mut Diagnostics) -> Block {
    Block {
        word_span,
        span: fields.span,
        namespace: fields.text("namespace", defects),
        connection_namespace: fields.text("connection-namespace", defects),
        protocols: protocols(fields, defects),
        roles: fields.texts("role", defects),
        timeout: fields.timeout("timeout", defects),
        timeouts: fields.named_timeouts("timeouts", defects),
        inactivity: fields.timeout("inactivity", defects),
        repeat: fields.count("repeat", defects),
        failure_retry: fields.count("failure_retry", defects),
        failure_retry_interval: fields
            .number("failure_retry_interval", defects)
            .map(|seconds| seconds.map(|seconds| Duration::from_secs(seconds.into()))),
    }
}

fn protocols(fields: Fields<'_>, defects: &mut Diagnostics) -> Vec<ProtocolRequest> {
    let mut requests = Vec::new();
    let Some(protocols) = fields.fields("protocols", defects) else { return requests };
    for entry in protocols.map {
        for item in protocols.items(&entry.key, defects) {
            let Some(fields) = Fields::of(item, defects) else { continue };
            let (Some(action), Some(request)) =
                (fields.needed("action", defects), fields.needed("request", defects))
            else {
                continue;
            };
            requests.push(ProtocolRequest {
                protocol: Spanned::new(entry.key.clone(), entry.key_span),
                action,
                request,
                message_id: fields.text("messageID", defects),
                message: fields
                    .fields("message", defects)
                    .map(|fields| fields.map.clone())
                    .unwrap_or_default(),
                role: fields.text("role", defects).or_else(|| fields.text("expect_role", defects)),
                timeout: fields.timeout("timeout", defects),
                span: fields.span,
            });
        }
    }
    requests
}

/// A container, its image under `key` or, in the other blocks' way, `image` or `name`.
pub(super) fn container(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Container> {
    let key = if fields.get("image").is_some() { "image" } else { "name" };
    Some(Container {
        image: fields.needed(key, defects)?,
        local: fields.flag("local", false),
        container_name: fields.text("container_name", defects),
        network_from: fields.text("network_from", defects),
        login: fields.fields("login", defects).and_then(|fields| login(fields, defects)),
        binary: fields.text("binary", defects),
        devices: fields.texts("devices", defects),
        span: fields.span,
    })
}

fn login(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<RegistryLogin> {
    Some(RegistryLogin {
        registry: fields.needed("registry", defects)?,
        user: fields.needed("user", defects)?,
        password: fields.needed("password", defects)?,
    })
}
