//! The APIs, for people: every REST route and every XML-RPC method.

use serde_json::{Value, json};

use super::page::{Answer, Page};
use crate::{rest, xmlrpc};

pub(super) async fn apis(page: Page) -> Answer {
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for route in rest::described() {
        let group =
            route.path.trim_start_matches("/api/v0.2/").split('/').next().unwrap_or_default().to_owned();
        let shown = json!({
            "method": route.method.to_uppercase(), "path": route.path, "does": route.does, "body": route.body,
        });
        match groups.last_mut().filter(|(last, _)| *last == group) {
            Some((_, routes)) => routes.push(shown),
            None => groups.push((group, vec![shown])),
        }
    }
    let methods: Vec<_> = xmlrpc::described()
        .map(|(name, parameters, help)| json!({ "name": name, "parameters": parameters, "help": help }))
        .collect();
    page.show("help.html", "", "APIs", json!({ "rest": groups, "methods": methods }))
}
