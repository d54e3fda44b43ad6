//! Requests of `protocols` in a job, and the `$` variables in them (lava-compat 1.3).

use std::{collections::BTreeMap, time::Duration};

use pumice_job::MessageRequest;
use pumice_multinode::{Messages, Request, Values};
use pumice_plan::{PeerRequest, PeerValue, PeerVerb};
use pumice_types::{Cause, Deadline, Failure};

use super::Peers;

/// Reads a message of an interactive script: `lava-send: "ID KEY=VALUE"`, `lava-wait-all: "ID role=ROLE"`
/// (lava-compat 1.7).
pub(crate) fn read(message: &MessageRequest) -> Result<Request, Failure> {
    let (MessageRequest::Send(text)
    | MessageRequest::Wait(text)
    | MessageRequest::WaitAll(text)
    | MessageRequest::Sync(text)) = message;
    let refused = |what: &str| {
        Failure::new(Cause::InvalidDefinition, format!("`{}` is no message: {what}", text.value))
    };
    let mut words = text.value.split_whitespace();
    let Some(id) = words.next().map(str::to_owned) else { return Err(refused("it has no id")) };
    let pairs = words.map(|word| {
        let (key, value) = word.split_once('=').ok_or_else(|| refused("its data must be KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    });
    let mut values = pairs.collect::<Result<Values, Failure>>()?;
    Ok(match message {
        MessageRequest::Send(_) => Request::Send { id, values },
        MessageRequest::Wait(_) => Request::Wait { id },
        MessageRequest::WaitAll(_) => Request::WaitAll { id, role: values.remove("role") },
        MessageRequest::Sync(_) => Request::Sync { id },
    })
}

/// Makes a request of the job, and keeps what it asks to keep of the answer.
pub(crate) async fn make(
    peers: &Peers,
    wanted: &PeerRequest,
    limit: Option<Duration>,
    deadline: &Deadline,
) -> Result<String, Failure> {
    let id = wanted.id.clone();
    let request = match &wanted.verb {
        PeerVerb::Send => Request::Send { id, values: filled_in(peers, &wanted.message)? },
        PeerVerb::Wait => Request::Wait { id },
        PeerVerb::WaitAll(role) => Request::WaitAll { id, role: role.clone() },
        PeerVerb::Sync => Request::Sync { id },
    };
    let shown = request.to_string();
    let is_wait = matches!(request, Request::Wait { .. } | Request::WaitAll { .. });
    let messages = peers.exchange(request, wanted.timeout.or(limit), deadline).await?;
    if is_wait {
        keep(peers, &shown, &wanted.message, &messages)?;
    }
    Ok(shown)
}

/// The data of a message that is sent, every `$name` replaced by what was received under that name.
fn filled_in(peers: &Peers, message: &BTreeMap<String, PeerValue>) -> Result<Values, Failure> {
    let fill = |(key, value): (&String, &PeerValue)| match value {
        PeerValue::Text(text) => Ok((key.clone(), text.clone())),
        PeerValue::Received(name) => {
            peers.received(name).map(|value| (key.clone(), value)).ok_or_else(|| {
                let message = format!("`${name}` is to be sent, and no message has brought it yet");
                Failure::new(Cause::InvalidDefinition, message)
                    .hint("put the `lava-wait` whose `message` names it into a block before this one")
            })
        }
    };
    message.iter().map(fill).collect()
}

/// Keeps `name: $key` of a wait: what any node sent under `key` is known as `name` from here on.
fn keep(
    peers: &Peers,
    shown: &str,
    wanted: &BTreeMap<String, PeerValue>,
    messages: &Messages,
) -> Result<(), Failure> {
    for (name, value) in wanted {
        let PeerValue::Received(key) = value else { continue };
        let Some(found) = messages.values().find_map(|values| values.get(key)) else {
            let message = format!("the message of `{shown}` brought no `{key}`");
            return Err(Failure::new(Cause::SignalInvalid, message)
                .hint(format!("let the other node send it: `lava-send {} {key}=VALUE`", shown_id(shown))));
        };
        peers.receive(name.clone(), found.clone());
    }
    Ok(())
}

/// The message's id in `lava-wait ID`.
fn shown_id(shown: &str) -> &str {
    shown.split(' ').nth(1).unwrap_or_default()
}
