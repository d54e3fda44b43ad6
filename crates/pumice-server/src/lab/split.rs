//! Splitting a MultiNode definition into one for each member (lava-compat 5.1).

use pumice_job::{Job, Role, RoleKind};
use serde_json::{Map, Value, json};

/// One member of a group.
#[derive(Clone, Debug)]
pub(crate) struct MemberDefinition {
    /// Its role.
    pub(crate) role: String,
    /// Its place in the group, from 0.
    pub(crate) place: u32,
    /// Whether its failure ends the others.
    pub(crate) essential: bool,
    /// The kind of device it needs; `None` for a connection to another member's machine.
    pub(crate) device_type: Option<String>,
    /// The device it asks for.
    pub(crate) device: Option<String>,
    /// The worker it asks for.
    pub(crate) worker: Option<String>,
    /// The role on whose worker it runs, for a connection.
    pub(crate) host_role: Option<String>,
    /// The tags it asks for.
    pub(crate) tags: Vec<String>,
    /// Its definition, but for the numbers of the members.
    pub(crate) definition: Value,
}

/// Keys of the whole job that every member has too.
const COPIED: [&str; 8] =
    ["job_name", "timeouts", "priority", "visibility", "notify", "metadata", "reboot_to_fastboot", "secrets"];

/// The members of a MultiNode job, in the order of its roles.
pub(crate) fn split(job: &Job, whole: &Value, group: &str) -> Vec<MemberDefinition> {
    let Some(multinode) = &job.multinode else { return Vec::new() };
    let count: u32 = multinode.roles.iter().map(|role| role.count.value).sum();
    let mut members = Vec::new();
    for role in &multinode.roles {
        for _ in 0..role.count.value {
            let place = u32::try_from(members.len()).unwrap_or(u32::MAX);
            members.push(member(job, whole, role, place, count, group));
        }
    }
    members
}

fn member(job: &Job, whole: &Value, role: &Role, place: u32, count: u32, group: &str) -> MemberDefinition {
    let name = &role.name.value;
    let described = &whole["protocols"]["lava-multinode"]["roles"][name];
    let mut definition = Map::new();
    for key in COPIED {
        if let Some(value) = whole.get(key) {
            definition.insert(key.to_owned(), value.clone());
        }
    }
    for key in ["device_type", "context", "tags", "environment"] {
        if let Some(value) = described.get(key) {
            definition.insert(key.to_owned(), value.clone());
        }
    }
    let mut protocol = Map::new();
    protocol.insert("target_group".to_owned(), json!(group));
    protocol.insert("role".to_owned(), json!(name));
    protocol.insert("group_size".to_owned(), json!(count));
    for key in ["essential", "connection", "request", "expect_role", "host_role"] {
        if let Some(value) = described.get(key) {
            protocol.insert(key.to_owned(), value.clone());
        }
    }
    let timeout = described.get("timeout").or_else(|| whole["protocols"]["lava-multinode"].get("timeout"));
    if let Some(timeout) = timeout {
        protocol.insert("timeout".to_owned(), timeout.clone());
    }
    let mut protocols = whole.get("protocols").and_then(Value::as_object).cloned().unwrap_or_default();
    protocols.insert("lava-multinode".to_owned(), Value::Object(protocol));
    definition.insert("protocols".to_owned(), Value::Object(protocols));
    definition.insert("actions".to_owned(), actions(whole, name));
    let (device_type, device, worker, host_role) = match &role.kind {
        RoleKind::Device { device_type, device, worker } => (
            Some(device_type.value.clone()),
            device.as_ref().map(|device| device.value.clone()),
            worker.as_ref().map(|worker| worker.value.clone()),
            None,
        ),
        RoleKind::Connection(connection) => (None, None, None, Some(connection.host_role.value.clone())),
    };
    MemberDefinition {
        role: name.clone(),
        place,
        essential: role.essential,
        device_type,
        device,
        worker,
        host_role,
        tags: role.tags.iter().chain(&job.tags).map(|tag| tag.value.clone()).collect(),
        definition: Value::Object(definition),
    }
}

/// The blocks of one role, each with that role alone.
fn actions(whole: &Value, role: &str) -> Value {
    let blocks = whole.get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_role = |block: Value| {
        let Value::Object(entries) = block else { return None };
        let (word, mut inner) = entries.into_iter().next()?;
        let roles = match inner.get("role") {
            Some(Value::Array(roles)) => roles.iter().any(|item| item == role),
            Some(other) => other == role,
            None => false,
        };
        inner.as_object_mut()?.insert("role".to_owned(), json!(role));
        roles.then(|| json!({ word: inner }))
    };
    Value::Array(blocks.into_iter().filter_map(of_role).collect())
}

/// Tells a member who the others are: `roles` maps each job's number to its role.
pub(crate) fn introduce(definition: &mut Value, sub_id: &str, roles: &[(i64, String)]) {
    let roles: Map<String, Value> = roles.iter().map(|(id, role)| (id.to_string(), json!(role))).collect();
    if let Some(protocol) = definition["protocols"]["lava-multinode"].as_object_mut() {
        protocol.insert("sub_id".to_owned(), json!(sub_id));
        protocol.insert("roles".to_owned(), Value::Object(roles));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::definition;

    const GROUP: &str = "job_name: two\nvisibility: public\ntimeouts: {job: {minutes: 5}}\n\
        protocols:\n  lava-multinode:\n    timeout: {minutes: 4}\n    roles:\n\
        \x20     server: {device_type: virtual, count: 1, essential: true, context: {arch: arm64}}\n\
        \x20     client: {device_type: virtual, count: 2, tags: [fast]}\n\
        actions:\n- boot: {role: [server, client], method: minimal}\n- test: {role: client, timeout: {minutes: 1}}\n";

    #[test]
    fn each_member_gets_its_part_and_learns_of_the_others() {
        let Ok(checked) = definition::read(GROUP, &pumice_job::Rules::default()) else {
            panic!("it is a mapping")
        };
        let mut members = split(&checked.job, &checked.node.to_json(), "g");
        let told: Vec<_> =
            members.iter().map(|m| (m.role.as_str(), m.place, m.essential, m.tags.len())).collect();
        assert_eq!(told, [("server", 0, true, 0), ("client", 1, false, 1), ("client", 2, false, 1)]);
        let server = &members[0].definition;
        assert_eq!(server["context"]["arch"], "arm64");
        assert_eq!(server["protocols"]["lava-multinode"]["group_size"], 3);
        assert_eq!(server["protocols"]["lava-multinode"]["timeout"]["minutes"], 4);
        assert_eq!(server["actions"], json!([{"boot": {"role": "server", "method": "minimal"}}]));
        assert_eq!(members[1].definition["actions"].as_array().map(Vec::len), Some(2));
        let roles = [(7, "server".to_owned()), (8, "client".to_owned()), (9, "client".to_owned())];
        introduce(&mut members[2].definition, "7.2", &roles);
        let protocol = &members[2].definition["protocols"]["lava-multinode"];
        assert_eq!((&protocol["sub_id"], &protocol["roles"]["7"]), (&json!("7.2"), &json!("server")));
    }
}
