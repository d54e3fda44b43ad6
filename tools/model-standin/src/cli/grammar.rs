//! Splitting a command line into options and operands (reference, section 2.1).
//!
//! Case matters; short options may be clustered (`-IRp`); a value follows as the next word, or after `=` for a
//! long option, or directly for a short one.

use super::CliError;

/// One option of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule<K> {
    pub(super) short: Option<char>,
    pub(super) long: &'static str,
    /// The name of the value in the help; empty for an option that takes none.
    pub(super) value: &'static str,
    pub(super) about: &'static str,
    pub(super) key: K,
}

/// One word of the command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item<K> {
    Option(K, String),
    Operand(String),
}

/// Splits `words` by the rules. `--` ends the options.
pub(super) fn split<K: Copy>(rules: &[Rule<K>], words: &[String]) -> Result<Vec<Item<K>>, CliError> {
    let mut items = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            items.extend(rest.by_ref().map(|word| Item::Operand(word.clone())));
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let rule = rules
                .iter()
                .find(|rule| rule.long == name)
                .ok_or_else(|| CliError::Unrecognized { option: format!("--{name}") })?;
            let value = match (rule.value.is_empty(), attached) {
                (true, None) => String::new(),
                (true, Some(_)) => return Err(CliError::NoArgument { option: format!("--{name}") }),
                (false, Some(value)) => value.to_owned(),
                (false, None) => rest
                    .next()
                    .cloned()
                    .ok_or_else(|| CliError::MissingArgument { option: format!("--{name}") })?,
            };
            items.push(Item::Option(rule.key, value));
        } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            split_cluster(rules, cluster, &mut rest, &mut items)?;
        } else {
            items.push(Item::Operand(word.clone()));
        }
    }
    Ok(items)
}

/// The letters of one word of short options.
fn split_cluster<'a, K: Copy>(
    rules: &[Rule<K>],
    cluster: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    items: &mut Vec<Item<K>>,
) -> Result<(), CliError> {
    let mut letters = cluster.chars();
    while let Some(letter) = letters.next() {
        let rule =
            rules.iter().find(|rule| rule.short == Some(letter)).ok_or(CliError::InvalidLetter { letter })?;
        if rule.value.is_empty() {
            items.push(Item::Option(rule.key, String::new()));
            continue;
        }
        let attached = letters.as_str();
        let value = if attached.is_empty() {
            rest.next().cloned().ok_or_else(|| CliError::MissingArgument { option: format!("-{letter}") })?
        } else {
            attached.to_owned()
        };
        items.push(Item::Option(rule.key, value));
        return Ok(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [Rule<u8>; 3] = [
        Rule { short: Some('C'), long: "parameter", value: "INST.PARAM=VALUE", about: "", key: b'C' },
        Rule { short: Some('R'), long: "run", value: "", about: "", key: b'R' },
        Rule { short: Some('S'), long: "cadi-server", value: "", about: "", key: b'S' },
    ];

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let found = match split(&RULES, &words) {
            Err(error) => format!("error: {error}"),
            Ok(items) => {
                let shown: Vec<_> = items
                    .iter()
                    .map(|item| match item {
                        Item::Option(key, value) => format!("{}:{value}", char::from(*key)),
                        Item::Operand(word) => word.clone(),
                    })
                    .collect();
                shown.join(" ")
            }
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn options_are_split_in_every_form() {
        check("-RS -C a.b=1 x.axf", "R: S: C:a.b=1 x.axf");
        check("-RCa.b=1 --parameter=c.d=e=f", "R: C:a.b=1 C:c.d=e=f");
        check("--parameter -R --run", "C:-R R:");
        check("- -- -R --run", "- -R --run");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("-R -C", "error: option '-C' requires an argument");
        check("--parameter", "error: option '--parameter' requires an argument");
        check("--nonsense=1", "error: unrecognized option '--nonsense'");
        check("-Rx", "error: invalid option -- 'x'");
        check("--run=1", "error: option '--run' doesn't allow an argument");
    }
}
