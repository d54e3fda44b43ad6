//! A machine for a person: a job that deploys, boots, and holds still until its time is over.

use pumice_api::people::Reservation;
use serde_json::{Map, Value, json};

use crate::{app::Shared, refusal::Refusal, yaml};

/// The longest time a machine is reserved for, in seconds: a week.
const LONGEST_SECONDS: u64 = 7 * 24 * 3600;

/// The definition of such a job. What is booted comes from the definition that is given, else from the health check of the device
/// type: in every lab that is what is known to boot. With neither only the device and its seats are held.
pub(crate) async fn reservation(shared: &Shared, wanted: &Reservation) -> Result<String, Refusal> {
    if wanted.seconds == 0 || wanted.seconds > LONGEST_SECONDS {
        return Err(Refusal::Invalid("a machine is reserved for a second to a week".to_owned()));
    }
    let model = shared.config.models.get(&wanted.model).ok();
    let device_type = model.map_or(wanted.model.as_str(), |model| model.platform.as_str());
    let text = match &wanted.definition {
        Some(text) => Some(text.clone()),
        None => health_check(shared, device_type).await?,
    };
    let mut job = match text.as_deref().map(yaml::read) {
        Some(Some(Value::Object(job))) => job,
        Some(_) => return Err(Refusal::Invalid("the definition cannot be read".to_owned())),
        None => Map::new(),
    };
    if wanted.definition.is_none() {
        job.insert("device_type".to_owned(), device_type.into());
        job.insert("tags".to_owned(), wanted.tags.clone().into());
        if let Some(model) = model {
            name_the_model(&mut job, model.name.as_str());
        }
    }
    let name = job.get("job_name").and_then(Value::as_str).unwrap_or(&wanted.model).to_owned();
    job.insert("job_name".to_owned(), format!("reserved: {name}").into());
    for key in ["notify", "protocols"] {
        job.remove(key);
    }
    if wanted.definition.is_none() {
        job.insert("visibility".to_owned(), "personal".into());
        job.insert("priority".to_owned(), "high".into());
    }
    hold_to_the_end(&mut job, wanted.seconds);
    Ok(yaml::dump(&Value::Object(job)))
}

async fn health_check(shared: &Shared, device_type: &str) -> Result<Option<String>, Refusal> {
    let known = shared.database.read().await?.device_type(device_type).await?;
    Ok(known.and_then(|known| known.health_check).filter(|text| !text.trim().is_empty()))
}

/// The boots start this model, whatever the health check starts.
fn name_the_model(job: &mut Map<String, Value>, model: &str) {
    let actions = job.get_mut("actions").and_then(Value::as_array_mut);
    for boot in actions.into_iter().flatten().filter_map(|action| action.get_mut("boot")) {
        if let Some(boot) = boot.as_object_mut() {
            boot.insert("model".to_owned(), model.into());
        }
    }
}

/// Leaves the tests out, holds after the last boot, and gives the job the time for both.
fn hold_to_the_end(job: &mut Map<String, Value>, seconds: u64) {
    let actions = job.entry("actions").or_insert_with(|| json!([]));
    if let Some(actions) = actions.as_array_mut() {
        actions.retain(|action| action.get("test").is_none());
        actions.push(json!({"command": {"name": "hold", "timeout": {"seconds": seconds}}}));
    }
    let timeouts = job
        .entry("timeouts")
        .or_insert_with(|| json!({"action": {"minutes": 30}, "connection": {"minutes": 5}}));
    if let Some(timeouts) = timeouts.as_object_mut() {
        // The time to deploy and boot is not the person's.
        timeouts.insert("job".to_owned(), json!({"seconds": seconds + BOOT_SECONDS}));
    }
}

/// How long a reserved machine may take to be there, in seconds.
const BOOT_SECONDS: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_job_has_no_tests_and_ends_with_the_hold() {
        let mut job = json!({"actions": [{"deploy": {}}, {"boot": {}}, {"test": {}}], "timeouts": {"action": {"minutes": 1}}});
        hold_to_the_end(job.as_object_mut().unwrap(), 60);
        let kinds: Vec<_> = job["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action.as_object().unwrap().keys().next().unwrap().clone())
            .collect();
        assert_eq!(kinds, ["deploy", "boot", "command"]);
        assert_eq!(job["timeouts"], json!({"action": {"minutes": 1}, "job": {"seconds": 3660}}));
    }
}
