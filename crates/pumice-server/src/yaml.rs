//! Writing YAML as PyYAML's `safe_dump` does: block style, keys in order, plain text where it stays text.

use std::fmt::Write as _;

use pumice_types::SourceId;
use pumice_yaml::{Node, Value as Yaml};
use serde_json::Value;

/// A document, with a newline at its end.
pub(crate) fn dump(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(entries) if !entries.is_empty() => object(&mut text, value, 0),
        Value::Array(items) if !items.is_empty() => array(&mut text, items, 0),
        other => {
            scalar(&mut text, other);
            text.push('\n');
        }
    }
    text
}

/// A read document, written again.
pub(crate) fn dump_node(node: &Node) -> String {
    dump(&node.to_json())
}

/// The JSON a YAML text stands for; `None` when it cannot be read.
pub(crate) fn read(text: &str) -> Option<Value> {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId::default());
    node.filter(|_| !diagnostics.has_errors()).map(|node| node.to_json())
}

fn object(text: &mut String, value: &Value, indent: usize) {
    let Value::Object(entries) = value else { return };
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            text.extend(std::iter::repeat_n(' ', indent));
        }
        string(text, key);
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent + 2));
                object(text, value, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent));
                array(text, items, indent);
            }
            other => {
                text.push(' ');
                scalar(text, other);
                text.push('\n');
            }
        }
    }
}

fn array(text: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.extend(std::iter::repeat_n(' ', indent));
        }
        text.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => object(text, item, indent + 2),
            Value::Array(inner) if !inner.is_empty() => array(text, inner, indent + 2),
            other => {
                scalar(text, other);
                text.push('\n');
            }
        }
    }
}

fn scalar(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::String(content) => string(text, content),
        // What YAML calls empty is what JSON calls empty.
        other => text.push_str(&other.to_string()),
    }
}

fn string(text: &mut String, content: &str) {
    if is_plain(content) {
        text.push_str(content);
    } else if content.chars().all(|c| c == '\t' || !c.is_control() && !is_break(c)) {
        text.push('\'');
        text.push_str(&content.replace('\'', "''"));
        text.push('\'');
    } else {
        double_quoted(text, content);
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether a text without quotes is read as the same text.
fn is_plain(content: &str) -> bool {
    let mut letters = content.chars();
    let Some(first) = letters.next() else { return false };
    let second = letters.next();
    let begins = match first {
        '-' | '?' | ':' => second.is_some_and(|c| c != ' '),
        _ => !",[]{}#&*!|>'\"%@`=<".contains(first) && first != ' ',
    };
    begins
        && !content.ends_with([' ', ':'])
        && !content.contains(": ")
        && !content.contains(" #")
        && content.chars().all(|c| !c.is_control() && !is_break(c))
        && !content.starts_with("---")
        && !content.starts_with("...")
        && reads_as_text(content)
}

/// Whether the reader takes it for text, and not for a number, a date, a truth or nothing.
fn reads_as_text(content: &str) -> bool {
    // PyYAML makes dates of these, whatever else reads them.
    if content.len() >= 10
        && content.as_bytes()[4] == b'-'
        && content.bytes().take(4).all(|b| b.is_ascii_digit())
    {
        return false;
    }
    let may_be_else =
        content.starts_with(|c: char| c.is_ascii_digit() || "+-.~".contains(c)) || content.len() <= 6;
    if !may_be_else {
        return true;
    }
    let (node, diagnostics) = pumice_yaml::parse(content, SourceId::default());
    diagnostics.is_empty()
        && node.is_some_and(|node| matches!(&node.value, Yaml::String(text) if text == content))
}

fn double_quoted(text: &mut String, content: &str) {
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{1b}' => text.push_str("\\e"),
            '\0' => text.push_str("\\0"),
            c if c.is_control() && u32::from(c) < 0x100 => {
                let _ = write!(text, "\\x{:02X}", u32::from(c));
            }
            c if is_break(c) => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_look_as_pyyaml_writes_them() {
        let value = json!({
            "name": "t3", "job": "43", "unit": "", "result": "pass", "measurement": "None",
            "list": ["a", {"b": 1, "c": []}, ["d"]], "metadata": {"case": "t3", "measurement": 42.0},
            "prompts": ["root@guest:"], "none": null, "yes": "yes", "date": "2026-11-22 11:23:26.624799+00:00",
        });
        let expected = "name: t3\njob: '43'\nunit: ''\nresult: pass\nmeasurement: None\nlist:\n- a\n- b: 1\n  c: []\n- - d\n\
                        metadata:\n  case: t3\n  measurement: 42.0\nprompts:\n- 'root@guest:'\nnone: null\n'yes': 'yes'\n\
                        date: '2026-11-22 11:23:26.624799+00:00'\n";
        assert_eq!(dump(&value), expected);
        assert_eq!(dump(&json!([])), "[]\n");
    }

    #[test]
    fn whatever_is_written_is_read_as_the_same() {
        let texts = [
            "",
            " ",
            "a b",
            "-x",
            "- x",
            "a: b",
            "a #b",
            "x:",
            "#",
            "12",
            "0755",
            "1:30",
            "1e3",
            "~",
            "null",
            "No",
            "on",
            "0x1f",
            "é",
            "\u{1b}[1m",
            "a\nb",
            "\t",
            "'",
            "\"",
            "\\",
            "=",
            "<<",
            "%x",
            "@x",
            "`",
            "{a}",
            "[a]",
            "...",
            "---",
            "\u{85}",
            "\u{2028}",
            "-kernel {kernel} --append \"console=ttyAMA0,115200 rdinit=/init\"",
            "2026-11-22",
        ];
        for text in texts {
            let value = json!({ "k": text, text: [text] });
            assert_eq!(read(&dump(&value)), Some(value), "{text:?}");
        }
    }
}
