//! The parameters a model has, by its own word (`--list-params`), held against those it is given.
//!
//! A misspelt parameter ends a model, and parameters are renamed and dropped between releases; both have broken
//! public CI (fastmodels 1.5, complaint 13). So they are checked before the start.

use std::collections::BTreeMap;

use pumice_types::{Code, Diagnostic, Diagnostics, nearest};

use crate::options;

/// The model has no such parameter.
pub(crate) const UNKNOWN_PARAMETER: Code = Code("unknown-parameter");
/// A parameter is given a value of another type.
const WRONG_VALUE: Code = Code("wrong-parameter-value");

/// Parameters that changed their name or went away, with what became of them (fastmodels 1.5).
const RENAMED: &[(&str, &str)] = &[
    ("bp.dram.enable_atomic_ops", "since 11.17 it is `bp.s_dram.enable_atomic_ops`"),
    ("bp.s_dram.enable_atomic_ops", "before 11.17 it was `bp.dram.enable_atomic_ops`"),
    ("ID_ISAR5.PACBTI", "it was removed in 11.27"),
    ("cluster0.NUM_CORES", "only models with AEM clusters have it; others say their cores by their name"),
    ("coretile.cache_state_modelled", "models without a core tile have `cache_state_modelled`"),
];

/// Reads the output of `--list-params`: one `name=value` a line with a comment behind `#` that holds the type, as
/// `-f` takes it. Lines of any other form (banner, rules, warnings) are passed over. Values are the defaults; a
/// boolean's is `0` or `1` followed by ` bool`, so that its type can be told.
pub fn list(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((assignment, comment)) = line.split_once('#') else { continue };
        let Some((name, value)) = assignment.trim().split_once('=') else { continue };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-[]:".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        let mut value = value.trim().trim_matches('"').to_owned();
        if comment.trim_start().starts_with("(bool") {
            value.push_str(BOOLEAN);
        }
        found.insert(name.to_owned(), value);
    }
    found
}

/// What marks a boolean in the list of parameters.
const BOOLEAN: &str = " bool";

/// Every mistake in the parameters that `words` give to the model that has the parameters `known`; nothing when
/// it listed none.
pub(crate) fn check(words: &[String], known: &BTreeMap<String, String>, model: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if known.is_empty() {
        return diagnostics;
    }
    let has_plugin = options::has_plugin(words);
    for (name, value) in options::parameters(words) {
        let Some(default) = find(name, known) else {
            let is_elsewhere = has_plugin && is_a_plugins(name, known);
            if !name.contains('*') && !is_elsewhere {
                diagnostics.push(unknown(name, known, model));
            }
            continue;
        };
        if default.ends_with(BOOLEAN) && !matches!(value, "0" | "1" | "true" | "false") {
            let message = format!("`{name}` of {model} is a boolean, not `{value}`");
            diagnostics.push(Diagnostic::error(WRONG_VALUE, None, message).help("give it 0 or 1"));
        }
    }
    diagnostics
}

/// The default of a parameter. Its path may begin with the model's own instance, as logs show it
/// (`Morello_Top.css.scp…`).
fn find<'a>(name: &str, known: &'a BTreeMap<String, String>) -> Option<&'a String> {
    known.get(name).or_else(|| known.get(name.split_once('.')?.1))
}

/// Whether no component of the model has the first name in the path.
fn is_a_plugins(name: &str, known: &BTreeMap<String, String>) -> bool {
    let first = |name: &str| name.split('.').next().map(str::to_owned);
    !known.keys().any(|other| first(other) == first(name))
}

fn unknown(name: &str, known: &BTreeMap<String, String>, model: &str) -> Diagnostic {
    let renamed = RENAMED.iter().find(|(old, _)| *old == name).map(|(_, became)| *became);
    let message = format!("{model} has no parameter `{name}`");
    let diagnostic = Diagnostic::error(UNKNOWN_PARAMETER, None, message);
    match (renamed, likely(name, known)) {
        (Some(became), _) => diagnostic.help(became),
        (None, Some(likely)) => diagnostic.help(format!("did you mean `{likely}`?")),
        (None, None) => diagnostic.help(format!("`{model} --list-params` shows all it has")),
    }
}

/// The parameter that was likely meant: nearly the same text, or the same last names at another place.
fn likely<'a>(name: &str, known: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let names = || known.keys().map(String::as_str);
    let tail = |name: &'a str, count: usize| {
        let start = name.rmatch_indices('.').nth(count).map_or(0, |(at, _)| at + 1);
        &name[start..]
    };
    let own_tail = |count: usize| {
        let start = name.rmatch_indices('.').nth(count).map_or(0, |(at, _)| at + 1);
        &name[start..]
    };
    nearest(name, names()).or_else(|| names().find(|other| tail(other, 1) == own_tail(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "Fast Models [11.24.12 (Dec  4 2023)]\n# Parameters:\n#----\n\
        bp.terminal_0.start_telnet=1      # (bool  , init-time) default = '1' : Start telnet\n\
        bp.secureflashloader.fname=\"\"  # (string, init-time) default = '' : Image\n\
        bp.s_dram.enable_atomic_ops=0x0 # (int   , init-time) default = '0x0' : x : [0..1]\n";

    #[test]
    fn the_list_of_a_model_is_read() {
        let known = list(LIST);
        assert_eq!(known.len(), 3);
        assert_eq!(known["bp.terminal_0.start_telnet"], "1 bool");
        assert_eq!(known["bp.secureflashloader.fname"], "");
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        let known = list(LIST);
        let check = |word: &str, expected: &[(&str, &str)]| {
            let found = super::check(&["-C".to_owned(), word.to_owned()], &known, "FVP");
            let found: Vec<_> = found.iter().map(|one| (one.message.clone(), one.help.clone())).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(message, help)| ((*message).to_owned(), Some((*help).to_owned())))
                .collect();
            assert_eq!(found, expected, "{word}");
        };
        check("bp.terminal_0.start_telnet=0", &[]);
        check("FVP_X.bp.terminal_0.start_telnet=0", &[]);
        check("*.start_telnet=0", &[]);
        check(
            "bp.terminal_0.start_telnets=0",
            &[(
                "FVP has no parameter `bp.terminal_0.start_telnets`",
                "did you mean `bp.terminal_0.start_telnet`?",
            )],
        );
        check(
            "motherboard.secureflashloader.fname=x",
            &[(
                "FVP has no parameter `motherboard.secureflashloader.fname`",
                "did you mean `bp.secureflashloader.fname`?",
            )],
        );
        check(
            "bp.dram.enable_atomic_ops=1",
            &[(
                "FVP has no parameter `bp.dram.enable_atomic_ops`",
                "since 11.17 it is `bp.s_dram.enable_atomic_ops`",
            )],
        );
        check(
            "bp.terminal_0.start_telnet=no",
            &[("`bp.terminal_0.start_telnet` of FVP is a boolean, not `no`", "give it 0 or 1")],
        );
    }

    #[test]
    fn parameters_of_a_plugin_are_its_own_affair() {
        let known = list(LIST);
        let words = ["--plugin=T.so", "-C", "TRACE.Tarmac.trace-file=x"].map(str::to_owned);
        assert!(check(&words, &known, "FVP").is_empty());
        assert!(check(&words[1..], &known, "FVP").has_errors());
    }
}
