//! The API described by itself (OpenAPI 3.1), from the table of routes.

use axum::Json;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    routes::{PREFIX, ROUTES},
    schema,
};

pub(super) async fn description() -> Json<Value> {
    Json(document())
}

/// One thing that can be asked, for people.
#[derive(Serialize)]
pub(crate) struct Described {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) does: &'static str,
    /// The fields of the body: `name: type`.
    pub(crate) body: Vec<String>,
}

/// Everything that can be asked.
pub(crate) fn described() -> impl Iterator<Item = Described> {
    ROUTES.iter().flat_map(|route| {
        route.methods.iter().map(|(method, does)| {
            let fields = schema::request(method, route.path).unwrap_or_default().split_whitespace();
            Described {
                method,
                path: format!("{PREFIX}{}", route.path),
                does,
                body: fields.map(|field| field.replace(['!', '?'], "").replace(':', ": ")).collect(),
            }
        })
    })
}

/// Path parameters that are numbers; a job is also known by the name people see, `12.0`.
const NUMBERED: [&str; 6] =
    ["/permissions/", "/tags/", "/remote-artifact-tokens/", "/groups/", "/users/", "/token/"];

/// What every list takes.
const LIST_PARAMETERS: [(&str, &str, &str); 3] = [
    ("limit", "integer", "How many at most."),
    ("offset", "integer", "How many to leave out."),
    ("ordering", "string", "A field to order by; `-` before it turns the order round."),
];

/// The filters of lists that clients use most; every field takes LAVA's look-ups (`field__lookup`).
const FILTERS: [(&str, &[&str]); 4] = [
    (
        "/jobs/",
        &[
            "id",
            "id__in",
            "state",
            "state__in",
            "health",
            "health__in",
            "submitter",
            "description__contains",
            "requested_device_type",
            "actual_device",
            "submit_time__gt",
            "start_time__gt",
            "end_time__gt",
        ],
    ),
    ("/devices/", &["hostname", "device_type", "state", "health", "worker_host", "tags__name", "all"]),
    ("/workers/", &["hostname", "state", "health"]),
    ("/jobs/{id}/tests/", &["name", "result", "suite", "suite__name"]),
];

/// What a request must say in its address: name, type, what it is.
type Query = (&'static str, &'static str, &'static str);

const QUERIES: [(&str, &str, &[Query]); 1] = [(
    "put",
    "/uploads/{sha256}/",
    &[
        ("name", "string", "What the file is called."),
        ("size", "integer", "How many bytes the whole file has."),
        ("offset", "integer", "Which of them is the first one of this piece; at most 4 MiB come at once."),
    ],
)];

/// The description.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let mut operations = Map::new();
        for (method, does) in route.methods {
            let mut operation = json!({
                "summary": does,
                "operationId": operation_id(method, route.path),
                "tags": [route.path.trim_start_matches('/').split('/').next().unwrap_or_default()],
                "parameters": parameters(method, route.path),
                "responses": {
                    "2XX": answer(method, route.path),
                    "4XX": {
                        "description": "It was refused.",
                        "content": {"application/json": {"schema": schema::answer("Refusal")}},
                    },
                },
            });
            if let Some(body) = body(method, route.path) {
                operation["requestBody"] = body;
            }
            operations.insert((*method).to_owned(), operation);
        }
        paths.insert(format!("{PREFIX}{}", route.path), Value::Object(operations));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Pumice", "version": env!("CARGO_PKG_VERSION"), "description":
            "LAVA's REST API, version 0.2, and what Pumice adds to it. See docs/protocol/rest.md."},
        "components": {
            "schemas": schema::components(),
            "securitySchemes": {"token": {
                "type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token SECRET`",
            }},
        },
        "security": [{"token": []}, {}],
        "paths": paths,
    })
}

fn parameters(method: &str, path: &str) -> Vec<Value> {
    let is_number = NUMBERED.iter().any(|prefix| path.starts_with(prefix));
    let kind = if is_number { "integer" } else { "string" };
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut described: Vec<_> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}}))
        .collect();
    let is_list = schema::ANSWERS.iter().any(|(known, name)| *known == path && name.starts_with("Page["));
    let own = QUERIES.iter().find(|(m, known, _)| *m == method && *known == path);
    described.extend(own.into_iter().flat_map(|(.., queries)| *queries).map(|(name, kind, does)| {
        json!({"name": name, "in": "query", "required": true, "description": does, "schema": {"type": kind}})
    }));
    if method == "get" && is_list {
        described.extend(LIST_PARAMETERS.iter().map(|(name, kind, does)| {
            json!({"name": name, "in": "query", "description": does, "schema": {"type": kind}})
        }));
        let filters = FILTERS.iter().filter(|(known, _)| *known == path).flat_map(|(_, filters)| *filters);
        described
            .extend(filters.map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})));
    }
    described
}

fn answer(method: &str, path: &str) -> Value {
    let special = schema::SPECIAL_ANSWERS.iter().find(|(m, known, _)| *m == method && *known == path);
    let thing = schema::ANSWERS.iter().find(|(known, _)| *known == path).filter(|_| method != "delete");
    // What is added to a list is answered as one of it.
    let thing = thing.map(|(_, name)| {
        if method == "post" { name.trim_start_matches("Page[").trim_end_matches(']') } else { name }
    });
    match special.map(|(.., name)| *name).or(thing) {
        Some(name) => json!({
            "description": "It was done.",
            "content": {"application/json": {"schema": schema::answer(name)}},
        }),
        None => json!({"description": "It was done."}),
    }
}

fn body(method: &str, path: &str) -> Option<Value> {
    if path == "/devices/validate/" {
        return Some(json!({"required": true, "content": {"text/plain": {"schema": {"type": "string"}}}}));
    }
    if (method, path) == ("put", "/uploads/{sha256}/") {
        let bytes = json!({"type": "string", "format": "binary"});
        return Some(json!({"required": true, "content": {"application/octet-stream": {"schema": bytes}}}));
    }
    let line = schema::request(method, path)?;
    (!line.is_empty())
        .then(|| json!({"required": true, "content": {"application/json": {"schema": schema::object(line)}}}))
}

fn operation_id(method: &str, path: &str) -> String {
    let words: Vec<_> = path
        .split(['/', '.', '-'])
        .filter(|part| !part.is_empty())
        .map(|part| part.trim_matches(['{', '}']))
        .collect();
    format!("{method}_{}", words.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description in the documentation is this one: `UPDATE=1 cargo nextest run -p pumice-server openapi`.
    #[test]
    fn the_documentation_has_the_present_description() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/openapi.json");
        let present = format!("{:#}\n", document());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &present).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), present);
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut names: Vec<_> =
            ROUTES.iter().flat_map(|r| r.methods.iter().map(|(m, _)| operation_id(m, r.path))).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_body_is_described_and_every_description_has_its_route() {
        let routes: Vec<_> =
            ROUTES.iter().flat_map(|r| r.methods.iter().map(|(m, _)| (*m, r.path))).collect();
        for (method, path) in &routes {
            let takes_body = matches!(*method, "post" | "put" | "patch")
                && !["/devices/validate/", "/uploads/{sha256}/"].contains(path);
            let is_described = schema::request(method, path).is_some();
            assert_eq!(takes_body, is_described, "{method} {path}");
        }
        let is_there = |path: &str| routes.iter().any(|(_, known)| *known == path);
        for (path, _) in schema::ANSWERS {
            assert!(is_there(path), "{path}");
        }
        for (method, path, _) in schema::REQUESTS.iter().chain(schema::SPECIAL_ANSWERS) {
            assert!(routes.contains(&(*method, *path)), "{method} {path}");
        }
    }
}
