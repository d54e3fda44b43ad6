//! Messages on a stream: a header with the length in bytes, a blank line, JSON (LSP 3.17, *Base Protocol*).

use std::io::{self, BufRead, Read as _, Write};

use serde_json::Value;

/// The longest message taken: a hundred times the longest job there may be.
const LONGEST: usize = 100 << 20;

/// The next message; `None` at the end of the stream. What is not JSON is read as null.
///
/// # Errors
/// The stream, or a header without a usable length.
pub(super) fn read_message(input: &mut impl BufRead) -> io::Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok().filter(|length| *length <= LONGEST);
        }
    }
    let Some(length) = length else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message without a usable Content-Length"));
    };
    let mut body = Vec::new();
    if input.take(length as u64).read_to_end(&mut body)? < length {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&body).unwrap_or_default()))
}

/// Writes one message and sees it off.
///
/// # Errors
/// The stream.
pub(super) fn write_message(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_follow_one_another_and_a_cut_one_is_the_end() {
        let mut stream = Vec::new();
        let first = json!({ "id": 1, "text": "é" });
        write_message(&mut stream, &first).expect("memory takes it");
        stream.extend(b"content-length: 2\r\nContent-Type: x\r\n\r\n{}");
        stream.extend(b"Content-Length: 9\r\n\r\n{}");
        let mut input = stream.as_slice();
        assert_eq!(read_message(&mut input).expect("a message"), Some(first));
        assert_eq!(read_message(&mut input).expect("a message"), Some(json!({})));
        assert_eq!(read_message(&mut input).expect("an end"), None);
    }

    #[test]
    fn a_header_without_length_is_an_error() {
        for header in ["X: 1\r\n\r\n{}", "Content-Length: x\r\n\r\n{}", "Content-Length: 99999999999\r\n\r\n"]
        {
            assert!(read_message(&mut header.as_bytes()).is_err(), "{header:?}");
        }
    }
}
