//! Delivering callbacks, again when it fails.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pumice_db::{Callback, CallbackState};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use super::{address, mail, payload};
use crate::{
    app::Shared,
    refusal::{Refusal, with_sources},
};

/// How often a callback is tried.
const ATTEMPTS: i64 = 8;

/// The pause after the first failure; each further one is twice as long, up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// Callbacks looked at in one round.
const ROUND: u64 = 32;

/// Delivers callbacks until the server goes down.
pub(crate) fn spawn_delivery(shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let pause = match deliver_due(&shared).await {
                Ok(pause) => pause,
                Err(refusal) => {
                    refusal.log();
                    FIRST_PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shared.callbacks_wait.notified() => {}
                () = shared.stopping() => return,
            }
        }
    })
}

/// Tries those that are due; answers when the next one is.
async fn deliver_due(shared: &Arc<Shared>) -> Result<Duration, Refusal> {
    let waiting = shared.database.read().await?.waiting_callbacks(ROUND).await?;
    let now = shared.clock.now();
    let mut next = Duration::from_secs(3600);
    for callback in waiting {
        if callback.next_attempt > now {
            next = next.min(callback.next_attempt.since(now));
            continue;
        }
        let outcome = deliver(shared, &callback).await;
        let attempts = callback.attempts + 1;
        let pause = pause_after(attempts);
        let (state, error) = match outcome {
            Ok(()) => (CallbackState::Delivered, None),
            Err(Trouble::Final(error)) => (CallbackState::GivenUp, Some(error)),
            Err(Trouble::Passing(error)) if attempts >= ATTEMPTS => (CallbackState::GivenUp, Some(error)),
            Err(Trouble::Passing(error)) => (CallbackState::Waiting, Some(error)),
        };
        if let Some(error) = &error {
            tracing::warn!(job.id = callback.what.job_id.0, error, attempts, "a callback was not delivered");
        }
        if state == CallbackState::Waiting {
            next = next.min(pause);
        }
        let mut writer = shared.database.write().await?;
        writer.note_callback(callback.id, state, error.as_deref(), shared.clock.now().after(pause)).await?;
        writer.commit().await?;
    }
    Ok(next)
}

fn pause_after(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(10);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(Duration::from_secs(3600))
}

enum Trouble {
    /// Trying again may help.
    Passing(String),
    /// It will not.
    Final(String),
}

async fn deliver(shared: &Arc<Shared>, callback: &Callback) -> Result<(), Trouble> {
    let what = callback.what.clone();
    let job = async { shared.database.read().await?.job(what.job_id).await }.await;
    let job = job.map_err(|error| Trouble::Passing(with_sources(&error)))?;
    let Some(job) = job else { return Err(Trouble::Final("the job is gone".to_owned())) };
    if what.method == mail::METHOD {
        let mail = mail::text(shared, &job, &what).await;
        let mail = mail.map_err(|refusal| Trouble::Passing(refusal.to_string()))?;
        let sent = mail::send(shared.config.mail.as_ref(), &what.url, &mail).await;
        return sent.map_err(|error| Trouble::Passing(format!("mail to `{}`: {error}", what.url)));
    }
    let mut what = what;
    if let Some(sealed) = what.header_value.take() {
        let opened = shared.key.unseal(&sealed);
        let lost = || Trouble::Final("its token was sealed with another server's key".to_owned());
        what.header_value = Some(opened.ok_or_else(lost)?);
    }
    let token = what.header_value.as_deref();
    let fields = payload::payload(shared, &job, &what.dataset, token).await;
    let fields = fields.map_err(|refusal| Trouble::Passing(refusal.to_string()))?;
    let settings = (
        shared.config.callback_hosts.clone(),
        shared.config.private_callbacks,
        shared.config.callback_timeout,
    );
    let sent = tokio::task::spawn_blocking(move || {
        let (hosts, private, timeout) = settings;
        let addresses = address::check(&what.url, &hosts, private).map_err(|error| match error {
            address::AddressError::Unknown(_) => Trouble::Passing(error.to_string()),
            other => Trouble::Final(other.to_string()),
        })?;
        send(&what, &fields, addresses, timeout)
    });
    sent.await.map_err(|error| Trouble::Passing(error.to_string()))?
}

/// Goes exactly to the addresses that were checked: what a name means may change between two look-ups.
#[derive(Debug)]
struct Checked(Vec<SocketAddr>);

impl ureq::unversioned::resolver::Resolver for Checked {
    fn resolve(
        &self,
        _uri: &ureq::http::Uri,
        _config: &ureq::config::Config,
        _timeout: ureq::unversioned::transport::NextTimeout,
    ) -> Result<ureq::unversioned::resolver::ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        for address in self.0.iter().take(16) {
            found.push(*address);
        }
        Ok(found)
    }
}

fn send(
    what: &pumice_db::NewCallback,
    fields: &Map<String, Value>,
    addresses: Vec<SocketAddr>,
    timeout: Duration,
) -> Result<(), Trouble> {
    let config = ureq::Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).build();
    let connector = ureq::unversioned::transport::DefaultConnector::default();
    let agent = ureq::Agent::with_parts(config, connector, Checked(addresses));
    let header = what.header_value.as_deref().map(|value| (what.header_name.as_str(), value));
    let sent = if what.method == "POST" {
        let request = header
            .into_iter()
            .fold(agent.post(&what.url), |request, (name, value)| request.header(name, value));
        if what.content_type == "json" {
            let body = Value::Object(fields.clone()).to_string();
            request.header("Content-Type", "application/json").send(body.as_bytes())
        } else {
            // What is not there does not travel: so does LAVA's client.
            let known = fields.iter().filter(|(_, value)| !value.is_null());
            let pairs: Vec<_> = known.map(|(name, value)| (name.as_str(), form_text(value))).collect();
            request.send_form(pairs)
        }
    } else {
        header
            .into_iter()
            .fold(agent.get(&what.url), |request, (name, value)| request.header(name, value))
            .call()
    };
    match sent {
        Ok(_) => Ok(()),
        Err(ureq::Error::StatusCode(status)) if (400..500).contains(&status) && status != 429 => {
            Err(Trouble::Final(format!("`{}` answered {status}", what.url)))
        }
        Err(error) => Err(Trouble::Passing(format!("`{}`: {error}", what.url))),
    }
}

/// A value in a form, as Python's `str()` would have it where it is simple.
fn form_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<_> = [1, 2, 3, 7, 30].map(|attempts| pause_after(attempts).as_secs()).into();
        assert_eq!(pauses, [10, 20, 40, 640, 3600]);
    }
}
