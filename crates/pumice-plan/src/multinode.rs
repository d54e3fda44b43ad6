//! What a node of a MultiNode job does beside its own blocks (lava-compat 1.3 and 5).

use std::{collections::BTreeMap, time::Duration};

use pumice_job::{Action, MultinodeNode, ProtocolRequest};
use pumice_types::{Code, Diagnostic, Diagnostics, nearest};
use serde::Serialize;

use crate::plan::optional_seconds;

/// A request that no runner of this version makes, or that says too little.
const BAD_REQUEST: Code = Code("bad-request");
/// The message by which a role says that those which wait with `lava-start` may begin: `lava-send lava_start` in its
/// tests (lava-compat 5.1).
const START: &str = "lava_start";
/// A request belongs to a step that the block has not.
const NO_SUCH_STEP: Code = Code("no-such-step");

/// Which node of its group a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodePlan {
    /// Its name among the others.
    pub name: String,
    /// Its role.
    pub role: String,
    /// How long one request to the others may take; `None` for as long as the step that makes it.
    #[serde(serialize_with = "optional_seconds", rename = "request_timeout_s")]
    pub request_timeout: Option<Duration>,
}

/// What a step asks of the other nodes before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerRequest {
    /// What is asked.
    pub verb: PeerVerb,
    /// The message's id.
    pub id: String,
    /// What is sent, or what is kept of the answer and under which name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub message: BTreeMap<String, PeerValue>,
    /// How long it may take; `None` for as long as the step.
    #[serde(serialize_with = "optional_seconds", rename = "timeout_s")]
    pub timeout: Option<Duration>,
}

/// What is asked of the other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerVerb {
    /// `lava-send`
    Send,
    /// `lava-wait`
    Wait,
    /// `lava-wait-all`, of one role where one is named.
    WaitAll(Option<String>),
    /// `lava-sync`
    Sync,
}

/// A value in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerValue {
    /// A text.
    Text(String),
    /// `$name`: what a message brought under this name.
    Received(String),
}

/// The requests of a block, by the name of the step that makes them. Those of other protocols are not ours.
pub(crate) fn requests(action: &Action, diagnostics: &mut Diagnostics) -> Vec<(String, PeerRequest)> {
    let own = action.block().protocols.iter().filter(|one| one.protocol.value == "lava-multinode");
    own.filter_map(|one| match request(one) {
        Ok(request) => Some((one.action.value.clone(), request)),
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            None
        }
    })
    .collect()
}

fn request(written: &ProtocolRequest) -> Result<PeerRequest, Box<Diagnostic>> {
    let refused = |span, message: String, help: &str| {
        Box::new(Diagnostic::error(BAD_REQUEST, span, message).help(help.to_owned()))
    };
    let role = written.role.as_ref().map(|role| role.value.clone());
    let verb = match written.request.value.as_str() {
        "lava-send" => PeerVerb::Send,
        "lava-wait" => PeerVerb::Wait,
        "lava-wait-all" => PeerVerb::WaitAll(role),
        "lava-sync" => PeerVerb::Sync,
        "lava-start" => {
            if role.is_none() {
                let help = "say who is waited for: `expect_role: server`";
                return Err(refused(written.span, "`lava-start` needs an `expect_role`".to_owned(), help));
            }
            let timeout = written.timeout.map(|timeout| timeout.duration);
            return Ok(PeerRequest {
                verb: PeerVerb::WaitAll(role),
                id: START.to_owned(),
                message: BTreeMap::new(),
                timeout,
            });
        }
        other => {
            let message = format!("the request `{other}` is not supported yet");
            let help = "there is: lava-send, lava-start, lava-sync, lava-wait, lava-wait-all";
            return Err(refused(written.request.span, message, help));
        }
    };
    let Some(id) = &written.message_id else {
        let message = format!("`{}` needs a `messageID`", written.request.value);
        return Err(refused(written.span, message, "say which message: `messageID: ready`"));
    };
    let value = |text: String| match text.strip_prefix('$') {
        Some(name) => PeerValue::Received(name.to_owned()),
        None => PeerValue::Text(text),
    };
    let message = written.message.iter();
    Ok(PeerRequest {
        verb,
        id: id.value.clone(),
        message: message.map(|entry| (entry.key.clone(), value(entry.value.text()))).collect(),
        timeout: written.timeout.map(|timeout| timeout.duration),
    })
}

/// What a node waits for before its first block, when its role says `request: lava-start`.
pub(crate) fn start_request(node: &MultinodeNode) -> Option<PeerRequest> {
    let connection = node.connection.as_ref()?;
    connection.request.as_ref().filter(|request| request.value == "lava-start")?;
    let role = connection.expect_role.as_ref().unwrap_or(&connection.host_role);
    Some(PeerRequest {
        verb: PeerVerb::WaitAll(Some(role.value.clone())),
        id: START.to_owned(),
        message: BTreeMap::new(),
        timeout: node.timeout.map(|timeout| timeout.duration),
    })
}

/// Says which requests of a block name a step it does not have: the block itself makes those, when it begins.
pub(crate) fn check_steps(action: &Action, steps: &[&str], diagnostics: &mut Diagnostics) {
    for written in &action.block().protocols {
        let name = written.action.value.as_str();
        if written.protocol.value == "lava-multinode" && !steps.contains(&name) {
            let message =
                format!("this block has no step `{name}`: the request is made when the block begins");
            diagnostics.push(
                Diagnostic::warning(NO_SUCH_STEP, written.action.span, message)
                    .help(format!("its steps are: {}", steps.join(", ")))
                    .suggest(nearest(name, steps.iter().copied())),
            );
        }
    }
}
