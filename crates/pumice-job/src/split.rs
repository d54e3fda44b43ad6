//! One job of several machines made into one job for each (lava-compat 5.1).

use pumice_types::Diagnostics;
use pumice_yaml::Map;

use crate::{Action, Job, Member, MultinodeNode, Role, RoleKind, read};

/// The jobs of a MultiNode job, role by role, in the order of the roles; the job itself when it is for one machine.
///
/// Each has the blocks of its role, and the device type, context, tags and environment that its role gives. Its node
/// is called after the role, with a number from 1 where several play it (`client`, or `client-1`, `client-2`).
/// The defects stay with the first: they are those of the whole text. At most 100 are made.
pub fn split(job: &Job) -> Vec<Job> {
    let Some(multinode) = &job.multinode else { return vec![job.clone()] };
    let members: Vec<Member> = multinode.roles.iter().flat_map(members).take(MOST_NODES).collect();
    let mut jobs = Vec::new();
    for role in &multinode.roles {
        for Member { name, .. } in members_of(&members, role) {
            let node = MultinodeNode {
                name: name.clone(),
                role: role.name.value.clone(),
                members: members.clone(),
                group: None,
                essential: role.essential,
                timeout: multinode.timeout,
                connection: match &role.kind {
                    RoleKind::Connection(connection) => Some(connection.clone()),
                    RoleKind::Device { .. } => None,
                },
            };
            let defects = if jobs.is_empty() { job.defects.clone() } else { Diagnostics::new() };
            jobs.push(part(job, role, node, defects));
        }
    }
    jobs
}

/// More nodes than this are not made of one job: each is a copy of much of it.
const MOST_NODES: usize = 100;

fn members(role: &Role) -> impl Iterator<Item = Member> {
    let count = role.count.value;
    (1..=count).map(move |number| {
        let role = role.name.value.clone();
        let name = if count == 1 { role.clone() } else { format!("{role}-{number}") };
        Member { name, role }
    })
}

fn members_of<'m>(members: &'m [Member], role: &'m Role) -> impl Iterator<Item = &'m Member> {
    members.iter().filter(|member| member.role == role.name.value)
}

fn part(job: &Job, role: &Role, node: MultinodeNode, defects: Diagnostics) -> Job {
    let is_for = |action: &&Action| action.block().roles.iter().any(|name| name.value == role.name.value);
    let mut part = Job {
        actions: job.actions.iter().filter(is_for).cloned().collect(),
        defects,
        multinode: None,
        context: role.context.clone(),
        tags: role.tags.clone(),
        node: Some(node),
        ..without_actions(job)
    };
    if let Some(environment) = &role.environment {
        part.environment = read::environment(environment);
    }
    match &role.kind {
        RoleKind::Device { device_type, device, worker } => {
            part.device_type = Some(device_type.clone());
            part.device.clone_from(device);
            part.worker.clone_from(worker);
        }
        RoleKind::Connection(_) => part.device_type = None,
    }
    if let Some(timeout) = role.timeout {
        part.timeouts.job = timeout;
    }
    for action in &mut part.actions {
        action.block_mut().roles.retain(|name| name.value == role.name.value);
    }
    part
}

/// What all nodes share.
fn without_actions(job: &Job) -> Job {
    Job {
        name: job.name.clone(),
        device_type: None,
        device: None,
        worker: None,
        timeouts: job.timeouts.clone(),
        priority: job.priority,
        visibility: job.visibility.clone(),
        context: Map::default(),
        metadata: job.metadata.clone(),
        environment: job.environment.clone(),
        secrets: job.secrets.clone(),
        notify: job.notify.clone(),
        tags: Vec::new(),
        multinode: None,
        node: None,
        actions: Vec::new(),
        defects: Diagnostics::new(),
        span: job.span,
    }
}
