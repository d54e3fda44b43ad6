//! The arguments of a call, read by place.

use super::Value;
use crate::refusal::Refusal;

/// The arguments of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments(pub(super) Vec<Value>);

impl Arguments {
    /// The argument at `place`; nothing when it is nil or was left out.
    pub(super) fn get(&self, place: usize) -> Option<&Value> {
        self.0.get(place).filter(|value| **value != Value::Nil)
    }

    /// A text that must be there. A number will do: job ids come as both.
    pub(super) fn text(&self, place: usize) -> Result<String, Refusal> {
        self.maybe_text(place)?
            .ok_or_else(|| Refusal::Invalid(format!("Bad request: argument {} is missing", place + 1)))
    }

    /// A text that may be left out.
    pub(super) fn maybe_text(&self, place: usize) -> Result<Option<String>, Refusal> {
        match self.get(place) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Int(number)) => Ok(Some(number.to_string())),
            // lavacli sends a number when a number was typed: `12.0` names a job of a group.
            Some(Value::Double(number)) => Ok(Some(format!("{number:?}"))),
            Some(Value::Binary(bytes)) => match String::from_utf8(bytes.clone()) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.wrong(place, "text")),
            },
            Some(_) => Err(self.wrong(place, "a string")),
        }
    }

    /// A number that may be left out.
    pub(super) fn maybe_int(&self, place: usize) -> Result<Option<i64>, Refusal> {
        match self.get(place) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::String(text)) => {
                text.trim().parse().map(Some).map_err(|_| self.wrong(place, "an integer"))
            }
            Some(_) => Err(self.wrong(place, "an integer")),
        }
    }

    /// A count that may be left out.
    pub(super) fn count(&self, place: usize, absent: u64) -> Result<u64, Refusal> {
        match self.maybe_int(place)? {
            None => Ok(absent),
            Some(number) => u64::try_from(number).map_err(|_| {
                Refusal::Invalid(format!(
                    "Bad request: argument {} must be at least 0, not {number}",
                    place + 1
                ))
            }),
        }
    }

    /// A truth that may be left out.
    pub(super) fn maybe_flag(&self, place: usize) -> Result<Option<bool>, Refusal> {
        match self.get(place) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::Int(number)) => Ok(Some(*number != 0)),
            Some(_) => Err(self.wrong(place, "a boolean")),
        }
    }

    /// A truth, `false` when it was left out.
    pub(super) fn flag(&self, place: usize) -> Result<bool, Refusal> {
        Ok(self.maybe_flag(place)?.unwrap_or(false))
    }

    /// A list of texts that may be left out.
    pub(super) fn maybe_texts(&self, place: usize) -> Result<Option<Vec<String>>, Refusal> {
        match self.get(place) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    Value::Int(number) => Ok(number.to_string()),
                    _ => Err(self.wrong(place, "an array of strings")),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(self.wrong(place, "an array of strings")),
        }
    }

    fn wrong(&self, place: usize, wanted: &str) -> Refusal {
        let found = self.0.get(place).map_or("nothing", Value::kind);
        Refusal::Invalid(format!("Bad request: argument {} must be {wanted}, not {found}", place + 1))
    }
}
