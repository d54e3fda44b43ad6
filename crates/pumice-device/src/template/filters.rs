//! The filters that LAVA's templates know beside Jinja2's own (lava-compat 2.2).

use minijinja::{Environment, Error, ErrorKind, value::Value};

/// Makes them known under LAVA's names.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("shlex_quote", shlex_quote);
    environment.add_filter("yaml_quote", yaml_quote);
    environment.add_filter("qemu_guest_fs_interface", guest_disk_interface);
}

/// Python's `shlex.quote`: as one word of a POSIX shell.
fn shlex_quote(text: String) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(is_safe) {
        return text;
    }
    format!("'{}'", text.replace('\'', r#"'"'"'"#))
}

/// As YAML on one line, whatever it holds. JSON is YAML.
fn yaml_quote(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::BadSerialization, format!("cannot be written as YAML: {error}"))
    })
}

/// The interface of the disk that carries an overlay: the one asked for, else what the architecture's default
/// machine has.
fn guest_disk_interface(interface: &Value, architecture: &Value) -> String {
    match interface.as_str() {
        Some(interface) if !interface.is_empty() => interface.to_owned(),
        _ if matches!(architecture.as_str(), Some("amd64" | "x86_64" | "i386")) => "ide".to_owned(),
        _ => "virtio".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_the_shell_is_quoted_as_python_quotes_it() {
        let check = |text: &str, expected: &str| assert_eq!(shlex_quote(text.to_owned()), expected);
        check("a-b_c/d.e:f,g@h%i+j=k", "a-b_c/d.e:f,g@h%i+j=k");
        check("", "''");
        check("a b", "'a b'");
        check("it's", r#"'it'"'"'s'"#);
        check("é", "'é'");
    }

    #[test]
    fn a_value_quoted_for_yaml_is_read_back_as_itself() {
        for text in ["a: b", "- x", "yes", "0755", "\"q\"\n", "", "#", "[1", "é"] {
            let quoted = yaml_quote(&Value::from(text)).unwrap();
            assert!(!quoted.contains('\n'));
            let (node, _) = pumice_yaml::parse(&quoted, pumice_types::SourceId(0));
            assert_eq!(node.unwrap().as_str(), Some(text), "{quoted}");
        }
        let list = Value::from(vec!["a", "b c"]);
        assert_eq!(yaml_quote(&list).unwrap(), r#"["a","b c"]"#);
    }
}
