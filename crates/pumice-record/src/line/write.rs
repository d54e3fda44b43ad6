//! A record to its line.

use std::fmt::Write as _;

use pumice_types::Mask;
use serde_json::Value;

use crate::{LogRecord, Message};

/// A line of this many characters or more is not written; its message is replaced (lava-compat 3.3).
pub const MAX_LINE: usize = 100_000;

/// A longer key is begun by a question mark, as PyYAML's dumper does: its reader takes no plain key of more than 1,024
/// characters.
const LONG_KEY: usize = 128;

/// What stands for the message of a line that is too long.
const TOO_LONG: &str = "<line way too long ...>";

/// Adds the line of `record` to `out`, without the `- ` that begins it in a file and without a line feed.
///
/// The line is what PyYAML's safe dumper makes of it, read back the same by PyYAML and by a strict YAML 1.2 reader:
/// strings in double quotes, everything outside printable ASCII escaped, so that no reader that splits lines at
/// U+2028 or form feeds cuts it; numbers plain, where LAVA writes `! "12"`, which strict readers take for text.
pub fn write_line(record: &LogRecord, mask: &Mask, out: &mut String) {
    let start = out.len();
    let message = match &record.message {
        Message::Text(text) if text.len() < MAX_LINE => Some(Value::from(text.as_str())),
        Message::Text(_) => None,
        Message::Structured(value) => Some(value.clone()),
    };
    if let Some(message) = &message {
        write_with(record, message, mask, out);
    }
    if message.is_none() || out.len() - start >= MAX_LINE {
        out.truncate(start);
        let replacement = match &record.message {
            Message::Text(_) => TOO_LONG.into(),
            Message::Structured(_) => serde_json::json!({ "skip": TOO_LONG }),
        };
        write_with(record, &replacement, mask, out);
    }
}

fn write_with(record: &LogRecord, message: &Value, mask: &Mask, out: &mut String) {
    let _ = write!(out, "{{\"dt\": \"{}\", \"lvl\": \"{}\", \"msg\": ", record.at, record.level);
    value(message, mask, out);
    if let Some(namespace) = &record.namespace {
        out.push_str(", \"ns\": ");
        quoted(&mask.apply(namespace), out);
    }
    out.push('}');
}

/// Adds a value in flow style.
pub(crate) fn value(value: &Value, mask: &Mask, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let text = number_text(number);
            let masked = mask.apply(&text);
            if masked == text { out.push_str(&text) } else { quoted(&masked, out) }
        }
        Value::String(text) => quoted(&mask.apply(text), out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                self::value(item, mask, out);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                let start = out.len();
                quoted(&mask.apply(key), out);
                if out.len() - start > LONG_KEY {
                    out.insert_str(start, "? ");
                    out.push(' ');
                }
                out.push_str(": ");
                self::value(item, mask, out);
            }
            out.push('}');
        }
    }
}

/// A number that PyYAML and YAML 1.2 read as the same number: PyYAML wants a dot and a signed exponent.
fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return text };
    let dot = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{digits}{dot}e{sign}{exponent}")
}

/// Adds `text` in double quotes.
pub(crate) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\e"),
            ' '..='~' => out.push(c),
            _ => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02X}"),
                    0x100..=0xffff => write!(out, "\\u{code:04X}"),
                    _ => write!(out, "\\U{code:08X}"),
                };
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogLevel, Timestamp};

    const AT: Timestamp = Timestamp(1_785_837_600_123_456);

    #[track_caller]
    fn check(message: Message, expected: &str) {
        let record = LogRecord { at: AT, level: LogLevel::Info, message, namespace: None };
        let mut line = String::new();
        write_line(&record, &Mask::new(["12".to_owned(), "\"msg\"".to_owned()]), &mut line);
        let expected = format!(
            "{{\"dt\": \"2026-08-04T10:00:00.123456+00:00\", \"lvl\": \"info\", \"msg\": {expected}}}"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn every_byte_outside_printable_ascii_is_escaped() {
        check(
            Message::Text("a\"\\\u{1b}[1m\0\té\u{2028}\u{85}😀\n".to_owned()),
            r#""a\"\\\e[1m\0\t\xE9\u2028\x85\U0001F600\n""#,
        );
    }

    #[test]
    fn numbers_are_plain_and_floats_are_pyyamls() {
        check(
            Message::Structured(
                serde_json::json!({"a": 5, "b": 42.0, "c": 1e300, "d": null, "e": [true, {}]}),
            ),
            r#"{"a": 5, "b": 42.0, "c": 1.0e+300, "d": null, "e": [true, {}]}"#,
        );
    }

    #[test]
    fn secrets_are_masked_in_values_and_never_in_the_syntax() {
        check(
            Message::Structured(serde_json::json!({"k12": "x \"msg\" y", "n": 3124})),
            r#"{"k[MASKED]": "x [MASKED] y", "n": "3[MASKED]4"}"#,
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_replaced() {
        check(Message::Text("é".repeat(MAX_LINE / 4)), "\"<line way too long ...>\"");
        check(
            Message::Structured(serde_json::json!({"a": "x".repeat(MAX_LINE)})),
            r#"{"skip": "<line way too long ...>"}"#,
        );
    }
}
