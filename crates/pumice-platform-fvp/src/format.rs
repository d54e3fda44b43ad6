//! `{LABEL}` as Python's `str.format` reads it (lava-compat 10.2).

use std::collections::BTreeMap;

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FormatError {
    /// A field that nothing has the name of.
    Unknown(String),
    /// A brace without its other.
    SingleBrace,
}

/// The names of the fields in a text.
pub(crate) fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// `text` with each `{NAME}` replaced by the value of that name, and doubled braces made single. A conversion or a
/// format behind the name (`{NAME!r}`, `{NAME:>3}`) says nothing of a path and is passed over.
pub(crate) fn format(text: &str, values: &BTreeMap<String, String>) -> Result<String, FormatError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let end = rest.find('}').filter(|_| brace == "{").ok_or(FormatError::SingleBrace)?;
        let field = &rest[..end];
        let name = field.split([':', '!']).next().unwrap_or(field);
        out.push_str(values.get(name).ok_or_else(|| FormatError::Unknown(name.to_owned()))?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_replaced_and_doubled_braces_made_single() {
        let values = BTreeMap::from([("BL1".to_owned(), "/a/{b}".to_owned())]);
        let check = |text: &str, expected: Result<&str, FormatError>| {
            assert_eq!(format(text, &values), expected.map(str::to_owned), "{text}");
        };
        check("-C x={BL1}", Ok("-C x=/a/{b}"));
        check("{{BL1}} {BL1!s}", Ok("{BL1} /a/{b}"));
        check("{bl1}", Err(FormatError::Unknown("bl1".to_owned())));
        check("a } b", Err(FormatError::SingleBrace));
        check("a { b", Err(FormatError::SingleBrace));
    }
}
