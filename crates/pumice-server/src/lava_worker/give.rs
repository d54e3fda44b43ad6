//! What a worker is given: definition, device and settings. Both worker protocols use it.

use pumice_db::{Job, JobConfiguration, Reader, WorkerFile};
use pumice_types::SourceId;
use pumice_yaml::Node;
use serde_json::Value;

use crate::{
    app::Shared,
    lab::{artifact_tokens, render, upload_urls, uploads},
    origin::Origin,
    refusal::Refusal,
    yaml,
};

/// The token of one giving of a job.
pub(crate) fn job_token(shared: &Shared, job: &Job) -> String {
    shared.key.derive("job", &format!("{}\n{}", job.id, job.fence))
}

/// Whether a token is that of the present giving of a job.
pub(super) fn token_fits(shared: &Shared, job: &Job, token: &str) -> bool {
    shared.key.verify("job", &format!("{}\n{}", job.id, job.fence), token)
}

/// The device and the settings for a job's worker; a text when the device does not render.
pub(crate) async fn configuration_for(
    shared: &Shared,
    reader: &mut Reader,
    job: &Job,
) -> Result<Result<JobConfiguration, String>, Refusal> {
    let worker = job.worker.clone().unwrap_or_default();
    let mut file =
        async |file| Ok::<_, Refusal>(reader.worker_file(&worker, file).await?.unwrap_or_default());
    let dispatcher = file(WorkerFile::Config).await?;
    let env = file(WorkerFile::Env).await?;
    let env_dut = file(WorkerFile::EnvDut).await?;
    // A connection to another node's machine goes the way that this machine's device says.
    let host = if job.actual_device.is_none() { host_of(reader, job).await? } else { None };
    let job = host.as_ref().unwrap_or(job);
    let Some(hostname) = &job.actual_device else {
        return Ok(Err(format!("job {} has no device", job.id)));
    };
    let Some(device) = reader.device(hostname).await? else {
        return Ok(Err(format!("device {hostname} is gone")));
    };
    let context = definition_of(reader, job).await?.and_then(|node| node.get("context")?.as_map().cloned());
    match render::device(shared, reader, &device, &context.unwrap_or_default()).await? {
        Ok(device) => Ok(Ok(JobConfiguration { device, dispatcher, env, env_dut })),
        Err(reason) => Ok(Err(format!("device {hostname} does not render: {reason}"))),
    }
}

async fn definition_of(reader: &mut Reader, job: &Job) -> Result<Option<Node>, Refusal> {
    let text = reader.job_text(job.id).await?.map(|text| text.definition).unwrap_or_default();
    Ok(pumice_yaml::parse(&text, SourceId::default()).0)
}

/// The first node of the role to whose machine `job` is a connection: the one beside which it was placed.
async fn host_of(reader: &mut Reader, job: &Job) -> Result<Option<Job>, Refusal> {
    let definition = definition_of(reader, job).await?;
    let role =
        definition.and_then(|node| node.at(&["protocols", "lava-multinode", "host_role"])?.scalar_text());
    let (Some(group), Some(role)) = (&job.target_group, role) else { return Ok(None) };
    Ok(reader.jobs_of_group(group).await?.into_iter().find(|node| node.role.as_ref() == Some(&role)))
}

/// The definition for a job's worker. What is kept of a job has names only, and here is what they stand for: remote artifact tokens
/// of the submitter's in the headers of `deploy` and `test` actions and in `secrets` (lava-compat 6.3), and addresses with
/// capabilities for the files that were sent for the job, on the server as the worker reached it.
pub(crate) async fn definition_for_worker(
    shared: &Shared,
    reader: &mut Reader,
    job: &Job,
    origin: &Origin,
) -> Result<String, Refusal> {
    let text = reader.job_text(job.id).await?.ok_or_else(|| Refusal::missing("Definition of job", job.id))?;
    let tokens = artifact_tokens::of_user(reader, &shared.key, job.submitter_id).await?;
    let sent = reader.uploads_of_job(job.id).await?;
    if tokens.is_empty() && sent.is_empty() {
        return Ok(text.definition);
    }
    let Some(mut definition) = yaml::read(&text.definition) else { return Ok(text.definition) };
    if !sent.is_empty() {
        upload_urls::replace(&mut definition, &|url| {
            let is_sent = sent.iter().any(|sha256| sha256 == url.sha256());
            is_sent.then(|| format!("{}{}", origin.base, uploads::path_for(shared, job, url)))
        });
    }
    let secret =
        |name: &str| tokens.iter().find(|token| token.name == name).map(|token| token.secret.clone());
    if let Some(secrets) = definition.get_mut("secrets") {
        replace_values(secrets, &secret);
    }
    for action in definition.get_mut("actions").and_then(Value::as_array_mut).into_iter().flatten() {
        for word in ["deploy", "test"] {
            if let Some(block) = action.get_mut(word) {
                replace_in_headers(block, &secret);
            }
        }
    }
    Ok(yaml::dump(&definition))
}

fn replace_in_headers(value: &mut Value, secret: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                if key == "headers" {
                    replace_values(inner, secret);
                } else {
                    replace_in_headers(inner, secret);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_in_headers(item, secret)),
        _ => {}
    }
}

fn replace_values(value: &mut Value, secret: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(found) = secret(text) {
                *text = found;
            }
        }
        Value::Object(entries) => entries.values_mut().for_each(|value| replace_values(value, secret)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_secrets_in_headers_only() {
        let mut block =
            json!({"images": {"k": {"url": "name", "headers": {"PRIVATE-TOKEN": "name", "X": "other"}}}});
        replace_in_headers(&mut block, &|name| (name == "name").then(|| "s3cret".to_owned()));
        let image = &block["images"]["k"];
        assert_eq!(image["headers"], json!({"PRIVATE-TOKEN": "s3cret", "X": "other"}));
        assert_eq!(image["url"], "name");
    }
}
