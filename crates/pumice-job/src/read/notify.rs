//! `notify`.

use pumice_types::Diagnostics;
use pumice_yaml::Node;

use super::Fields;
use crate::{
    Callback, CallbackDataset, CallbackMethod, Compare, Criteria, Notify, Query, Recipient, Verbosity,
};

pub(super) fn notify(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Notify> {
    const VERBOSITIES: [(&str, Verbosity); 3] = [
        ("verbose", Verbosity::Verbose),
        ("quiet", Verbosity::Quiet),
        ("status-only", Verbosity::StatusOnly),
    ];
    let criteria = fields.fields("criteria", defects)?;
    let mut recipients = Vec::new();
    for item in fields.items("recipients", defects) {
        recipients.extend(Fields::of(item, defects).and_then(|fields| recipient(fields, defects)));
    }
    let mut callbacks = Vec::new();
    let one = fields.get("callback").map(std::slice::from_ref).unwrap_or_default();
    for item in one.iter().chain(fields.items("callbacks", defects)) {
        callbacks.extend(Fields::of(item, defects).and_then(|fields| callback(fields, defects)));
    }
    Some(Notify {
        criteria: Criteria {
            status: criteria.needed("status", defects)?,
            kind: criteria.text("type", defects),
            dependency_query: criteria.text("dependency_query", defects),
        },
        verbosity: fields.word("verbosity", &VERBOSITIES, defects).map(|word| word.value).unwrap_or_default(),
        recipients,
        callbacks,
        compare: fields.fields("compare", defects).map(|fields| compare(fields, defects)),
        span: fields.span,
    })
}

fn compare(fields: Fields<'_>, defects: &mut Diagnostics) -> Compare {
    let query = fields.fields("query", defects).and_then(|query| match query.text("name", defects) {
        Some(name) => Some(Query::Stored(name)),
        None => Some(Query::Conditions {
            entity: query.needed("entity", defects)?,
            conditions: query.variables("conditions", defects),
        }),
    });
    Compare { query, blacklist: fields.texts("blacklist", defects) }
}

fn recipient(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Recipient> {
    let to = fields.fields("to", defects)?;
    Some(Recipient {
        method: to.needed("method", defects)?,
        user: to.text("user", defects),
        email: to.text("email", defects),
        handle: to.text("handle", defects),
        server: to.text("server", defects),
    })
}

fn callback(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Callback> {
    const DATASETS: [(&str, CallbackDataset); 4] = [
        ("minimal", CallbackDataset::Minimal),
        ("logs", CallbackDataset::Logs),
        ("results", CallbackDataset::Results),
        ("all", CallbackDataset::All),
    ];
    const METHODS: [(&str, CallbackMethod); 2] =
        [("GET", CallbackMethod::Get), ("POST", CallbackMethod::Post)];
    Some(Callback {
        url: fields.needed("url", defects)?,
        method: fields.word("method", &METHODS, defects).map(|word| word.value).unwrap_or_default(),
        token: fields.text("token", defects),
        header: fields.text("header", defects),
        dataset: fields.word("dataset", &DATASETS, defects).map(|word| word.value).unwrap_or_default(),
        is_json: fields.get("content-type").and_then(Node::as_str) == Some("json"),
    })
}
