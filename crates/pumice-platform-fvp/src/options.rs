//! The options of a model's command line, as far as the driver must understand them (fastmodels 2.1 to 2.3).

/// Whose options a program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `-C instance.parameter=value` and the like: every FVP, RTSM and ISIM.
    Parameters,
    /// The same, for a shared library that `model_shell` loads (fastmodels 2.2).
    Shell,
    /// Long options of its own: the Foundation model (fastmodels 2.3).
    Foundation,
}

impl Dialect {
    /// By the name of the program.
    pub(crate) fn of(program: &str) -> Self {
        let name = program.rsplit('/').next().unwrap_or(program);
        if name.starts_with("Foundation") {
            Self::Foundation
        } else if name.starts_with("model_shell") {
            Self::Shell
        } else {
            Self::Parameters
        }
    }
}

/// Every `name=value` given by `-C` or `--parameter`, in the order of the words. Values given by `-f` are not
/// among them.
pub(crate) fn parameters(words: &[String]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let given = match word {
            "-C" | "--parameter" => words.next(),
            _ => word.strip_prefix("--parameter=").or_else(|| word.strip_prefix("-C")),
        };
        found.extend(given.and_then(|given| given.split_once('=')));
    }
    found
}

/// The value that a parameter has in the end: the last one given counts.
pub(crate) fn parameter<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    parameters(words).into_iter().rfind(|(given, _)| *given == name).map(|(_, value)| value)
}

/// The shared library that a Model Shell is given: behind `-m`, or by itself (fastmodels 2.2).
pub(crate) fn shell_library(words: &[String]) -> Option<&str> {
    words.iter().map(String::as_str).find(|word| is_named(word, "so"))
}

/// Whether a plug-in is loaded: it brings parameters of its own that `--list-params` of the model alone has not.
pub(crate) fn has_plugin(words: &[String]) -> bool {
    words.iter().any(|word| word.starts_with("--plugin") || word.starts_with("--trace-plugin"))
}

/// The option that keeps a model from running until a debugger tells it to (fastmodels 2.1: `-I`, `-S`), unless `-R` is
/// there too.
fn waits_for_debugger(words: &[String]) -> Option<&str> {
    let is_server = |name: &str| matches!(name, "--iris-server" | "--cadi-server");
    // Short options without a value may stand together: `-IRp`.
    let is_among = |word: &str, wanted: &[char]| {
        let letters = word.strip_prefix('-').unwrap_or_default();
        !letters.is_empty()
            && letters.chars().all(|one| "SIApRLDPqK".contains(one))
            && letters.contains(wanted)
    };
    let mut words = words.iter().map(String::as_str).collect::<Vec<_>>();
    // What belongs to an option is no option.
    let values: Vec<_> =
        (1..words.len()).filter(|&at| matches!(words[at - 1], "-C" | "-a" | "-d" | "-f")).collect();
    for at in values.into_iter().rev() {
        words.remove(at);
    }
    let runs = words.iter().any(|word| *word == "--run" || is_among(word, &['R']));
    words.into_iter().find(|word| !runs && (is_server(word) || is_among(word, &['S', 'I'])))
}

/// What to know of a model that waits for a debugger.
pub(crate) fn debugger_note(words: &[String]) -> Option<String> {
    let option = waits_for_debugger(words)?;
    Some(format!(
        "`{option}`: the model waits for a debugger before it runs; `--run` beside it lets it run at once"
    ))
}

/// Whether the last part of a dotted name is `last`.
pub(crate) fn is_named(name: &str, last: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, own)| own == last)
}

/// Whether a value switches something on.
pub(crate) fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "0x0" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn parameters_are_found_in_every_form() {
        let words =
            words(&["--stat", "-C", "a.b=1", "--parameter=c=d=e", "--parameter", "f=", "-Cg=2", "-C", "x"]);
        assert_eq!(parameters(&words), [("a.b", "1"), ("c", "d=e"), ("f", ""), ("g", "2")]);
    }

    #[test]
    fn the_last_value_counts() {
        assert_eq!(parameter(&words(&["-C", "a=1", "-C", "a=2"]), "a"), Some("2"));
    }

    #[test]
    fn a_debug_server_holds_the_model_unless_it_is_told_to_run() {
        let check = |list: &[&str], expected: Option<&str>| {
            assert_eq!(waits_for_debugger(&words(list)), expected, "{list:?}");
        };
        check(&["--iris-server", "-p"], Some("--iris-server"));
        check(&["--stat", "-Sp"], Some("-Sp"));
        check(&["-IRp"], None);
        check(&["-S", "--run"], None);
        check(&["-C", "-S", "-a", "-I"], None);
        check(&["-s", "DIR", "--stat"], None);
    }

    #[test]
    fn dialects_are_told_by_the_programs_name() {
        assert_eq!(Dialect::of("/opt/FVP_Base_RevC-2xAEMvA"), Dialect::Parameters);
        assert_eq!(Dialect::of("Foundation_Platform"), Dialect::Foundation);
        assert_eq!(Dialect::of("/opt/arm/bin/model_shell64"), Dialect::Shell);
    }
}
