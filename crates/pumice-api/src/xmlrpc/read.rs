//! Calls from XML. The text is hostile: no entities but XML's own, no document types, bounded depth.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pumice_types::Timestamp;
use quick_xml::{Reader, escape::unescape, events::Event};

use super::Value;

/// Arrays and structs inside one another.
const DEPTH: usize = 32;

/// A method and what it is called with.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The method's name.
    pub method: String,
    /// Its arguments, in order.
    pub params: Vec<Value>,
}

/// Why a call cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("parse error. not well formed: {0}")]
pub struct Malformed(String);

/// What the text consists of, blanks between elements left out.
enum Piece {
    Start(String),
    End,
    Text(String),
    Done,
}

struct Pieces<'t> {
    reader: Reader<&'t [u8]>,
    /// The end of an element that was written as `<x/>`.
    closing: bool,
    pushed_back: Option<Piece>,
}

impl Pieces<'_> {
    fn next(&mut self) -> Result<Piece, Malformed> {
        if let Some(piece) = self.pushed_back.take() {
            return Ok(piece);
        }
        if std::mem::take(&mut self.closing) {
            return Ok(Piece::End);
        }
        let mut text = String::new();
        loop {
            let at = self.reader.buffer_position();
            let event =
                self.reader.read_event().map_err(|error| Malformed(format!("{error} at byte {at}")))?;
            let piece = match event {
                Event::Start(start) => Piece::Start(start.local_name().as_ref().to_owned()),
                Event::Empty(empty) => {
                    self.closing = true;
                    Piece::Start(empty.local_name().as_ref().to_owned())
                }
                Event::End(_) => Piece::End,
                Event::Eof => Piece::Done,
                Event::Text(content) => {
                    text.push_str(&content);
                    continue;
                }
                Event::CData(content) => {
                    text.push_str(&content);
                    continue;
                }
                Event::GeneralRef(reference) => {
                    let raw = format!("&{};", &*reference);
                    let known = unescape(&raw).map_err(|error| Malformed(error.to_string()))?;
                    text.push_str(&known);
                    continue;
                }
                Event::DocType(_) => return Err(Malformed("document types are not taken".to_owned())),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => continue,
            };
            if text.is_empty() {
                return Ok(piece);
            }
            // The text comes first, then what ended it.
            self.pushed_back = Some(piece);
            return Ok(Piece::Text(text));
        }
    }

    /// The next start or end; text between elements must be blank.
    fn element(&mut self) -> Result<Piece, Malformed> {
        loop {
            match self.next()? {
                Piece::Text(text) if text.trim().is_empty() => {}
                Piece::Text(text) => {
                    return Err(Malformed(format!("`{}` is out of place", first_words(&text))));
                }
                other => return Ok(other),
            }
        }
    }

    fn start(&mut self, wanted: &str) -> Result<(), Malformed> {
        match self.element()? {
            Piece::Start(name) if name == wanted => Ok(()),
            _ => Err(Malformed(format!("<{wanted}> is missing"))),
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        match self.element()? {
            Piece::End => Ok(()),
            Piece::Start(name) => Err(Malformed(format!("<{name}> is out of place"))),
            _ => Err(Malformed("the text ends too early".to_owned())),
        }
    }

    /// The text up to the end of the present element.
    fn content(&mut self) -> Result<String, Malformed> {
        match self.next()? {
            Piece::Text(text) => {
                self.end()?;
                Ok(text)
            }
            Piece::End => Ok(String::new()),
            Piece::Start(name) => Err(Malformed(format!("<{name}> is out of place"))),
            Piece::Done => Err(Malformed("the text ends too early".to_owned())),
        }
    }

    /// What is inside a `<value>` that has begun, and its end.
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH {
            return Err(Malformed(format!("more than {DEPTH} values inside one another")));
        }
        let kind = match self.next()? {
            Piece::End => return Ok(Value::String(String::new())),
            Piece::Done => return Err(Malformed("the text ends too early".to_owned())),
            Piece::Start(kind) => kind,
            Piece::Text(text) => match self.next()? {
                // A value without a type is a string.
                Piece::End => return Ok(Value::String(text)),
                Piece::Start(kind) if text.trim().is_empty() => kind,
                _ => return Err(Malformed(format!("`{}` is out of place", first_words(&text)))),
            },
        };
        let value = self.typed(&kind, depth)?;
        self.end()?;
        Ok(value)
    }

    fn typed(&mut self, kind: &str, depth: usize) -> Result<Value, Malformed> {
        match kind {
            "struct" => return self.members(depth),
            "array" => return self.items(depth),
            _ => {}
        }
        let text = self.content()?;
        let wrong = || Malformed(format!("`{}` is not of type {kind}", first_words(&text)));
        Ok(match kind {
            "nil" => Value::Nil,
            "string" => Value::String(text),
            "int" | "i4" | "i8" => Value::Int(text.trim().parse().map_err(|_| wrong())?),
            "boolean" => match text.trim() {
                "0" | "false" => Value::Bool(false),
                "1" | "true" => Value::Bool(true),
                _ => return Err(wrong()),
            },
            "double" => Value::Double(text.trim().parse().map_err(|_| wrong())?),
            "dateTime.iso8601" => Value::DateTime(date(text.trim()).ok_or_else(wrong)?),
            "base64" => {
                let compact: String = text.split_whitespace().collect();
                Value::Binary(BASE64_STANDARD.decode(compact).map_err(|_| wrong())?)
            }
            _ => return Err(Malformed(format!("<{kind}> is not a type"))),
        })
    }

    fn items(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.start("data")?;
        let mut items = Vec::new();
        loop {
            match self.element()? {
                Piece::Start(name) if name == "value" => items.push(self.value(depth + 1)?),
                Piece::End => break,
                _ => return Err(Malformed("an array holds something else than values".to_owned())),
            }
        }
        self.end()?;
        Ok(Value::Array(items))
    }

    fn members(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut members = Vec::new();
        loop {
            match self.element()? {
                Piece::Start(name) if name == "member" => {
                    self.start("name")?;
                    let name = self.content()?;
                    self.start("value")?;
                    members.push((name, self.value(depth + 1)?));
                    self.end()?;
                }
                Piece::End => return Ok(Value::Struct(members)),
                _ => return Err(Malformed("a struct holds something else than members".to_owned())),
            }
        }
    }
}

fn first_words(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

/// `20261122T10:35:42`, as XML-RPC writes dates, or a form with more signs.
fn date(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.split_once('T')?;
    if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::parse(&format!("{}-{}-{}T{clock}", &day[..4], &day[4..6], &day[6..]));
    }
    Timestamp::parse(text)
}

/// Reads a call.
///
/// # Errors
/// What is not a call: not UTF-8, not well formed, with a document type, deeper than 32 values.
pub fn request(body: &[u8]) -> Result<Request, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("the text is not UTF-8".to_owned()))?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut pieces = Pieces { reader, closing: false, pushed_back: None };
    pieces.start("methodCall")?;
    pieces.start("methodName")?;
    let method = pieces.content()?.trim().to_owned();
    let mut params = Vec::new();
    match pieces.element()? {
        Piece::End => return Ok(Request { method, params }),
        Piece::Start(name) if name == "params" => {}
        _ => return Err(Malformed("<params> is missing".to_owned())),
    }
    loop {
        match pieces.element()? {
            Piece::Start(name) if name == "param" => {
                pieces.start("value")?;
                params.push(pieces.value(0)?);
                pieces.end()?;
            }
            Piece::End => return Ok(Request { method, params }),
            _ => return Err(Malformed("<params> holds something else than parameters".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(inner: &str) -> Result<Value, String> {
        let text = format!(
            "<?xml version='1.0'?>\n<methodCall><methodName>m</methodName>\n<params>\n<param>\n\
             <value>{inner}</value>\n</param>\n</params></methodCall>"
        );
        request(text.as_bytes()).map(|request| request.params[0].clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_type_is_read() {
        for (inner, expected) in [
            ("<int>-7</int>", Value::Int(-7)),
            ("<i8>9999999999</i8>", Value::Int(9_999_999_999)),
            ("<boolean>1</boolean>", Value::Bool(true)),
            ("<double>1.5</double>", Value::Double(1.5)),
            ("<string>a &lt;b&gt; &#233; &amp;</string>", Value::from("a <b> é &")),
            ("<string></string>", Value::from("")),
            ("<string/>", Value::from("")),
            ("bare", Value::from("bare")),
            ("", Value::from("")),
            ("<nil/>", Value::Nil),
            ("<base64>aGk=\n</base64>", Value::Binary(b"hi".to_vec())),
            ("<array><data></data></array>", Value::Array(vec![])),
            (
                "<array><data><value><int>1</int></value>\n<value>x</value></data></array>",
                Value::Array(vec![Value::Int(1), Value::from("x")]),
            ),
            (
                "<struct><member><name>a</name><value><nil/></value></member></struct>",
                Value::members([("a", Value::Nil)]),
            ),
            ("<string><![CDATA[<raw>]]></string>", Value::from("<raw>")),
        ] {
            assert_eq!(value(inner), Ok(expected), "{inner}");
        }
        let date = value("<dateTime.iso8601>20261122T10:35:42</dateTime.iso8601>").unwrap();
        assert_eq!(date, Value::DateTime(Timestamp::parse("2026-11-22T10:35:42Z").unwrap()));
    }

    #[test]
    fn what_is_not_a_call_is_refused() {
        for text in [
            "",
            "nonsense",
            "<methodCall>",
            "<methodCall><methodName>m</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall><methodName>&b;</methodName></methodCall>",
            "<methodCall><methodName>&b;</methodName></methodCall>",
        ] {
            assert!(request(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}{}", "<array><data><value>".repeat(60), "</value></data></array>".repeat(60));
        assert!(value(&deep).is_err());
    }

    #[test]
    fn a_call_without_parameters_is_read() {
        let call = request(b"<methodCall><methodName>system.version</methodName></methodCall>").unwrap();
        assert_eq!(call, Request { method: "system.version".into(), params: vec![] });
    }

    #[test]
    fn what_is_written_is_read_again() {
        let whole = Value::members([
            ("a", Value::Array(vec![Value::Int(1), Value::Nil, Value::Bool(false)])),
            ("b & c", Value::from("line\nline\r\n<é>")),
            ("d", Value::Binary(vec![0, 255])),
            ("e", Value::DateTime(Timestamp::parse("2026-11-22T10:35:42Z").unwrap())),
        ]);
        let written = super::super::response(&whole);
        let start = written.find("<value>").unwrap();
        let end = written.rfind("</value>").unwrap();
        assert_eq!(value(&written[start + "<value>".len()..end]), Ok(whole));
    }
}
