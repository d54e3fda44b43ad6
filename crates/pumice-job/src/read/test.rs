//! `test` blocks.

use std::time::Duration;

use pumice_types::{Diagnostic, Diagnostics, Spanned};
use pumice_yaml::{Node, Value};

use super::{Fields, blocks, defect, deploy, text};
use crate::{
    Block, Condition, ConditionFault, Definition, DefinitionSource, Install, Interactive, MessageRequest,
    Monitor, ScriptCommand, ScriptStep, Service, SignalChannel, Test, TestContainer, TestKind,
    codes::UNUSABLE,
};

pub(super) fn test(fields: Fields<'_>, block: Block, defects: &mut Diagnostics) -> Option<Test> {
    let kind = if fields.get("definitions").is_some() {
        TestKind::Definitions {
            definitions: each(fields, "definitions", defects, definition),
            container: container(fields, defects)?,
        }
    } else if fields.get("monitors").is_some() {
        TestKind::Monitors(each(fields, "monitors", defects, monitor))
    } else if fields.get("interactive").is_some() {
        TestKind::Interactive(each(fields, "interactive", defects, interactive))
    } else if fields.get("services").is_some() {
        TestKind::Services(each(fields, "services", defects, service))
    } else if fields.get("commands").is_some() {
        TestKind::Commands(fields.texts("commands", defects))
    } else {
        let message = "the test block says nothing to test";
        defects.push(Diagnostic::error(UNUSABLE, fields.span, message));
        return None;
    };
    Some(Test { block, kind, fields: fields.map.clone() })
}

/// Every item under `key` that can be read.
fn each<T>(
    fields: Fields<'_>,
    key: &str,
    defects: &mut Diagnostics,
    read: fn(Fields<'_>, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let read = |item| read(Fields::of(item, defects)?, defects);
    let mut scratch = Diagnostics::new();
    let items: Vec<T> = fields.items(key, &mut scratch).iter().filter_map(read).collect();
    defects.extend(scratch);
    items
}

/// The container of a definitions block. The outer `None` when it is there and unusable, so that tests for a
/// container never run on the DUT.
#[expect(clippy::option_option, reason = "not asked for, unusable and usable are three cases")]
fn container(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Option<Box<TestContainer>>> {
    let Some(node) = fields.get("docker") else { return Some(None) };
    let container = blocks::container(Fields::of(node, defects)?, defects)?;
    Some(Some(Box::new(TestContainer {
        container,
        downloads_namespace: fields.text("downloads-namespace", defects),
        disconnect_connection: fields.flag("disconnect_connection", false),
    })))
}

fn definition(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Definition> {
    const PARTS: [(&str, Install); 6] = [
        ("keys", Install::Keys),
        ("sources", Install::Sources),
        ("deps", Install::Deps),
        ("steps", Install::Steps),
        ("git-repos", Install::GitRepos),
        ("all", Install::All),
    ];
    let parameters = if fields.get("parameters").is_some() { "parameters" } else { "params" };
    let mut skip_install = Vec::new();
    for item in fields.items("skip_install", defects) {
        let part = item.as_str().and_then(|word| PARTS.iter().find(|(name, _)| *name == word));
        match part {
            Some((_, part)) => skip_install.push(Spanned::new(*part, item.span)),
            None => defect(defects, item, "`keys`, `sources`, `deps`, `steps`, `git-repos` or `all`"),
        }
    }
    Some(Definition {
        name: fields.needed("name", defects)?,
        from: source(fields, defects)?,
        path: fields.needed("path", defects)?,
        parameters: fields.variables(parameters, defects),
        skip_install,
        lava_signal: fields.word(
            "lava-signal",
            &[("kmsg", SignalChannel::Kmsg), ("stdout", SignalChannel::Stdout)],
            defects,
        ),
        expected: expected(fields, defects),
        timeout: fields.timeout("timeout", defects),
        span: fields.span,
    })
}

fn source(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<DefinitionSource> {
    let from = fields.needed("from", defects)?;
    match from.value.as_str() {
        "git" => Some(DefinitionSource::Git {
            repository: fields.needed("repository", defects)?,
            branch: fields.text("branch", defects),
            revision: fields.text("revision", defects),
            history: fields.flag("history", true),
            shallow: fields.spanned_flag("shallow"),
            recursive: fields.flag("recursive", false),
        }),
        "url" => Some(DefinitionSource::Url {
            repository: fields.needed("repository", defects)?,
            compression: deploy::compression(fields, defects),
            strip_components: fields.number("strip-components", defects).map_or(0, |number| number.value),
            headers: fields.variables("headers", defects),
        }),
        "inline" => {
            let node = fields.get("repository")?;
            if node.as_map().is_none() {
                defect(defects, node, "the test definition itself");
                return None;
            }
            Some(DefinitionSource::Inline(node.clone()))
        }
        other => {
            let message = format!("test definitions do not come from `{other}`");
            let diagnostic = Diagnostic::error(UNUSABLE, from.span, message);
            defects.push(diagnostic.label("expected `git`, `url` or `inline`"));
            None
        }
    }
}

fn expected(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    fields.get("expected").map(|_| fields.texts("expected", defects))
}

fn monitor(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Monitor> {
    Some(Monitor {
        name: fields.needed("name", defects)?,
        start: fields.needed("start", defects)?,
        end: fields.needed("end", defects)?,
        pattern: fields.needed("pattern", defects)?,
        fixups: fields.variables("fixupdict", defects),
        expected: expected(fields, defects),
        span: fields.span,
    })
}

fn interactive(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Interactive> {
    Some(Interactive {
        name: fields.needed("name", defects)?,
        prompts: fields.texts("prompts", defects),
        discards_echo: fields.get("echo").and_then(Node::as_str) == Some("discard"),
        script: each(fields, "script", defects, step),
        expected: expected(fields, defects),
        span: fields.span,
    })
}

/// Makes a request of its text.
type Request = fn(Spanned<String>) -> MessageRequest;

fn step(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<ScriptStep> {
    if let Some(node) = fields.get("delay") {
        let seconds = node.as_f64().filter(|seconds| (0.0..=86_400.0).contains(seconds));
        if seconds.is_none() {
            defect(defects, node, "a number of seconds");
        }
        return seconds
            .map(|seconds| ScriptStep::Delay(Spanned::new(Duration::from_secs_f64(seconds), node.span)));
    }
    let requests: [(&str, Request); 4] = [
        ("lava-send", MessageRequest::Send),
        ("lava-wait", MessageRequest::Wait),
        ("lava-wait-all", MessageRequest::WaitAll),
        ("lava-sync", MessageRequest::Sync),
    ];
    for (key, request) in requests {
        if fields.get(key).is_some() {
            return fields.text(key, defects).map(|text| ScriptStep::Message(request(text)));
        }
    }
    let Some(node) = fields.map.get("command") else {
        let message = "the step has neither `command` nor `delay` nor a request to other nodes";
        defects.push(Diagnostic::error(UNUSABLE, fields.span, message));
        return None;
    };
    let command = if matches!(node.value, Value::Null) { None } else { Some(text(node, defects)?) };
    Some(ScriptStep::Command(Box::new(ScriptCommand {
        command,
        name: fields.text("name", defects),
        successes: each(fields, "successes", defects, condition),
        failures: each(fields, "failures", defects, condition),
        waits_for_prompt: fields.flag("wait_for_prompt", true),
        span: fields.span,
    })))
}

fn condition(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Condition> {
    const FAULTS: [(&str, ConditionFault); 3] = [
        ("InfrastructureError", ConditionFault::Infrastructure),
        ("JobError", ConditionFault::Job),
        ("TestError", ConditionFault::Test),
    ];
    Some(Condition {
        message: fields.needed("message", defects)?,
        fault: fields.word("exception", &FAULTS, defects),
        error: fields.text("error", defects),
    })
}

fn service(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Service> {
    Some(Service {
        name: fields.needed("name", defects)?,
        from: source(fields, defects)?,
        path: fields.needed("path", defects)?,
        service: fields.text("service", defects),
        span: fields.span,
    })
}
