//! Answers as XML.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::Value;

/// The answer to a call that succeeded.
pub fn response(value: &Value) -> String {
    let mut params = String::from("<params>\n<param>\n");
    write(&mut params, value);
    params.push_str("</param>\n</params>\n");
    method_response(&params)
}

/// The answer to a call that was refused.
pub fn fault(code: i64, message: &str) -> String {
    let mut fault = String::from("<fault>\n");
    write(&mut fault, &Value::fault(code, message));
    fault.push_str("</fault>\n");
    method_response(&fault)
}

fn method_response(content: &str) -> String {
    format!("<?xml version='1.0'?>\n<methodResponse>\n{content}</methodResponse>\n")
}

fn write(text: &mut String, value: &Value) {
    text.push_str("<value>");
    match value {
        Value::Nil => text.push_str("<nil/>"),
        Value::Int(number) => element(text, "int", &number.to_string()),
        Value::Bool(value) => element(text, "boolean", if *value { "1" } else { "0" }),
        Value::Double(number) => element(text, "double", &number.to_string()),
        Value::String(content) => element(text, "string", content),
        Value::DateTime(time) => {
            let civil = time.civil();
            let _ = write!(
                text,
                "<dateTime.iso8601>{:04}{:02}{:02}T{:02}:{:02}:{:02}</dateTime.iso8601>",
                civil.year(),
                civil.month(),
                civil.day(),
                civil.hour(),
                civil.minute(),
                civil.second()
            );
        }
        Value::Binary(bytes) => element(text, "base64", &BASE64_STANDARD.encode(bytes)),
        Value::Array(items) => {
            text.push_str("<array><data>\n");
            for item in items {
                write(text, item);
            }
            text.push_str("</data></array>");
        }
        Value::Struct(members) => {
            text.push_str("<struct>\n");
            for (name, value) in members {
                text.push_str("<member>\n");
                element(text, "name", name);
                text.push('\n');
                write(text, value);
                text.push_str("</member>\n");
            }
            text.push_str("</struct>");
        }
    }
    text.push_str("</value>\n");
}

fn element(text: &mut String, name: &str, content: &str) {
    let _ = write!(text, "<{name}>");
    for c in content.chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            // A bare one would be read as a newline.
            '\r' => text.push_str("&#13;"),
            '\n' | '\t' => text.push(c),
            // XML 1.0 has no place for other control characters, however they are written.
            c if c.is_control() && u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            c => text.push(c),
        }
    }
    let _ = write!(text, "</{name}>");
}
