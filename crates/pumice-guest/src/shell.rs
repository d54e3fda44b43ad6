//! Text for a POSIX shell.

/// `text` as one word, whatever is in it.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether `name` can be a variable of the shell.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_leaves_nothing_for_the_shell_to_read() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn a_variable_is_an_identifier() {
        for good in ["A", "_", "a1"] {
            assert!(is_variable(good));
        }
        for bad in ["", "1a", "a-b", "é"] {
            assert!(!is_variable(bad), "{bad}");
        }
    }
}
