//! Reads a declaration from YAML, collecting every mistake.

use std::{collections::BTreeMap, time::Duration};

use pumice_platform::{ConsoleRole, Meaning, OutputRule, StopHow, StopRung};
use pumice_types::{Cause, Code, Diagnostic, Diagnostics, nearest};
use pumice_yaml::{Map, Node};

use crate::declaration::{
    AnnouncementDeclaration, ConsoleBy, ConsoleDeclaration, Declaration, NO_DECLARATION,
};

/// A key that the declaration does not know.
const UNKNOWN_KEY: Code = Code("unknown-key");
/// A value of the wrong kind.
const WRONG_TYPE: Code = Code("wrong-type");
/// A word that is none of those allowed.
const UNKNOWN_WORD: Code = Code("unknown-value");
/// A text that is not a regular expression.
const BAD_PATTERN: Code = Code("bad-pattern");

const KEYS: &[&str] = &[
    "program",
    "arguments",
    "overlay_disk",
    "overlay_initramfs",
    "environment",
    "stdio",
    "consoles",
    "announcement",
    "stop",
    "rules",
    "version",
    "time_factor",
    "pacing_ms",
    "install_hint",
];

pub(crate) struct Reader {
    diagnostics: Diagnostics,
}

impl Reader {
    pub(crate) fn read(node: &Node) -> (Declaration, Diagnostics) {
        let mut reader = Self { diagnostics: Diagnostics::new() };
        let declaration = reader.declaration(node);
        (declaration, reader.diagnostics)
    }

    fn mistake(&mut self, code: Code, node: &Node, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, node.span, message));
    }

    fn wrong(&mut self, node: &Node, expected: &str) {
        self.mistake(WRONG_TYPE, node, format!("expected {expected}, found {}", node.kind()));
    }

    fn map<'a>(&mut self, node: &'a Node, keys: &[&'static str]) -> Option<&'a Map> {
        let Some(map) = node.as_map() else {
            self.wrong(node, "a mapping");
            return None;
        };
        for entry in map.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let meant = nearest(&entry.key, keys.iter().copied());
            let mistake =
                Diagnostic::error(UNKNOWN_KEY, entry.key_span, format!("unknown key `{}`", entry.key))
                    .help(format!("the keys here are: {}", keys.join(", ")))
                    .suggest(meant.map(str::to_owned));
            self.diagnostics.push(mistake);
        }
        Some(map)
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        let text = if node.is_null() { None } else { node.scalar_text() };
        if text.is_none() {
            self.wrong(node, "a string");
        }
        text
    }

    fn texts(&mut self, node: &Node) -> Vec<String> {
        self.each(node, Self::text)
    }

    fn number(&mut self, node: &Node) -> Option<u64> {
        let number = node.as_i64().and_then(|number| u64::try_from(number).ok());
        if number.is_none() {
            self.wrong(node, "a whole number, zero or more");
        }
        number
    }

    fn pattern(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if let Err(error) = regex_automata::meta::Regex::new(&text) {
            self.mistake(BAD_PATTERN, node, format!("not a regular expression: {error}"));
            return None;
        }
        Some(text)
    }

    fn word<T: Clone>(&mut self, node: &Node, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
        if found.is_none() {
            let known = || words.iter().map(|(word, _)| *word);
            let list = known().collect::<Vec<_>>().join("`, `");
            let meant = nearest(&text, known()).map(str::to_owned);
            let message = format!("`{text}` is none of `{list}`");
            self.diagnostics.push(Diagnostic::error(UNKNOWN_WORD, node.span, message).suggest(meant));
        }
        found
    }

    fn each<T>(&mut self, node: &Node, read: impl Fn(&mut Self, &Node) -> Option<T>) -> Vec<T> {
        let Some(items) = node.as_seq() else {
            self.wrong(node, "a list");
            return Vec::new();
        };
        items.iter().filter_map(|item| read(self, item)).collect()
    }

    fn declaration(&mut self, node: &Node) -> Declaration {
        let mut declaration = Declaration { time_factor: 1, ..Declaration::default() };
        for entry in self.map(node, KEYS).into_iter().flatten() {
            let value = &entry.value;
            match entry.key.as_str() {
                "program" => declaration.program = self.text(value).unwrap_or_default(),
                "arguments" => declaration.arguments = self.texts(value),
                "overlay_disk" => declaration.overlay_disk = self.texts(value),
                "overlay_initramfs" => declaration.overlay_initramfs = self.text(value),
                "environment" => declaration.environment = self.environment(value),
                "stdio" => {
                    let words = [("pipes", false), ("pty", true)];
                    declaration.wants_pty = self.word(value, &words).unwrap_or_default();
                }
                "consoles" => declaration.consoles = self.each(value, Self::console),
                "announcement" => declaration.announcement = self.announcement(value),
                "stop" => declaration.stop = self.each(value, Self::rung),
                "rules" => declaration.rules = self.each(value, Self::rule),
                "version" => declaration.version = self.version(value),
                "time_factor" => {
                    let factor = self.number(value).and_then(|number| u32::try_from(number).ok());
                    declaration.time_factor = factor.unwrap_or(1).max(1);
                }
                "pacing_ms" => declaration.pacing_ms = self.number(value).unwrap_or_default(),
                "install_hint" => declaration.install_hint = self.text(value),
                _ => {}
            }
        }
        if declaration.program.is_empty() {
            self.mistake(NO_DECLARATION, node, "the declaration names no `program`");
        }
        let mains = declaration.consoles.iter().filter(|console| console.role == ConsoleRole::Main).count();
        if !declaration.consoles.is_empty() && mains != 1 {
            let message = format!("exactly one console has the role `main`, here {mains} have it");
            self.mistake(UNKNOWN_WORD, node, message);
        }
        declaration
    }

    fn environment(&mut self, node: &Node) -> BTreeMap<String, String> {
        let map = node.as_map();
        if map.is_none() {
            self.wrong(node, "a mapping of names to values");
        }
        let entries = map.into_iter().flatten();
        entries.filter_map(|entry| Some((entry.key.clone(), self.text(&entry.value)?))).collect()
    }

    fn console(&mut self, node: &Node) -> Option<ConsoleDeclaration> {
        let map = self.map(node, &["name", "role", "by", "path", "pattern", "device"])?;
        let roles = [
            ("main", ConsoleRole::Main),
            ("channel", ConsoleRole::Channel),
            ("feedback", ConsoleRole::Feedback),
        ];
        let role = map.get("role").map_or(Some(ConsoleRole::Main), |node| self.word(node, &roles))?;
        let name = map.get("name").and_then(|node| self.text(node)).unwrap_or_else(|| "main".to_owned());
        let path = map.get("path").and_then(|node| self.text(node));
        let path = path.unwrap_or_else(|| format!("{name}.sock"));
        let pattern = map.get("pattern").and_then(|node| self.pattern(node));
        let mut ways = vec![
            ("stdio", ConsoleBy::Stdio),
            ("listen", ConsoleBy::Listen(path.clone())),
            ("connect", ConsoleBy::Connect(path)),
        ];
        // These two stand for something only together with a pattern.
        let by_pattern = pattern.clone().unwrap_or_default();
        ways.push(("announced", ConsoleBy::Announced(by_pattern.clone())));
        ways.push(("announced-path", ConsoleBy::AnnouncedPath(by_pattern)));
        let by = map.get("by").map_or(Some(ConsoleBy::Stdio), |node| self.word(node, &ways))?;
        if pattern.is_none() && matches!(by, ConsoleBy::Announced(_) | ConsoleBy::AnnouncedPath(_)) {
            self.mistake(WRONG_TYPE, node, "an announced console needs a `pattern`");
            return None;
        }
        let device = map.get("device").and_then(|node| self.text(node));
        Some(ConsoleDeclaration { name, role, by, device })
    }

    fn announcement(&mut self, node: &Node) -> Option<AnnouncementDeclaration> {
        let map = self.map(node, &["pattern", "telnet", "within_seconds"])?;
        let seconds = map.get("within_seconds").and_then(|node| self.number(node)).unwrap_or(30);
        Some(AnnouncementDeclaration {
            pattern: map.get("pattern").and_then(|node| self.pattern(node))?,
            telnet: map.get("telnet").and_then(Node::as_bool).unwrap_or(false),
            within: Duration::from_secs(seconds),
        })
    }

    fn rung(&mut self, node: &Node) -> Option<StopRung> {
        let map = self.map(node, &["how", "grace_seconds"])?;
        let ways = [("interrupt", StopHow::Interrupt), ("terminate", StopHow::Terminate)];
        let how = self.word(map.get("how")?, &ways)?;
        let grace = map.get("grace_seconds").and_then(|node| self.number(node)).unwrap_or(5);
        Some(StopRung { how, grace: Duration::from_secs(grace) })
    }

    fn rule(&mut self, node: &Node) -> Option<OutputRule> {
        let map = self.map(node, &["pattern", "fails", "explains", "hint"])?;
        let pattern = map.get("pattern").and_then(|node| self.pattern(node))?;
        let causes: Vec<_> = Cause::ALL.iter().map(|cause| (cause.code(), *cause)).collect();
        let means = if let Some(cause) = map.get("fails") {
            Meaning::Fails(self.word(cause, &causes)?)
        } else if let Some(cause) = map.get("explains") {
            Meaning::Explains(self.word(cause, &causes)?)
        } else {
            Meaning::Ends
        };
        Some(OutputRule { pattern, means, hint: map.get("hint").and_then(|node| self.text(node)) })
    }

    fn version(&mut self, node: &Node) -> Option<(Vec<String>, String)> {
        let map = self.map(node, &["arguments", "pattern"])?;
        let arguments = map.get("arguments").map(|node| self.texts(node)).unwrap_or_default();
        Some((arguments, map.get("pattern").and_then(|node| self.pattern(node))?))
    }
}
