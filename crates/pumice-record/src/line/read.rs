//! A line to its record.

use serde_json::{Map, Number, Value};

use crate::{LogLevel, LogRecord, Message, Timestamp};

/// Lists and mappings inside one another; more are not read.
const MAX_DEPTH: usize = 64;

/// A line that is not a log record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not in the form.
    #[error("not a log line: {what} expected at byte {at}")]
    Syntax {
        /// What was expected.
        what: &'static str,
        /// Where, in bytes from the beginning of the line.
        at: usize,
    },
    /// A part of the record is missing or of another kind.
    #[error("not a log line: `{0}` is missing or unknown")]
    Field(&'static str),
}

/// Reads a log file: one record a line, each begun by `- `; empty lines are passed over.
pub fn read_log(text: &str) -> impl Iterator<Item = Result<LogRecord, LineError>> {
    text.split('\n').filter(|line| !line.trim().is_empty()).map(read_line)
}

/// Reads one line, with or without `- ` before it. Takes what we write, and what PyYAML writes with and without
/// libyaml: `! "12"` and `!!int "12"` are numbers (lava-compat 3.3).
pub fn read_line(line: &str) -> Result<LogRecord, LineError> {
    let line = line.trim_end();
    let start = if line.starts_with("- ") { 2 } else { 0 };
    let mut parser = Parser { text: line, at: start };
    let record = parser.value(0)?;
    parser.blanks();
    if parser.at < line.len() {
        return Err(parser.expected("the end of the line"));
    }
    let text = |key: &'static str| record.get(key).and_then(Value::as_str).ok_or(LineError::Field(key));
    Ok(LogRecord {
        at: Timestamp::parse(text("dt")?).ok_or(LineError::Field("dt"))?,
        level: LogLevel::from_word(text("lvl")?).ok_or(LineError::Field("lvl"))?,
        namespace: record.get("ns").and_then(Value::as_str).map(str::to_owned),
        message: match record.get("msg").ok_or(LineError::Field("msg"))? {
            Value::String(text) => Message::Text(text.clone()),
            other => Message::Structured(other.clone()),
        },
    })
}

/// Reads the part of YAML's flow style that log lines use.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, LineError> {
        self.blanks();
        if depth > MAX_DEPTH {
            return Err(self.expected("fewer than 64 levels"));
        }
        match self.peek() {
            Some('{') => self.mapping(depth),
            Some('[') => self.list(depth),
            Some('"') => self.double_quoted().map(Value::String),
            Some('\'') => self.single_quoted().map(Value::String),
            Some('!') => self.tagged(depth),
            _ => self.plain(),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, LineError> {
        let mut map = Map::new();
        self.expect('{', "`{`")?;
        loop {
            self.blanks();
            if self.take('}') {
                return Ok(Value::Object(map));
            }
            // Written by PyYAML before a key of more than 128 characters.
            if self.text[self.at..].starts_with("? ") {
                self.at += 2;
            }
            let key = match self.value(depth + 1)? {
                Value::String(text) => text,
                other => other.to_string(),
            };
            self.blanks();
            self.expect(':', "`:`")?;
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.blanks();
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, LineError> {
        let mut items = Vec::new();
        self.expect('[', "`[`")?;
        loop {
            self.blanks();
            if self.take(']') {
                return Ok(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.blanks();
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    /// `! "12"`: resolved as if it were plain; `!!str "12"`: text; `!!int "12"` and the like: as if plain.
    fn tagged(&mut self, depth: usize) -> Result<Value, LineError> {
        let end = self.text[self.at..].find(' ').ok_or_else(|| self.expected("a value after the tag"))?;
        let is_text = &self.text[self.at..self.at + end] == "!!str";
        self.at += end;
        Ok(match self.value(depth + 1)? {
            Value::String(text) if !is_text => resolve(&text),
            other => other,
        })
    }

    fn plain(&mut self) -> Result<Value, LineError> {
        let rest = &self.text[self.at..];
        let ends = |(at, c): (usize, char)| {
            matches!(c, ',' | '}' | ']' | '{' | '[')
                || (c == ':' && rest[at + 1..].chars().next().is_none_or(|next| " ,}]".contains(next)))
        };
        let end = rest.char_indices().find(|&found| ends(found)).map_or(rest.len(), |(at, _)| at);
        let text = rest[..end].trim_end();
        if text.is_empty() {
            return Err(self.expected("a value"));
        }
        self.at += end;
        Ok(resolve(text))
    }

    fn double_quoted(&mut self) -> Result<String, LineError> {
        self.expect('"', "`\"`")?;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = rest.find(['"', '\\']).ok_or_else(|| self.expected("a closing `\"`"))?;
            text.push_str(&rest[..stop]);
            self.at += stop + 1;
            if rest.as_bytes()[stop] == b'"' {
                return Ok(text);
            }
            self.escape(&mut text)?;
        }
    }

    /// YAML 1.2, section 5.7.
    fn escape(&mut self, text: &mut String) -> Result<(), LineError> {
        let code = self.peek().ok_or_else(|| self.expected("an escape"))?;
        self.at += code.len_utf8();
        let digits = match code {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => {
                text.push(match code {
                    '0' => '\0',
                    'a' => '\x07',
                    'b' => '\x08',
                    't' | '\t' => '\t',
                    'n' => '\n',
                    'v' => '\x0b',
                    'f' => '\x0c',
                    'r' => '\r',
                    'e' => '\x1b',
                    ' ' | '"' | '/' | '\\' => code,
                    'N' => '\u{85}',
                    '_' => '\u{a0}',
                    'L' => '\u{2028}',
                    'P' => '\u{2029}',
                    _ => return Err(self.expected("an escape")),
                });
                return Ok(());
            }
        };
        let hex =
            self.text.get(self.at..self.at + digits).ok_or_else(|| self.expected("hexadecimal digits"))?;
        let code = u32::from_str_radix(hex, 16).map_err(|_| self.expected("hexadecimal digits"))?;
        self.at += digits;
        // A surrogate alone, as PyYAML writes bytes that were not UTF-8, is no character.
        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn single_quoted(&mut self) -> Result<String, LineError> {
        self.expect('\'', "`'`")?;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = rest.find('\'').ok_or_else(|| self.expected("a closing `'`"))?;
            text.push_str(&rest[..stop]);
            self.at += stop + 1;
            if !self.take('\'') {
                return Ok(text);
            }
            text.push('\'');
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, c: char, what: &'static str) -> Result<(), LineError> {
        if self.take(c) { Ok(()) } else { Err(self.expected(what)) }
    }

    fn blanks(&mut self) {
        while self.take(' ') {}
    }

    fn expected(&self, what: &'static str) -> LineError {
        LineError::Syntax { what, at: self.at }
    }
}

/// What a plain scalar is; only the kinds that logs have.
fn resolve(text: &str) -> Value {
    match text {
        "null" | "~" | "" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::from(number);
    }
    let looks = text.contains(['.', 'e']) && text.bytes().all(|byte| b"0123456789.eE+-".contains(&byte));
    let float = if looks { text.parse::<f64>().ok().and_then(Number::from_f64) } else { None };
    float.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use pumice_types::Mask;

    use super::*;
    use crate::write_line;

    #[track_caller]
    fn check(message: &str, expected: &Value) {
        let line = format!(
            r#"- {{"dt": "2026-08-04T10:00:00+00:00", "lvl": "results", "msg": {message}, "ns": "a"}}"#
        );
        let record = read_line(&line).unwrap();
        let found = match record.message {
            Message::Text(text) => Value::String(text),
            Message::Structured(value) => value,
        };
        assert_eq!((&found, record.namespace.as_deref()), (expected, Some("a")));
    }

    #[test]
    fn numbers_are_read_from_every_writer() {
        for text in ["12", "! \"12\"", "!!int \"12\""] {
            check(text, &Value::from(12));
        }
        for text in ["3.5", "! \"3.5\"", "!!float \"3.5\"", "35.0e-1"] {
            check(text, &Value::from(3.5));
        }
        check("! \"true\"", &Value::Bool(true));
        check("!!null \"null\"", &Value::Null);
        check("!!str \"12\"", &Value::from("12"));
        check("\"12\"", &Value::from("12"));
    }

    #[test]
    fn flow_style_is_read_as_yaml_reads_it() {
        check(
            "{a: 'it''s', \"b\": [x y, {}], ? \"k\" : ! \"1\"}",
            &serde_json::json!({"a": "it's", "b": ["x y", {}], "k": 1}),
        );
        check(r#""\e\x41\u2028\N\/""#, &Value::from("\u{1b}A\u{2028}\u{85}/"));
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_place() {
        let error = |line: &str| read_line(line).unwrap_err().to_string();
        assert_eq!(error("{\"dt\": \"x"), "not a log line: a closing `\"` expected at byte 8");
        assert_eq!(error("{}"), "not a log line: `dt` is missing or unknown");
        assert_eq!(error("{} x"), "not a log line: the end of the line expected at byte 3");
        assert!(read_line(&"[".repeat(100_000)).is_err());
        assert!(read_line("{\"a\": \"\\ué\"}").is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "é \u{1b}[0m \u{2028} \u{10ffff} \"quoted\" \\ \u{7f}\u{85}";
        let record = LogRecord {
            at: Timestamp(1),
            level: LogLevel::Feedback,
            message: Message::Structured(serde_json::json!({text: [text, 1, -2.5, 1e22, null, true]})),
            namespace: Some(text.to_owned()),
        };
        let mut line = String::new();
        write_line(&record, &Mask::default(), &mut line);
        assert_eq!(read_line(&line), Ok(record));
    }
}
