//! Rows read by column name, and the values bound to a query.

use std::str::FromStr;

use sqlx::{Row as _, any::AnyRow};

use crate::{DbError, Timestamp};

/// A value bound to `$n`.
#[derive(Clone, Debug)]
pub(crate) enum Param {
    Int(Option<i64>),
    Double(Option<f64>),
    Text(Option<String>),
}

macro_rules! param_from {
    ($($type:ty => $value:ident, $variant:ident($expression:expr);)*) => {$(
        impl From<$type> for Param {
            fn from($value: $type) -> Self {
                Self::$variant($expression)
            }
        }
    )*};
}

param_from! {
    i64 => value, Int(Some(value));
    Option<i64> => value, Int(value);
    bool => value, Int(Some(i64::from(value)));
    Timestamp => value, Int(Some(value.0));
    Option<Timestamp> => value, Int(value.map(|time| time.0));
    pumice_types::JobId => value, Int(Some(value.0));
    Option<pumice_types::JobId> => value, Int(value.map(|id| id.0));
    f64 => value, Double(Some(value));
    Option<f64> => value, Double(value);
    &str => value, Text(Some(value.to_owned()));
    Option<&str> => value, Text(value.map(str::to_owned));
    &String => value, Text(Some(value.clone()));
    String => value, Text(Some(value));
    &Option<String> => value, Text(value.clone());
    Option<String> => value, Text(value);
}

/// The values of a query, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::row::Param::from($value)),*] };
}
pub(crate) use params;

/// One row of an answer.
pub(crate) struct Row(pub(crate) AnyRow);

impl Row {
    pub(crate) fn int(&self, column: &str) -> Result<i64, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, DbError> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn maybe_double(&self, column: &str) -> Result<Option<f64>, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, DbError> {
        Ok(Timestamp(self.int(column)?))
    }

    pub(crate) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, DbError> {
        Ok(self.maybe_int(column)?.map(Timestamp))
    }

    /// A word of a closed list.
    pub(crate) fn word<T: FromStr>(&self, column: &str) -> Result<T, DbError> {
        let value = self.text(column)?;
        value.parse().map_err(|_| DbError::Unreadable { column: column.to_owned(), value })
    }
}
