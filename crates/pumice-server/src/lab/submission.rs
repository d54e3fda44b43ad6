//! Submitting: a text becomes jobs that wait.

use std::{collections::BTreeSet, sync::Arc};

use pumice_db::{Device, NewJob, Timestamp, Visibility, Writer};
use pumice_job::Job as Definition;
use pumice_sched::{Event, JobKind, JobRequest, Member};
use pumice_types::{DeviceName, JobId, WorkerName};
use serde_json::{Value, json};

use super::{HEALTH_USER, definition, needs, split, upload_urls, uploads};
use crate::{
    access::{Identity, Scope},
    app::Shared,
    events::job_event,
    refusal::Refusal,
    yaml,
};

/// What a submission became.
#[derive(Clone, Debug)]
pub(crate) enum Submitted {
    /// One job.
    Single(JobId),
    /// A group, by the numbers people see: `12.0`.
    Group(Vec<String>),
}

/// Submits a text.
pub(crate) async fn submit(shared: &Arc<Shared>, who: &Identity, text: &str) -> Result<Submitted, Refusal> {
    submit_with(shared, who, text, &[]).await
}

/// Submits a text that may name the uploads `lent` beside the submitter's own.
pub(crate) async fn submit_with(
    shared: &Arc<Shared>,
    who: &Identity,
    text: &str,
    lent: &[String],
) -> Result<Submitted, Refusal> {
    let user = who.using(Scope::Submit)?;
    let refused = |reason: &str| Refusal::Invalid(format!("Problem with submitted job data: {reason}"));
    let checked =
        definition::read(text, &shared.config.rules()).map_err(|mistake| refused(&mistake.at_data()))?;
    if let Some(mistake) = checked.mistake() {
        return Err(refused(&mistake.at_data()));
    }
    let job =
        Planned { who, text, job: &checked.job, whole: checked.node.to_json(), now: shared.clock.now() };
    let named = upload_urls::named(&job.whole);
    let mut writer = shared.database.write().await?;
    uploads::check_named(&mut writer, user.id, &named, lent).await?;
    let members = if checked.job.multinode.is_some() {
        job.group(&mut writer, user.id).await?
    } else {
        vec![job.single(&mut writer, user.id).await?]
    };
    let is_group = checked.job.multinode.is_some();
    let ids = insert(shared, &mut writer, members, JobKindOf::Person).await?;
    for (id, _) in &ids {
        for url in &named {
            writer.add_job_upload(*id, url.sha256(), job.now).await?;
        }
    }
    writer.commit().await?;
    announce(shared, &ids).await?;
    if !is_group {
        return ids
            .first()
            .map(|(id, _)| Submitted::Single(*id))
            .ok_or_else(|| refused("there is no job in it"));
    }
    let mut reader = shared.database.read().await?;
    let mut shown = Vec::new();
    for (id, _) in &ids {
        shown.extend(reader.job(*id).await?.map(|job| job.display_id()));
    }
    Ok(Submitted::Group(shown))
}

/// Submits a device's health check.
pub(crate) async fn submit_health_check(
    shared: &Arc<Shared>,
    device: &Device,
    text: &str,
) -> Result<JobId, Refusal> {
    let checked = definition::read(text, &shared.config.rules())
        .map_err(|mistake| Refusal::Invalid(mistake.at_data()))?;
    let mut writer = shared.database.write().await?;
    let now = shared.clock.now();
    let user = if let Some(user) = writer.user(HEALTH_USER).await? {
        user.id
    } else {
        let user = pumice_db::NewUser { username: HEALTH_USER.to_owned(), ..pumice_db::NewUser::default() };
        writer.insert_user(&user, now).await?
    };
    let identity = Identity::default();
    let planned = Planned { who: &identity, text, job: &checked.job, whole: checked.node.to_json(), now };
    let mut member = planned.common(user);
    member.new.requested_device_type = Some(device.device_type.clone());
    member.new.requested_device = Some(device.hostname.clone());
    member.new.is_health_check = true;
    let ids = insert(shared, &mut writer, vec![member], JobKindOf::HealthCheck).await?;
    writer.commit().await?;
    announce(shared, &ids).await?;
    ids.first().map(|(id, _)| *id).ok_or_else(|| Refusal::Internal("no job was made".to_owned()))
}

/// A job to be inserted, and what the scheduler must know that the row does not hold.
struct Planning {
    new: NewJob,
    tags: Vec<String>,
    essential: bool,
    host_role: Option<String>,
}

enum JobKindOf {
    Person,
    HealthCheck,
}

struct Planned<'a> {
    who: &'a Identity,
    text: &'a str,
    job: &'a Definition,
    whole: Value,
    now: Timestamp,
}

impl Planned<'_> {
    /// What every job of the submission has.
    fn common(&self, submitter_id: i64) -> Planning {
        let visibility = match &self.job.visibility {
            pumice_job::Visibility::Public => Visibility::Public,
            pumice_job::Visibility::Personal => Visibility::Personal,
            pumice_job::Visibility::Groups(_) => Visibility::Group,
        };
        let metadata: serde_json::Map<_, _> =
            self.job.metadata.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect();
        let new = NewJob {
            group: None,
            submitter_id,
            description: self.job.name.value.clone(),
            requested_device_type: None,
            requested_device: self.job.device.as_ref().map(|device| device.value.clone()),
            requested_worker: self.job.worker.as_ref().map(|worker| worker.value.clone()),
            priority: i64::from(self.job.priority.0),
            visibility,
            viewing_groups: Vec::new(),
            is_health_check: false,
            queue_deadline: self.job.timeouts.queue.map(|timeout| self.now.after(timeout.duration)),
            tags: Vec::new(),
            metadata: Value::Object(metadata),
            definition: yaml::dump(&self.whole),
            original: self.text.to_owned(),
            multinode: String::new(),
        };
        Planning { new, tags: Vec::new(), essential: false, host_role: None }
    }

    async fn single(&self, writer: &mut Writer, submitter_id: i64) -> Result<Planning, Refusal> {
        let mut planned = self.common(submitter_id);
        let wanted = self.job.device_type.as_ref().map(|kind| kind.value.as_str()).unwrap_or_default();
        planned.new.requested_device_type = Some(self.usable_type(writer, wanted).await?);
        planned.tags = self.job.tags.iter().map(|tag| tag.value.clone()).collect();
        planned.new.tags = tag_keys(writer, &planned.tags).await?;
        self.check_wishes(writer, &planned.new).await?;
        planned.new.viewing_groups = self.viewing_groups(writer).await?;
        Ok(planned)
    }

    async fn group(&self, writer: &mut Writer, submitter_id: i64) -> Result<Vec<Planning>, Refusal> {
        let name = format!("{:016x}-{}", self.now.0, submitter_id);
        let viewing_groups = self.viewing_groups(writer).await?;
        let mut planned = Vec::new();
        for member in split::split(self.job, &self.whole, &name) {
            let mut one = self.common(submitter_id);
            one.new.group = Some((name.clone(), member.place, member.role.clone()));
            if let Some(wanted) = &member.device_type {
                one.new.requested_device_type = Some(self.usable_type(writer, wanted).await?);
            }
            one.new.requested_device = member.device;
            one.new.requested_worker = member.worker;
            one.new.definition = yaml::dump(&member.definition);
            one.new.multinode = self.text.to_owned();
            one.new.viewing_groups.clone_from(&viewing_groups);
            one.new.tags = tag_keys(writer, &member.tags).await?;
            self.check_wishes(writer, &one.new).await?;
            one.tags = member.tags;
            one.essential = member.essential;
            one.host_role = member.host_role;
            planned.push(one);
        }
        if planned.is_empty() {
            return Err(Refusal::Invalid("Invalid job definition: no role has a count above 0.".to_owned()));
        }
        Ok(planned)
    }

    /// The device type that `wanted` names, by itself or as an alias, if the submitter can use it.
    async fn usable_type(&self, writer: &mut Writer, wanted: &str) -> Result<String, Refusal> {
        if wanted.is_empty() {
            let message = "Invalid job definition: it names no device type: add `device_type:`.";
            return Err(Refusal::Invalid(message.to_owned()));
        }
        let unavailable =
            || Refusal::Invalid(format!("Device unavailable: Device type '{wanted}' is unavailable."));
        let name = match writer.device_type(wanted).await? {
            Some(known) => known.name,
            None => writer.alias(wanted).await?.ok_or_else(unavailable)?,
        };
        if self.who.viewer.sees_type(&name) { Ok(name) } else { Err(unavailable()) }
    }

    /// Refuses a device or worker that is not there or does not fit.
    async fn check_wishes(&self, writer: &mut Writer, new: &NewJob) -> Result<(), Refusal> {
        let invalid = |message: String| Refusal::Invalid(format!("Invalid job definition: {message}"));
        if let Some(hostname) = &new.requested_worker
            && writer.worker(hostname).await?.is_none()
        {
            return Err(invalid(format!("worker '{hostname}' does not exist.")));
        }
        let Some(hostname) = &new.requested_device else { return Ok(()) };
        let device = writer.device(hostname).await?;
        let device =
            device.filter(|device| self.who.viewer.sees_device(&device.hostname, &device.device_type));
        let device = device.ok_or_else(|| invalid(format!("device '{hostname}' does not exist.")))?;
        if new.requested_device_type.as_ref().is_some_and(|kind| *kind != device.device_type) {
            return Err(invalid(format!("device '{hostname}' is not of the requested type.")));
        }
        if new.requested_worker.is_some() && new.requested_worker != device.worker {
            return Err(invalid(format!("device '{hostname}' is not on the requested worker.")));
        }
        Ok(())
    }

    async fn viewing_groups(&self, writer: &mut Writer) -> Result<Vec<i64>, Refusal> {
        let pumice_job::Visibility::Groups(names) = &self.job.visibility else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for name in names {
            let group = writer.group(&name.value).await?.ok_or_else(|| {
                Refusal::Invalid(format!("Invalid job definition: group '{}' does not exist.", name.value))
            })?;
            keys.push(group.id);
        }
        Ok(keys)
    }
}

async fn tag_keys(writer: &mut Writer, names: &[String]) -> Result<Vec<i64>, Refusal> {
    let mut keys = Vec::new();
    for name in names {
        let tag = writer.tag(name).await?.ok_or_else(|| {
            Refusal::Invalid(format!(
                "Invalid job definition: Device tag '{name}' does not exist in the database.."
            ))
        })?;
        keys.push(tag.id);
    }
    Ok(keys)
}

/// Inserts the jobs and works out what the scheduler must know of each.
async fn insert(
    shared: &Shared,
    writer: &mut Writer,
    planned: Vec<Planning>,
    kind: JobKindOf,
) -> Result<Vec<(JobId, JobRequest)>, Refusal> {
    let now = shared.clock.now();
    let jobs: Vec<_> = planned.iter().map(|planned| planned.new.clone()).collect();
    let ids = writer.insert_jobs(&jobs, now).await?;
    let of_role: Vec<_> =
        jobs.iter().map(|job| job.group.as_ref().map(|(_, _, role)| role.clone())).collect();
    let roles: Vec<(i64, String)> =
        ids.iter().zip(&of_role).filter_map(|(id, role)| Some((id.0, role.clone()?))).collect();
    let mut requests = Vec::new();
    let rules = shared.config.rules();
    for (planned, id) in planned.into_iter().zip(&ids) {
        let submitter = writer.user_by_id(planned.new.submitter_id).await?.map(|user| user.username);
        let host = planned.host_role.as_ref().and_then(|host| {
            ids.iter().zip(&of_role).find(|(_, role)| role.as_ref() == Some(host)).map(|(id, _)| *id)
        });
        // A connection waits in the queue of its host's kind of device.
        let device_type = planned.new.requested_device_type.clone().or_else(|| {
            let host = ids.iter().position(|id| Some(*id) == host)?;
            jobs.get(host)?.requested_device_type.clone()
        });
        let mut request = JobRequest::new(
            *id,
            submitter.unwrap_or_default(),
            shared.clock.steady(),
            device_type.unwrap_or_default(),
        );
        request.priority = i32::try_from(planned.new.priority).unwrap_or(0);
        request.device = planned.new.requested_device.clone().map(DeviceName);
        request.worker = planned.new.requested_worker.clone().map(WorkerName);
        request.tags = planned.tags.into_iter().collect::<BTreeSet<_>>();
        // A connection to another node's machine takes nothing itself.
        if planned.host_role.is_none()
            && let Ok(checked) = definition::read(&planned.new.definition, &rules)
        {
            let needs = needs::of_job(shared, writer, &checked.job, &request.device_type).await?;
            (request.models, request.licences, request.size) = (needs.models, needs.licences, needs.size);
        }
        request.queue_timeout = planned.new.queue_deadline.map(|deadline| deadline.since(now));
        request.kind = match (&planned.new.group, &kind) {
            (_, JobKindOf::HealthCheck) => JobKind::HealthCheck,
            (Some((group, ..)), JobKindOf::Person) => {
                JobKind::Member(Member { group: group.clone(), essential: planned.essential, beside: host })
            }
            (None, JobKindOf::Person) => JobKind::Single,
        };
        if let Some((_, place, _)) = &planned.new.group {
            let mut definition = yaml::read(&planned.new.definition).unwrap_or_else(|| json!({}));
            let first = ids.first().copied().unwrap_or(*id);
            split::introduce(&mut definition, &format!("{first}.{place}"), &roles);
            writer.set_definition(*id, &yaml::dump(&definition)).await?;
        }
        let text = serde_json::to_string(&request).map_err(|error| Refusal::Internal(error.to_string()))?;
        writer.set_request(*id, &text).await?;
        requests.push((*id, request));
    }
    Ok(requests)
}

/// Tells everybody, the scheduler last: what it does with the jobs comes after their being there.
async fn announce(shared: &Arc<Shared>, jobs: &[(JobId, JobRequest)]) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    for (id, _) in jobs {
        if let Some(job) = reader.job(*id).await? {
            let groups = reader.viewing_group_keys(*id).await?;
            shared.events.publish(job_event(&job, groups), shared.clock.now());
        }
    }
    drop(reader);
    let requests = jobs.iter().map(|(_, request)| request.clone()).collect();
    shared.scheduler.tell(Event::Submit(requests)).await?;
    Ok(())
}
