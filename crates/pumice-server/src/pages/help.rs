//! The APIs, for people: every REST route and every XML-RPC method.

use serde::Serialize;

use super::page::{Answer, Page};
use crate::{rest, xmlrpc};

/// What `help.html` sees.
#[derive(Serialize)]
struct ApisView {
    /// The routes, by the first word of their paths.
    rest: Vec<(String, Vec<rest::Described>)>,
    methods: Vec<xmlrpc::Described>,
}

pub(super) async fn apis(page: Page) -> Answer {
    let mut groups: Vec<(String, Vec<rest::Described>)> = Vec::new();
    for route in rest::described() {
        let group = route.path.trim_start_matches("/api/v0.2/").split('/').next().unwrap_or_default();
        match groups.last_mut().filter(|(last, _)| last == group) {
            Some((_, routes)) => routes.push(route),
            None => groups.push((group.to_owned(), vec![route])),
        }
    }
    let values = ApisView { rest: groups, methods: xmlrpc::described().collect() };
    page.show("help.html", "", "APIs", values)
}
