//! Parameters: typed, with a default, checked when set.

use std::collections::HashMap;
use std::fmt;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
}

impl Value {
    /// The word `--list-params` uses for the type.
    pub(crate) fn type_word(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Text(_) => "string",
        }
    }

    /// Reads `text` as a value of the same type. Booleans are `0/1/true/false`, integers decimal or 0x (100964, `-C`).
    fn read_like(&self, text: &str) -> Option<Self> {
        match self {
            Self::Bool(_) => match text {
                "1" | "true" => Some(Self::Bool(true)),
                "0" | "false" => Some(Self::Bool(false)),
                _ => None,
            },
            Self::Int(_) => read_int(text).map(Self::Int),
            Self::Text(_) => Some(Self::Text(unquote(text).into())),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{}", u8::from(*value)),
            Self::Int(value) if *value < 0 => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value:#x}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// Decimal or `0x…`, with a sign; 64-bit registers may use the whole unsigned range.
pub(crate) fn read_int(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    };
    if negative { i64::try_from(magnitude).ok().map(|value| -value) } else { Some(magnitude.cast_signed()) }
}

/// Takes one pair of quotes off, which configuration files have and shells remove.
fn unquote(text: &str) -> &str {
    ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}

/// One parameter of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Full name, instance and all: `bp.terminal_0.mode`.
    pub(crate) name: String,
    pub(crate) default: Value,
    pub(crate) value: Value,
    pub(crate) about: String,
    /// The least and greatest value of an integer, where known.
    pub(crate) range: Option<(i64, i64)>,
}

/// Why a parameter was not set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    /// No such parameter.
    Unknown,
    /// The value is of another type.
    Type {
        /// The type wanted.
        wanted: &'static str,
    },
    /// The value is out of range.
    Range {
        /// Least and greatest.
        range: (i64, i64),
    },
}

/// All parameters of a model, in the order of its components.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters {
    rows: Vec<Parameter>,
    index: HashMap<String, usize>,
}

impl Parameters {
    /// Adds a parameter; a name that is already there keeps its first meaning.
    pub(crate) fn add(&mut self, parameter: Parameter) {
        if !self.index.contains_key(&parameter.name) {
            self.index.insert(parameter.name.clone(), self.rows.len());
            self.rows.push(parameter);
        }
    }

    /// Every parameter.
    pub(crate) fn rows(&self) -> &[Parameter] {
        &self.rows
    }

    /// Sets a parameter from the text of a command line.
    pub(crate) fn set(&mut self, name: &str, text: &str) -> Result<(), SetError> {
        let row = self.index.get(name).and_then(|&at| self.rows.get_mut(at)).ok_or(SetError::Unknown)?;
        let value = row.default.read_like(text).ok_or(SetError::Type { wanted: row.default.type_word() })?;
        if let (Value::Int(number), Some(range)) = (&value, row.range)
            && !(range.0..=range.1).contains(number)
        {
            return Err(SetError::Range { range });
        }
        row.value = value;
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.index.get(name).and_then(|&at| self.rows.get(at)).map(|row| &row.value)
    }

    /// A boolean; false where the model has no such parameter.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(true)))
    }

    /// A text; empty where the model has no such parameter.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// An integer, where the model has such a parameter.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether a value other than the default was given.
    #[cfg(test)]
    pub(crate) fn is_changed(&self, name: &str) -> bool {
        self.index.get(name).and_then(|&at| self.rows.get(at)).is_some_and(|row| row.value != row.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Parameters {
        let mut table = Parameters::default();
        for (name, default, range) in [
            ("a.flag", Value::Bool(false), None),
            ("a.count", Value::Int(4), Some((1, 8))),
            ("a.mask", Value::Int(0), None),
            ("a.text", Value::Text(String::new()), None),
        ] {
            let value = default.clone();
            table.add(Parameter { name: name.into(), default, value, about: String::new(), range });
        }
        table
    }

    #[track_caller]
    fn check(name: &str, text: &str, expected: &Result<Value, SetError>) {
        let mut table = table();
        let found = table.set(name, text).map(|()| table.get(name).unwrap().clone());
        assert_eq!(&found, expected);
    }

    #[test]
    fn values_are_read_by_the_type_of_the_parameter() {
        check("a.flag", "1", &Ok(Value::Bool(true)));
        check("a.flag", "false", &Ok(Value::Bool(false)));
        check("a.flag", "yes", &Err(SetError::Type { wanted: "bool" }));
        check("a.count", "0x8", &Ok(Value::Int(8)));
        check("a.count", "9", &Err(SetError::Range { range: (1, 8) }));
        check("a.mask", "4294902901", &Ok(Value::Int(4_294_902_901)));
        check("a.mask", "0xffffffffffffffff", &Ok(Value::Int(-1)));
        check("a.mask", "many", &Err(SetError::Type { wanted: "int" }));
        check("a.text", "\"--kernel a -- b=c\"", &Ok(Value::Text("--kernel a -- b=c".into())));
    }

    #[test]
    fn names_are_exact() {
        check("a.Flag", "1", &Err(SetError::Unknown));
        check("a", "1", &Err(SetError::Unknown));
    }
}
