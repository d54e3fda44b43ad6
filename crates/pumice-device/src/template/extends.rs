//! Which device type a dictionary extends, without rendering it.

use thiserror::Error;

/// A dictionary must extend one device type, named by a literal. LAVA takes the name of the health check from
/// it (lava-compat 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExtendsError {
    /// There is no `extends`.
    #[error("the dictionary extends no device type; begin it with {{% extends 'TYPE.jinja2' %}}")]
    None,
    /// There is more than one.
    #[error("the dictionary extends more than one device type: {0} and {1}")]
    Several(String, String),
    /// The name is an expression.
    #[error("the device type to extend must be a quoted name, not `{0}`")]
    Dynamic(String),
}

/// The template that a dictionary extends, for example `qemu.jinja2`.
///
/// # Errors
/// See [`ExtendsError`].
pub fn base_template(dictionary: &str) -> Result<String, ExtendsError> {
    let mut found = None;
    for tag in (Tags { rest: dictionary }) {
        let Some(argument) = tag.strip_prefix("extends").filter(|rest| !rest.starts_with(is_word)) else {
            continue;
        };
        let name =
            quoted(argument.trim()).ok_or_else(|| ExtendsError::Dynamic(argument.trim().to_owned()))?;
        if let Some(first) = found.replace(name.to_owned()) {
            return Err(ExtendsError::Several(first, name.to_owned()));
        }
    }
    found.ok_or(ExtendsError::None)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text between one pair of quotes that is all there is.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

/// The insides of the `{% %}` tags of a template, trimmed; nothing in comments and raw blocks.
struct Tags<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tags<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let open = self.rest.find("{%").into_iter().chain(self.rest.find("{#")).min()?;
            let inside = &self.rest[open + 2..];
            if self.rest[open..].starts_with("{#") {
                self.rest = after(inside, "#}");
                continue;
            }
            let close = inside.find("%}")?;
            self.rest = &inside[close + 2..];
            let tag = inside[..close].trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
            if tag == "raw" {
                self.rest = after(self.rest, "endraw");
                continue;
            }
            return Some(tag);
        }
    }
}

/// What follows the first `mark`; nothing when there is none.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.find(mark).map_or("", |at| &text[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_type_is_the_one_literal_that_is_extended() {
        let check = |text: &str, expected: Result<&str, ExtendsError>| {
            assert_eq!(base_template(text), expected.map(str::to_owned), "{text}");
        };
        check("{% extends 'qemu.jinja2' %}\n{% set x = 1 %}", Ok("qemu.jinja2"));
        check("{% set x = 1 %}{%- extends \"a.jinja2\" -%}", Ok("a.jinja2"));
        check("{# {% extends 'old.jinja2' %} #}{% extends 'new.jinja2' %}", Ok("new.jinja2"));
        check("{% raw %}{% extends 'x' %}{% endraw %}{% extends 'y' %}", Ok("y"));
        check("{% set extends_what = 'x' %}", Err(ExtendsError::None));
        check("", Err(ExtendsError::None));
        check("{% extends", Err(ExtendsError::None));
        check("{% extends base %}", Err(ExtendsError::Dynamic("base".to_owned())));
        check("{% extends 'a' ~ 'b' %}", Err(ExtendsError::Dynamic("'a' ~ 'b'".to_owned())));
        let both = ExtendsError::Several("a".to_owned(), "b".to_owned());
        check("{% extends 'a' %}{% extends 'b' %}", Err(both));
    }
}
