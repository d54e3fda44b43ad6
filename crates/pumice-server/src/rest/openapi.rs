//! The API described by itself (OpenAPI 3.1), from the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

use super::routes::{PREFIX, ROUTES};

pub(super) async fn description() -> Json<Value> {
    Json(document())
}

/// The description.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let parameters: Vec<_> =
            route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let described: Vec<_> = parameters
            .iter()
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let mut operations = Map::new();
        for (method, does) in route.methods {
            let mut operation = json!({
                "summary": does,
                "operationId": operation_id(method, route.path),
                "parameters": described,
                "responses": {
                    "2XX": {"description": "It was done."},
                    "4XX": {"description": "It was refused.", "content": {"application/json": {"schema": {
                        "type": "object",
                        "properties": {"detail": {"type": "string"}, "message": {"type": "string"}},
                    }}}},
                },
            });
            if matches!(*method, "post" | "put" | "patch") {
                operation["requestBody"] =
                    json!({"content": {"application/json": {"schema": {"type": "object"}}}});
            }
            operations.insert((*method).to_owned(), operation);
        }
        paths.insert(format!("{PREFIX}{}", route.path), Value::Object(operations));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Pumice", "version": env!("CARGO_PKG_VERSION"), "description":
            "LAVA's REST API, version 0.2, and what Pumice adds to it. See docs/protocol/rest.md."},
        "components": {"securitySchemes": {"token": {
            "type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token SECRET`",
        }}},
        "security": [{"token": []}, {}],
        "paths": paths,
    })
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
}
