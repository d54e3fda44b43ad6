//! What travels: <http://xmlrpc.com/spec.md>, with `nil`.

use pumice_types::Timestamp;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`; an extension that most clients know.
    Nil,
    /// `int`, `i4` or `i8`.
    Int(i64),
    /// `boolean`.
    Bool(bool),
    /// `double`.
    Double(f64),
    /// `string`, or a value with no type.
    String(String),
    /// `dateTime.iso8601`, in UTC.
    DateTime(Timestamp),
    /// `base64`.
    Binary(Vec<u8>),
    /// `array`.
    Array(Vec<Value>),
    /// `struct`, its members in order.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// A struct of these members.
    pub fn members<const N: usize>(members: [(&str, Value); N]) -> Self {
        Self::Struct(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The struct that says why a call was refused.
    pub fn fault(code: i64, message: &str) -> Self {
        Self::members([("faultCode", Self::Int(code)), ("faultString", Self::from(message))])
    }

    /// What it is, for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Int(_) => "an integer",
            Self::Bool(_) => "a boolean",
            Self::Double(_) => "a double",
            Self::String(_) => "a string",
            Self::DateTime(_) => "a date",
            Self::Binary(_) => "binary",
            Self::Array(_) => "an array",
            Self::Struct(_) => "a struct",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::String(text.clone())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::DateTime(time)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}
