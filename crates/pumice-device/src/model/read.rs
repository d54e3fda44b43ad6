//! From a tree to a [`Model`].

use pumice_types::{Code, Diagnostic, Diagnostics, Name, nearest};
use pumice_yaml::Node;

use super::{Licence, LicenceKind, Model, ModelConsole};
use crate::{reader::Reader, share};

/// A key that must be there is not.
const MISSING_KEY: Code = Code("missing-key");
/// A name with characters that a name may not have.
const BAD_NAME: Code = Code("bad-name");
/// A word that is none of those allowed.
const UNKNOWN_VALUE: Code = Code("unknown-value");

const KEYS: &[&str] = &[
    "name",
    "aliases",
    "extends",
    "abstract",
    "description",
    "platform",
    "binaries",
    "minimum_version",
    "parameters",
    "consoles",
    "capabilities",
    "licence",
    "host",
    "timeouts",
    "time_factor",
    "network",
    "machine",
];
const CONSOLE_KEYS: &[&str] = &["announced_as", "guest_device"];
const LICENCE_KEYS: &[&str] = &["kind", "feature", "seats"];

/// Keys that a model does not hand down: they say what it is, not how it is made.
pub(super) const OWN_KEYS: &[&str] = &["name", "aliases", "abstract", "extends"];

/// Reads a name, such as that of a model.
pub(super) fn name(node: &Node, reader: &mut Reader) -> Option<Name> {
    let text = reader.text(Some(node))?;
    match text.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            let error: pumice_types::InvalidName = error;
            reader.diagnostics.push(Diagnostic::error(BAD_NAME, node.span, error.to_string()));
            None
        }
    }
}

/// Reads an entry with all it inherits. Mistakes in what it inherits are said for the model that made them, so
/// only for a node that `own` holds.
pub(super) fn model(name: Name, ancestors: Vec<Name>, own: &Node, node: Node) -> (Model, Diagnostics) {
    let mut reader = Reader::default();
    if let Some(map) = node.as_map() {
        reader.only(map, KEYS);
    }
    let is_abstract = reader.flag(node.get("abstract")).unwrap_or(false);
    let platform = reader.text(node.get("platform"));
    if platform.is_none() && !is_abstract {
        let message = format!("the model `{name}` does not say which platform starts it");
        let help = "add `platform = \"…\"`, or `abstract = true` if it is only there to be extended";
        reader.diagnostics.push(Diagnostic::error(MISSING_KEY, own.span, message).help(help));
    }
    let aliases = node.get("aliases").and_then(Node::as_seq).unwrap_or_default();
    let model = Model {
        name,
        aliases: aliases.iter().filter_map(|alias| self::name(alias, &mut reader)).collect(),
        ancestors,
        is_abstract,
        description: reader.text(node.get("description")).unwrap_or_default(),
        platform: platform.unwrap_or_default(),
        binaries: reader.texts(node.get("binaries")),
        minimum_version: reader.text(node.get("minimum_version")),
        parameters: parameters(&mut reader, node.get("parameters")),
        consoles: consoles(&mut reader, node.get("consoles")),
        capabilities: reader.texts(node.get("capabilities")),
        licence: licence(&mut reader, node.get("licence")),
        host: share::read(&mut reader, node.get("host")),
        timeouts: reader.durations(node.get("timeouts")),
        time_factor: reader.small_count(node.get("time_factor")).unwrap_or(1).max(1),
        network: node.get("network").cloned(),
        node,
    };
    let of_this_file =
        |diagnostic: &Diagnostic| diagnostic.span.is_none_or(|span| span.source == own.span.source);
    (model, reader.diagnostics.into_iter().filter(of_this_file).collect())
}

/// Nested tables are the same as dotted names: `[parameters.bp.vis]` with `x = 1` is `bp.vis.x`.
fn parameters(reader: &mut Reader, node: Option<&Node>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in reader.entries(node, "a table of parameters") {
        if entry.value.as_map().is_some() {
            let inner = parameters(reader, Some(&entry.value));
            found.extend(inner.into_iter().map(|(key, value)| (format!("{}.{key}", entry.key), value)));
            continue;
        }
        let flag = entry.value.as_bool().map(|flag| u8::from(flag).to_string());
        match flag.or_else(|| entry.value.scalar_text()) {
            Some(text) => found.push((entry.key.clone(), text)),
            None => reader.wrong(&entry.value, "a string, a number, or true or false"),
        }
    }
    found
}

fn consoles(reader: &mut Reader, node: Option<&Node>) -> std::collections::BTreeMap<String, ModelConsole> {
    let mut consoles = std::collections::BTreeMap::new();
    for entry in reader.entries(node, "a table of consoles by role") {
        let node = &entry.value;
        let console = match node.as_map() {
            None => {
                reader.text(Some(node)).map(|announced_as| ModelConsole { announced_as, guest_device: None })
            }
            Some(map) => {
                reader.only(map, CONSOLE_KEYS);
                let announced_as = reader.text(node.get("announced_as"));
                let guest_device = reader.text(node.get("guest_device"));
                announced_as.map(|announced_as| ModelConsole { announced_as, guest_device })
            }
        };
        match console {
            Some(console) => {
                consoles.insert(entry.key.clone(), console);
            }
            None => reader.wrong(node, "a console's name, or a table with `announced_as`"),
        }
    }
    consoles
}

fn licence(reader: &mut Reader, node: Option<&Node>) -> Option<Licence> {
    let node = node?;
    let Some(map) = node.as_map() else {
        reader.wrong(node, "a table with `kind` and `feature`");
        return None;
    };
    reader.only(map, LICENCE_KEYS);
    let words = [("floating", LicenceKind::Floating), ("user", LicenceKind::User)];
    let word = reader.text(node.get("kind")).unwrap_or_else(|| "floating".to_owned());
    let kind = words.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind);
    if kind.is_none() {
        let span = node.get("kind").map(|node| node.span);
        let message = format!("`{word}` is no kind of licence; there are `floating` and `user`");
        let meant = nearest(&word, words.iter().map(|(name, _)| *name)).map(|word| format!("\"{word}\""));
        reader.diagnostics.push(Diagnostic::error(UNKNOWN_VALUE, span, message).suggest(meant));
    }
    let Some(feature) = reader.text(node.get("feature")) else {
        let message = "the licence does not say which feature it takes";
        let help = "add `feature = \"…\"`, the name of a stock in the operator's configuration";
        reader.diagnostics.push(Diagnostic::error(MISSING_KEY, node.span, message).help(help));
        return None;
    };
    let seats = reader.small_count(node.get("seats")).unwrap_or(1);
    Some(Licence { kind: kind?, feature, seats })
}
