//! The keys of the whole definition.

use pumice_types::{Diagnostics, Span, Spanned};
use pumice_yaml::{Map, Node, Value};

use super::{Fields, blocks, integer, multinode, notify};
use crate::{Job, Priority, Secrets, Timeout, Timeouts, Variable, Visibility};

pub(super) fn job(map: &Map, span: Span, is_assigned: bool) -> Job {
    let mut found = Diagnostics::new();
    let defects = &mut found;
    let fields = Fields { map, span };
    let mapping = |key: &str| fields.get(key).and_then(Node::as_map).cloned().unwrap_or_default();
    let nothing = || Spanned::new(String::new(), Span { end: span.start, ..span });
    let actions = fields.items("actions", defects);
    let mut job = Job {
        name: fields.text("job_name", defects).unwrap_or_else(nothing),
        device_type: fields.text("device_type", defects),
        device: fields.text("device", defects),
        worker: fields.text("worker", defects),
        timeouts: timeouts(fields, defects),
        priority: fields.get("priority").and_then(priority).unwrap_or_default(),
        visibility: fields.get("visibility").map(|node| visibility(node, defects)).unwrap_or_default(),
        context: mapping("context"),
        metadata: mapping("metadata"),
        environment: environment(&mapping("environment")),
        secrets: secrets(&mapping("secrets")),
        notify: fields.fields("notify", defects).and_then(|fields| notify::notify(fields, defects)),
        tags: fields.texts("tags", defects),
        multinode: None,
        node: None,
        actions: actions.iter().filter_map(|item| blocks::action(item, defects)).collect(),
        defects: Diagnostics::new(),
        span,
    };
    if let Some(protocols) = fields.fields("protocols", defects) {
        let fields = protocols.fields("lava-multinode", defects);
        if is_assigned {
            job.node = fields.and_then(|fields| multinode::node(fields, defects));
        } else {
            job.multinode = fields.map(|fields| multinode::multinode(fields, defects));
        }
    }
    job.defects = found;
    job
}

fn timeouts(fields: Fields<'_>, defects: &mut Diagnostics) -> Timeouts {
    let unset = |span| Timeout { duration: Timeout::UNSET, skip: false, soft: false, span };
    let Some(fields) = fields.fields("timeouts", defects) else {
        return Timeouts {
            job: unset(fields.span),
            action: None,
            connection: None,
            queue: None,
            cleanup: None,
            hold: None,
            inactivity: None,
            actions: Vec::new(),
            connections: Vec::new(),
        };
    };
    Timeouts {
        job: fields.timeout("job", defects).unwrap_or_else(|| unset(fields.span)),
        action: fields.timeout("action", defects),
        connection: fields.timeout("connection", defects),
        queue: fields.timeout("queue", defects),
        cleanup: fields.timeout("cleanup", defects),
        hold: fields.timeout("hold", defects),
        inactivity: fields.timeout("inactivity", defects),
        actions: fields.named_timeouts("actions", defects),
        connections: fields.named_timeouts("connections", defects),
    }
}

fn priority(node: &Node) -> Option<Priority> {
    match node.as_str() {
        Some("low") => Some(Priority::LOW),
        Some("medium") => Some(Priority::MEDIUM),
        Some("high") => Some(Priority::HIGH),
        Some(_) => None,
        // A lab keeps it within the range.
        None => integer(node).and_then(|number| u8::try_from(number.clamp(0, 100)).ok()).map(Priority),
    }
}

fn visibility(node: &Node, defects: &mut Diagnostics) -> Visibility {
    match &node.value {
        Value::String(word) if word == "personal" => Visibility::Personal,
        Value::Map(map) => Visibility::Groups(Fields { map, span: node.span }.texts("group", defects)),
        _ => Visibility::Public,
    }
}

/// LAVA writes booleans as 1 and 0 (lava-compat 4.5).
pub(crate) fn environment(map: &Map) -> Vec<Variable> {
    let text = |node: &Node| match node.value {
        Value::Bool(value) => u8::from(value).to_string(),
        _ => node.text(),
    };
    let variable = |entry: &pumice_yaml::Entry| Variable {
        name: Spanned::new(entry.key.clone(), entry.key_span),
        value: Spanned::new(text(&entry.value), entry.value.span),
    };
    map.iter().map(variable).collect()
}

fn secrets(map: &Map) -> Secrets {
    let secret =
        |entry: &pumice_yaml::Entry| (Spanned::new(entry.key.clone(), entry.key_span), entry.value.clone());
    Secrets::new(map.iter().map(secret).collect())
}
