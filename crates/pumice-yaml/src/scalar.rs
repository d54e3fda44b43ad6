//! What a plain scalar is: PyYAML's implicit resolvers and constructors.

use crate::{Value, timestamp};

/// What PyYAML's resolvers make of a plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    /// `<<`
    Merge,
    /// `=`
    Default,
    String,
}

/// The kind of a plain scalar (`resolver.py` of PyYAML 6.0.3, class `Resolver`).
pub(crate) fn resolve(text: &str) -> Kind {
    let Some(first) = text.bytes().next() else { return Kind::Null };
    match first {
        b'~' | b'n' | b'N' if matches!(text, "~" | "null" | "Null" | "NULL") => Kind::Null,
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' if boolean(text).is_some() => {
            Kind::Bool
        }
        b'<' if text == "<<" => Kind::Merge,
        b'=' if text == "=" => Kind::Default,
        b'-' | b'+' | b'.' | b'0'..=b'9' => number(text.as_bytes()),
        _ => Kind::String,
    }
}

fn number(text: &[u8]) -> Kind {
    if is_float(text) {
        Kind::Float
    } else if is_int(text) {
        Kind::Int
    } else if timestamp::looks_like_one(text) {
        Kind::Timestamp
    } else {
        Kind::String
    }
}

/// The boolean a word stands for.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn unsigned(text: &[u8]) -> &[u8] {
    match text {
        [b'-' | b'+', rest @ ..] => rest,
        _ => text,
    }
}

/// The length of the prefix whose bytes all satisfy `accepts`.
fn run(text: &[u8], accepts: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !accepts(*byte)).unwrap_or(text.len())
}

fn digit_or_underscore(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// Skips `(?::[0-5]?[0-9])+`; `None` when there is no such part.
fn skip_sexagesimal(mut text: &[u8]) -> Option<&[u8]> {
    let mut found = false;
    while let [b':', rest @ ..] = text {
        text = match rest {
            [b'0'..=b'5', b'0'..=b'9', rest @ ..] | [b'0'..=b'9', rest @ ..] => rest,
            _ => return None,
        };
        found = true;
    }
    found.then_some(text)
}

fn is_int(text: &[u8]) -> bool {
    let digits = unsigned(text);
    match digits {
        [b'0'] => true,
        [b'0', b'b', rest @ ..] => {
            !rest.is_empty() && rest.iter().all(|byte| matches!(byte, b'0' | b'1' | b'_'))
        }
        [b'0', b'x', rest @ ..] => {
            !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'_')
        }
        [b'0', rest @ ..] => rest.iter().all(|byte| matches!(byte, b'0'..=b'7' | b'_')),
        [b'1'..=b'9', rest @ ..] => {
            let rest = &rest[run(rest, digit_or_underscore)..];
            rest.is_empty() || skip_sexagesimal(rest).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// `(?:[eE][-+][0-9]+)?` and the end.
fn is_exponent_or_end(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b'e' | b'E', b'-' | b'+', rest @ ..] => !rest.is_empty() && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn is_float(text: &[u8]) -> bool {
    if matches!(text, b".nan" | b".NaN" | b".NAN") {
        return true;
    }
    if let [b'.', b'0'..=b'9', rest @ ..] = text {
        return is_exponent_or_end(&rest[run(rest, digit_or_underscore)..]);
    }
    let number = unsigned(text);
    if matches!(number, b".inf" | b".Inf" | b".INF") {
        return true;
    }
    if !number.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let rest = &number[run(number, digit_or_underscore)..];
    match rest {
        [b'.', fraction @ ..] => is_exponent_or_end(&fraction[run(fraction, digit_or_underscore)..]),
        [b':', ..] => match skip_sexagesimal(rest) {
            Some([b'.', fraction @ ..]) => fraction.iter().copied().all(digit_or_underscore),
            _ => false,
        },
        _ => false,
    }
}

/// The integer PyYAML makes of a text (`construct_yaml_int`); a float when it needs more than 64 bits, `None` when
/// PyYAML would fail.
pub(crate) fn int(text: &str) -> Option<Value> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, digits) = match clean.as_bytes().first()? {
        b'-' => (true, &clean[1..]),
        b'+' => (false, &clean[1..]),
        _ => (false, clean.as_str()),
    };
    let total = if digits == "0" {
        Some(Total::default())
    } else if let Some(binary) = digits.strip_prefix("0b") {
        Total::read(binary, 2)
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        Total::read(hexadecimal, 16)
    } else if digits.starts_with('0') {
        Total::read(digits, 8)
    } else {
        digits.split(':').try_fold(Total::default(), |total, part| {
            let part = Total::read(part, 10)?;
            Some(Total {
                exact: total.exact.zip(part.exact).and_then(|(a, b)| a.checked_mul(60)?.checked_add(b)),
                nearly: total.nearly * 60.0 + part.nearly,
            })
        })
    };
    Some(total?.value(negative))
}

/// A sum that grows digit by digit: exact as long as it fits, and nearly.
#[derive(Clone, Copy)]
struct Total {
    exact: Option<i128>,
    nearly: f64,
}

impl Default for Total {
    fn default() -> Self {
        Self { exact: Some(0), nearly: 0.0 }
    }
}

impl Total {
    /// `None` when a character is no digit or there is none.
    fn read(digits: &str, radix: u32) -> Option<Self> {
        let mut total = Self::default();
        for digit in digits.chars() {
            let digit = digit.to_digit(radix)?;
            total.exact =
                total.exact.and_then(|sum| sum.checked_mul(radix.into())?.checked_add(digit.into()));
            total.nearly = total.nearly * f64::from(radix) + f64::from(digit);
        }
        if total.exact.is_none() && radix == 10 {
            total.nearly = digits.parse().ok()?;
        }
        (!digits.is_empty()).then_some(total)
    }

    #[expect(clippy::cast_precision_loss, reason = "an integer beyond 64 bits becomes the nearest float")]
    fn value(self, negative: bool) -> Value {
        let exact = self.exact.map(|sum| if negative { -sum } else { sum });
        match exact.map(|sum| (i64::try_from(sum), sum)) {
            Some((Ok(number), _)) => Value::Int(number),
            Some((Err(_), sum)) => Value::Float(sum as f64),
            None => Value::Float(if negative { -self.nearly } else { self.nearly }),
        }
    }
}

/// The float PyYAML makes of a text (`construct_yaml_float`); `None` when it would fail.
pub(crate) fn float(text: &str) -> Option<f64> {
    let clean: String = text.chars().filter(|c| *c != '_').collect::<String>().to_ascii_lowercase();
    let (sign, digits) = match clean.as_bytes().first()? {
        b'-' => (-1.0, &clean[1..]),
        b'+' => (1.0, &clean[1..]),
        _ => (1.0, clean.as_str()),
    };
    match digits {
        ".inf" => return Some(sign * f64::INFINITY),
        ".nan" => return Some(f64::NAN),
        _ => {}
    }
    if digits.contains(':') {
        let mut total = 0.0;
        for part in digits.split(':') {
            total = total * 60.0 + part.parse::<f64>().ok()?;
        }
        return Some(sign * total);
    }
    // Rust also takes words such as `infinity`; PyYAML's float() of a tagged text does too.
    digits.parse::<f64>().ok().map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        match resolve(text) {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(boolean(text).unwrap()),
            Kind::Int => int(text).unwrap(),
            Kind::Float => Value::Float(float(text).unwrap()),
            _ => Value::String(text.to_owned()),
        }
    }

    #[test]
    fn plain_scalars_are_what_pyyaml_makes_of_them() {
        let text = |text: &str| Value::String(text.to_owned());
        let cases = [
            ("", Value::Null),
            ("~", Value::Null),
            ("nULL", text("nULL")),
            ("on", Value::Bool(true)),
            ("No", Value::Bool(false)),
            ("y", text("y")),
            ("0755", Value::Int(493)),
            ("0o755", text("0o755")),
            ("08", text("08")),
            ("0x_1F", Value::Int(31)),
            ("-0b101", Value::Int(-5)),
            ("1_000", Value::Int(1000)),
            ("1:30", Value::Int(90)),
            ("1:60", text("1:60")),
            ("-1:30:00", Value::Int(-5400)),
            ("01:30", text("01:30")),
            ("1:30.5", Value::Float(90.5)),
            ("1e3", text("1e3")),
            ("1.e+3", Value::Float(1000.0)),
            ("1.5e3", text("1.5e3")),
            (".5", Value::Float(0.5)),
            ("-.5", text("-.5")),
            (".", text(".")),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("99999999999999999999", Value::Float(1e20)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("-", text("-")),
            ("1.2.3", text("1.2.3")),
        ];
        for (written, expected) in cases {
            assert_eq!(value(written), expected, "{written}");
        }
    }

    #[test]
    fn what_pyyaml_fails_on_is_no_number() {
        assert_eq!(resolve("0b_"), Kind::Int);
        assert_eq!(int("0b_"), None);
        assert_eq!(int("0x_"), None);
        assert_eq!(int("abc"), None);
        assert_eq!(float("abc"), None);
    }
}
