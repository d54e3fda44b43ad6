//! A YAML tree to a [`TestDefinition`], with every mistake at its place.

use pumice_types::{Code, Diagnostic, Diagnostics, nearest};
use pumice_yaml::{Entry, Map, Node};

use super::{GitRepo, Install, OutputPattern, Parameters, TestDefinition};
use crate::shell;

/// The only format there is. LAVA compares the whole text (lava-compat 4.5).
pub const FORMAT: &str = "Lava-Test Test Definition 1.0";

/// The kinds of mistakes found here. Those that jobs have too are explained in `docs/user/codes/` by `pumice-job`.
pub mod codes {
    use pumice_types::Code;

    /// A key that must be there is missing.
    pub const MISSING: Code = Code("missing-key");
    /// A key nobody reads.
    pub const UNKNOWN: Code = Code("unknown-key");
    /// A value of another kind than is read.
    pub const TYPE: Code = Code("wrong-type");
    /// `metadata.format` is not [`super::FORMAT`].
    pub const FORMAT: Code = Code("test-definition-format");
    /// A parameter whose name cannot be a variable of the shell.
    pub const PARAMETER_NAME: Code = Code("parameter-name");
    /// A folder outside the test's own.
    pub const DESTINATION: Code = Code("git-repo-destination");

    /// The codes that only test definitions have, with the text of their pages and a definition that shows each.
    pub const PAGES: [(Code, &str, &str); 3] = [
        (
            FORMAT,
            "The file is not a test definition of the one format there is. A `metadata.format` that differs in a \
             single letter is refused, as LAVA refuses it: other formats look alike and mean something else.",
            "metadata: {format: Lava-Test-Shell Test Definition 1.0, name: smoke}",
        ),
        (
            PARAMETER_NAME,
            "Parameters become variables of the shell, and this name cannot be one. LAVA writes it all the same, and \
             the shell takes it for a command that does not exist; here it is left out.",
            "metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\nparams: {boot-time: 5}",
        ),
        (
            DESTINATION,
            "A repository under `git-repos` would be laid outside the folder of its test.",
            "metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\n\
             install: {git-repos: [{url: 'https://example.org/r', destination: ../../etc}]}",
        ),
    ];
}

const TOP: [&str; 7] = ["metadata", "params", "parameters", "install", "run", "parse", "expected"];
const INSTALL: [&str; 6] = ["keys", "sources", "deps", "git-repos", "steps", "skip_install"];

/// Reads a test definition. `None` when it is not one at all; with errors among the diagnostics, what could be
/// read.
pub fn parse(node: &Node) -> (Option<TestDefinition>, Diagnostics) {
    let mut reader = Reader::default();
    let definition = reader.definition(node);
    (definition, reader.diagnostics)
}

/// Reads parameters as they stand in a definition (`params`) and in a job (`parameters`). Values become text as
/// Python prints them: `True`, `1.0` (lava-compat 4.5).
pub fn parse_parameters(node: &Node) -> (Parameters, Diagnostics) {
    let mut reader = Reader::default();
    let parameters = reader.parameters(node);
    (parameters, reader.diagnostics)
}

#[derive(Default)]
struct Reader {
    diagnostics: Diagnostics,
}

impl Reader {
    fn definition(&mut self, node: &Node) -> Option<TestDefinition> {
        let top = self.map(node, "a test definition")?;
        for entry in top {
            if !TOP.contains(&entry.key.as_str()) {
                self.unknown(entry, &TOP);
            }
        }
        let mut definition = TestDefinition::default();
        self.metadata(node, top, &mut definition);
        for key in ["params", "parameters"] {
            if let Some(node) = top.get(key) {
                definition.parameters = definition.parameters.overridden_by(&self.parameters(node));
            }
        }
        if let Some(install) = top.get("install").filter(|node| !node.is_null()) {
            definition.install = self.install(install);
        }
        if let Some(run) = top.get("run").and_then(|node| self.map(node, "`run`")) {
            definition.steps = self.strings(run, "steps");
        }
        definition.pattern = top.get("parse").and_then(|node| self.pattern(node));
        let expects = top.get("expected").is_some_and(|node| !node.is_null());
        definition.expected = expects.then(|| self.strings(top, "expected"));
        Some(definition)
    }

    fn metadata(&mut self, node: &Node, top: &Map, definition: &mut TestDefinition) {
        let Some(metadata) = top.get("metadata") else {
            self.missing(node, "metadata", "a test definition");
            return;
        };
        let Some(map) = self.map(metadata, "`metadata`") else { return };
        match map.get("format") {
            Some(format) if format.as_str() == Some(FORMAT) => {}
            Some(format) => self.diagnostics.push(
                Diagnostic::error(codes::FORMAT, format.span, format!("`format` must be `{FORMAT}`"))
                    .suggest(Some(FORMAT)),
            ),
            None => self.missing(metadata, "format", "`metadata`"),
        }
        match map.get("name") {
            Some(name) => definition.name = self.text(name, "`name`").unwrap_or_default(),
            None => self.missing(metadata, "name", "`metadata`"),
        }
        definition.description = map
            .get("description")
            .filter(|node| !node.is_null())
            .and_then(|node| self.text(node, "`description`"));
    }

    fn parameters(&mut self, node: &Node) -> Parameters {
        if node.is_null() {
            return Parameters::default();
        }
        let Some(map) = self.map(node, "parameters") else { return Parameters::default() };
        let mut parameters = Parameters::default();
        for entry in map {
            if !shell::is_variable(&entry.key) {
                let message =
                    format!("`{}` cannot be a variable of the shell; the parameter is left out", entry.key);
                let help = "use letters, digits and `_`, and begin with no digit";
                self.diagnostics
                    .push(Diagnostic::warning(codes::PARAMETER_NAME, entry.key_span, message).help(help));
                continue;
            }
            let value = entry.value.scalar_text().unwrap_or_else(|| {
                let message =
                    format!("`{}` is {}; the test sees it as JSON text", entry.key, entry.value.kind());
                self.diagnostics.push(Diagnostic::warning(codes::TYPE, entry.value.span, message));
                entry.value.to_json().to_string()
            });
            parameters.set(&entry.key, value);
        }
        parameters
    }

    fn install(&mut self, node: &Node) -> Install {
        let Some(map) = self.map(node, "`install`") else { return Install::default() };
        let mut install = Install {
            keys: self.strings(map, "keys"),
            sources: self.strings(map, "sources"),
            deps: self.strings(map, "deps"),
            steps: self.strings(map, "steps"),
            ..Install::default()
        };
        for entry in map {
            if let Some(distro) = entry.key.strip_prefix("deps-") {
                install.deps_by_distro.push((distro.to_owned(), self.strings(map, &entry.key)));
            } else if !INSTALL.contains(&entry.key.as_str()) {
                self.unknown(entry, &INSTALL);
            }
        }
        if let Some(node) = map.get("git-repos").filter(|node| !node.is_null()) {
            let items = self.list(node, "`git-repos`").unwrap_or_default();
            install.git_repos = items.iter().filter_map(|item| self.git_repo(item)).collect();
        }
        install
    }

    fn git_repo(&mut self, node: &Node) -> Option<GitRepo> {
        if let Some(url) = node.as_str() {
            return Some(GitRepo { url: url.to_owned(), branch: None, destination: None });
        }
        let map = self.map(node, "a repository")?;
        let Some(url) = map.get("url") else {
            self.missing(node, "url", "a repository");
            return None;
        };
        let mut optional = |key: &str| {
            map.get(key).filter(|node| !node.is_null()).and_then(|node| self.text(node, &format!("`{key}`")))
        };
        let (branch, destination) = (optional("branch"), optional("destination"));
        if let (Some(path), Some(node)) = (&destination, map.get("destination"))
            && (path.starts_with('/') || path.split('/').any(|part| part == ".."))
        {
            let message = format!("`{path}` is outside the folder of the test");
            let help = "give a path inside it, without `..` and without a `/` at its beginning";
            self.diagnostics.push(Diagnostic::error(codes::DESTINATION, node.span, message).help(help));
            return None;
        }
        Some(GitRepo { url: self.text(url, "`url`")?, branch, destination })
    }

    fn pattern(&mut self, node: &Node) -> Option<OutputPattern> {
        let map = self.map(node, "`parse`")?;
        let pattern = map.get("pattern").and_then(|node| self.text(node, "`pattern`"))?;
        let fixups = map.get("fixupdict").filter(|node| !node.is_null());
        let fixups = fixups.and_then(|node| self.map(node, "`fixupdict`")).map_or_else(Vec::new, |map| {
            map.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.scalar_text()?))).collect()
        });
        Some(OutputPattern { pattern, fixups })
    }

    /// A list of texts; missing and null are empty. Other scalars are taken as Python prints them, with a warning:
    /// an unquoted `true` among steps is the boolean and would run `True`.
    fn strings(&mut self, map: &Map, key: &str) -> Vec<String> {
        let Some(node) = map.get(key).filter(|node| !node.is_null()) else { return Vec::new() };
        let items = self.list(node, &format!("`{key}`")).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| match (item.as_str(), item.scalar_text()) {
                (Some(text), _) => Some(text.to_owned()),
                (None, Some(text)) => {
                    let message = format!("{} in `{key}` is read as `{text}`", item.kind());
                    let warning = Diagnostic::warning(codes::TYPE, item.span, message);
                    self.diagnostics.push(warning.help("put it in quotes if it is meant as text"));
                    Some(text)
                }
                (None, None) => {
                    self.wrong_type(item, &format!("an item of `{key}`"), "a string");
                    None
                }
            })
            .collect()
    }

    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.scalar_text().filter(|_| !node.is_null());
        if text.is_none() {
            self.wrong_type(node, what, "a string");
        }
        text
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Map> {
        let map = node.as_map();
        if map.is_none() {
            self.wrong_type(node, what, "a mapping");
        }
        map
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let items = node.as_seq();
        if items.is_none() {
            self.wrong_type(node, what, "a list");
        }
        items
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.error(codes::TYPE, node, format!("{what} must be {wanted}, and this is {}", node.kind()));
    }

    fn missing(&mut self, node: &Node, key: &str, inside: &str) {
        self.error(codes::MISSING, node, format!("`{key}` is missing in {inside}"));
    }

    fn unknown(&mut self, entry: &Entry, known: &[&'static str]) {
        let message = format!("nobody reads `{}` here", entry.key);
        let suggestion = nearest(&entry.key, known.iter().copied());
        self.diagnostics
            .push(Diagnostic::warning(codes::UNKNOWN, entry.key_span, message).suggest(suggestion));
    }

    fn error(&mut self, code: Code, node: &Node, message: String) {
        self.diagnostics.push(Diagnostic::error(code, node.span, message));
    }
}
