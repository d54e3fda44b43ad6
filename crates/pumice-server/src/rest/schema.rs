//! What bodies hold, for the description of the API: one line for each.
//!
//! A line is words of `NAME:TYPE`. `!` after the name: it must be there; `?` after the type: it may be null. Types are
//! `string`, `text` (a string of many lines), `integer`, `number`, `boolean`, `time` (RFC 3339), `any`, `words` (a list
//! of strings), `numbers` (a list of integers), `map`, or the name of a schema; `[NAME]` is a list of those.

use serde_json::{Map, Value, json};

/// What a client sends: method, path, and the body's line; no line for a request without a body. PUT
/// takes what PATCH takes.
pub(super) const REQUESTS: &[(&str, &str, &str)] = &[
    ("post", "/aliases/", "name!:string device_type!:string"),
    ("patch", "/aliases/{name}/", "device_type:string"),
    (
        "post",
        "/devices/",
        "hostname!:string device_type!:string worker_host:string? physical_owner:string? \
         physical_group:string? health:DeviceHealth description:string? tags:numbers",
    ),
    (
        "patch",
        "/devices/{hostname}/",
        "device_type:string worker_host:string? physical_owner:string? physical_group:string? \
         health:DeviceHealth description:string? tags:numbers reason:string?",
    ),
    ("post", "/devices/{hostname}/set_health/", "health!:DeviceHealth reason:string?"),
    ("post", "/devices/{hostname}/dictionary/", "dictionary!:text"),
    (
        "post",
        "/devicetypes/",
        "name!:string description:string? display:boolean health_frequency:integer \
         health_denominator:string disable_health_check:boolean architecture:string? processor:string? \
         cpu_model:string? bits:integer? cores:words core_count:integer?",
    ),
    (
        "patch",
        "/devicetypes/{name}/",
        "description:string? display:boolean health_frequency:integer health_denominator:string \
         disable_health_check:boolean architecture:string? processor:string? cpu_model:string? \
         bits:integer? cores:words core_count:integer?",
    ),
    ("post", "/devicetypes/{name}/template/", "config!:text"),
    ("post", "/devicetypes/{name}/health_check/", "config!:text"),
    ("post", "/jobs/", "definition!:text"),
    ("post", "/jobs/validate/", "definition!:text strict:boolean"),
    ("post", "/jobs/validate_testdef/", "definition!:text"),
    ("post", "/jobs/batch_cancel/", "job_ids!:numbers"),
    ("post", "/jobs/{id}/give_up/", ""),
    ("post", "/jobs/{id}/resubmit/", ""),
    ("post", "/permissions/devicetypes/", "group!:string permission!:string devicetype!:string"),
    ("post", "/permissions/devices/", "group!:string permission!:string device!:string"),
    ("post", "/tags/", "name!:string description:string?"),
    ("patch", "/tags/{id}/", "name:string description:string?"),
    ("post", "/workers/", "hostname!:string description:string? health:WorkerHealth job_limit:integer"),
    ("patch", "/workers/{hostname}/", "description:string? health:WorkerHealth job_limit:integer"),
    ("post", "/workers/{hostname}/set_health/", "health!:WorkerHealth"),
    ("post", "/workers/{hostname}/config/", "config!:text"),
    ("post", "/workers/{hostname}/env/", "env!:text"),
    ("post", "/remote-artifact-tokens/", "name!:string token!:string"),
    ("patch", "/remote-artifact-tokens/{id}/", "token:string"),
    ("post", "/groups/", "name!:string"),
    ("patch", "/groups/{id}/", "name!:string"),
    (
        "post",
        "/users/",
        "username!:string first_name:string last_name:string email:string is_superuser:boolean \
         is_staff:boolean is_active:boolean password:string",
    ),
    (
        "patch",
        "/users/{id}/",
        "first_name:string last_name:string email:string is_superuser:boolean is_staff:boolean \
         is_active:boolean password:string",
    ),
    (
        "post",
        "/token/",
        "username:string password:string description:string scopes:string expires_in_days:integer",
    ),
];

/// What the server answers to a path, where it is JSON with a known form: `get`, or what changes the same thing.
pub(super) const ANSWERS: &[(&str, &str)] = &[
    ("/aliases/", "Page[Alias]"),
    ("/aliases/{name}/", "Alias"),
    ("/devices/", "Page[Device]"),
    ("/devices/{hostname}/", "Device"),
    ("/devicetypes/", "Page[DeviceType]"),
    ("/devicetypes/{name}/", "DeviceType"),
    ("/jobs/", "Page[Job]"),
    ("/jobs/{id}/", "Job"),
    ("/jobs/{id}/compare/{other}/", "Comparison"),
    ("/jobs/{id}/suites/", "Page[TestSuite]"),
    ("/jobs/{id}/suites/{suite}/", "TestSuite"),
    ("/jobs/{id}/suites/{suite}/tests/", "Page[TestCase]"),
    ("/jobs/{id}/suites/{suite}/tests/{case}/", "TestCase"),
    ("/jobs/{id}/tests/", "Page[TestCase]"),
    ("/permissions/devicetypes/", "Page[TypePermission]"),
    ("/permissions/devicetypes/{id}/", "TypePermission"),
    ("/permissions/devices/", "Page[DevicePermission]"),
    ("/permissions/devices/{id}/", "DevicePermission"),
    ("/tags/", "Page[Tag]"),
    ("/tags/{id}/", "Tag"),
    ("/workers/", "Page[Worker]"),
    ("/workers/{hostname}/", "Worker"),
    ("/remote-artifact-tokens/", "Page[ArtifactToken]"),
    ("/remote-artifact-tokens/{id}/", "ArtifactToken"),
    ("/uploads/", "Page[Upload]"),
    ("/uploads/{sha256}/", "Upload"),
    ("/groups/", "Page[Group]"),
    ("/groups/{id}/", "Group"),
    ("/users/", "Page[User]"),
    ("/users/{id}/", "User"),
];

/// Answers of requests that only do something, and of those whose answer is not the thing itself.
pub(super) const SPECIAL_ANSWERS: &[(&str, &str, &str)] = &[
    ("post", "/jobs/", "Submitted"),
    ("post", "/jobs/{id}/resubmit/", "Submitted"),
    ("post", "/token/", "NewToken"),
    ("get", "/jobs/{id}/cancel/", "Message"),
    ("get", "/system/version/", "Version"),
    ("get", "/system/whoami/", "Whoami"),
];

/// The line of a request's body, if its route has one.
pub(super) fn request(method: &str, path: &str) -> Option<&'static str> {
    let method = if method == "put" { "patch" } else { method };
    REQUESTS.iter().find(|(known, at, _)| *known == method && *at == path).map(|(.., line)| *line)
}

/// The things there are.
const THINGS: &[(&str, &str)] = &[
    ("Alias", "name!:string device_type!:string"),
    (
        "Device",
        "hostname!:string device_type!:string device_version!:string? physical_owner!:string? \
         physical_group!:string? description!:string? tags!:numbers state!:string health!:DeviceHealth \
         last_health_report_job!:integer? worker_host!:string? is_synced!:boolean",
    ),
    (
        "DeviceType",
        "name!:string architecture!:string? processor!:string? cpu_model!:string? aliases!:words \
         bits!:integer? cores!:words core_count!:integer? description!:string? health_frequency!:integer \
         disable_health_check!:boolean health_denominator!:string display!:boolean",
    ),
    (
        "Job",
        "id!:integer submitter!:string viewing_groups!:numbers description!:string health_check!:boolean \
         requested_device_type!:string? tags!:numbers actual_device!:string? submit_time!:time \
         start_time!:time? end_time!:time? state!:JobState health!:JobHealth priority!:integer \
         definition!:text metadata!:map original_definition!:text multinode_definition!:text \
         failure_tags!:numbers failure_comment!:string? token:string",
    ),
    ("Comparison", "before!:integer after!:integer changes!:[Change]"),
    (
        "Change",
        "suite!:string name!:string unit!:string before!:string? after!:string? \
         measurement_before!:number? measurement_after!:number?",
    ),
    ("TestSuite", "id!:integer name!:string job!:integer resource_uri!:string"),
    (
        "TestCase",
        "id!:integer name!:string unit!:string result!:CaseResult measurement!:string? metadata!:text? \
         suite!:integer start_log_line!:integer? end_log_line!:integer? test_set!:integer? logged!:time \
         resource_uri!:string",
    ),
    ("TypePermission", "id!:integer group!:string permission!:string devicetype!:string"),
    ("DevicePermission", "id!:integer group!:string permission!:string device!:string"),
    ("Tag", "id!:integer name!:string description!:string?"),
    (
        "Worker",
        "hostname!:string state!:string health!:WorkerHealth description!:string? last_ping!:time \
         job_limit!:integer version!:string? token:string",
    ),
    ("ArtifactToken", "id!:integer name!:string token!:string"),
    (
        "Upload",
        "sha256!:string name!:string size!:integer offset!:integer complete!:boolean created!:time expires!:time",
    ),
    ("Group", "id!:integer name!:string"),
    (
        "User",
        "id!:integer username!:string first_name!:string last_name!:string email!:string \
         is_superuser!:boolean is_staff!:boolean is_active!:boolean date_joined!:time last_login!:time?",
    ),
    ("Submitted", "message!:string job_ids!:numbers warnings:words"),
    ("NewToken", "token!:string"),
    ("Message", "message!:string"),
    ("Version", "version!:string pumice!:string"),
    ("Whoami", "user!:string"),
    ("Refusal", "detail:string message:string"),
];

/// Closed lists of words.
const WORDS: &[(&str, &[&str])] = &[
    ("DeviceHealth", &["Good", "Unknown", "Looping", "Bad", "Maintenance", "Retired"]),
    ("WorkerHealth", &["Active", "Maintenance", "Retired"]),
    ("JobState", &["Submitted", "Scheduling", "Scheduled", "Running", "Canceling", "Finished"]),
    ("JobHealth", &["Unknown", "Complete", "Incomplete", "Canceled"]),
    ("CaseResult", &["pass", "fail", "skip", "unknown"]),
];

/// `components.schemas`.
pub(super) fn components() -> Map<String, Value> {
    let things = THINGS.iter().map(|(name, line)| ((*name).to_owned(), object(line)));
    let words =
        WORDS.iter().map(|(name, words)| ((*name).to_owned(), json!({"type": "string", "enum": words})));
    things.chain(words).collect()
}

/// The schema of an answer: a thing, or a page of things.
pub(super) fn answer(name: &str) -> Value {
    let Some(one) = name.strip_prefix("Page[").and_then(|name| name.strip_suffix(']')) else {
        return reference(name);
    };
    json!({
        "type": "object",
        "required": ["count", "next", "previous", "results"],
        "properties": {
            "count": {"type": "integer"},
            "next": {"type": ["string", "null"]},
            "previous": {"type": ["string", "null"]},
            "results": {"type": "array", "items": reference(one)},
        },
    })
}

/// The schema of an object from its line.
pub(super) fn object(line: &str) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for word in line.split_whitespace() {
        let (name, kind) = word.split_once(':').unwrap_or((word, "any"));
        let plain = name.strip_suffix('!');
        required.extend(plain.map(str::to_owned));
        properties.insert(plain.unwrap_or(name).to_owned(), value(kind));
    }
    json!({"type": "object", "properties": properties, "required": required})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn value(kind: &str) -> Value {
    let (kind, is_nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    if let Some(inner) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        return json!({"type": "array", "items": reference(inner)});
    }
    let basic = match kind {
        "string" | "text" | "time" => "string",
        "integer" | "number" | "boolean" => kind,
        "any" => return json!({}),
        "map" => return json!({"type": "object"}),
        "words" => return json!({"type": "array", "items": {"type": "string"}}),
        "numbers" => return json!({"type": "array", "items": {"type": "integer"}}),
        name => return reference(name),
    };
    let mut schema = if is_nullable { json!({"type": [basic, "null"]}) } else { json!({"type": basic}) };
    if kind == "time" {
        schema["format"] = json!("date-time");
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_schema() {
        let expected = json!({
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": {"type": "string"}, "b": {"type": ["integer", "null"]},
                "c": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
            },
        });
        assert_eq!(object("a!:string b:integer? c:[Tag]"), expected);
    }

    #[test]
    fn every_name_that_is_used_is_there() {
        let known = components();
        let lines = THINGS.iter().map(|(_, line)| *line).chain(REQUESTS.iter().map(|(_, _, line)| *line));
        let mut used: Vec<String> = lines
            .flat_map(|line| object(line).to_string().split('"').map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|word| word.strip_prefix("#/components/schemas/").map(str::to_owned))
            .collect();
        let answers =
            ANSWERS.iter().map(|(_, name)| *name).chain(SPECIAL_ANSWERS.iter().map(|(.., name)| *name));
        used.extend(answers.map(|name| name.trim_start_matches("Page[").trim_end_matches(']').to_owned()));
        let missing: Vec<_> = used.iter().filter(|name| !known.contains_key(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
