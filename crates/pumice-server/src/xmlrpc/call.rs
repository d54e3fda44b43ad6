//! One call, and how it is answered or refused.

use std::sync::Arc;

use super::{Arguments, Value};
use crate::{access::Identity, app::Shared, refusal::Refusal};

/// A call on its way through a method.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) who: Arc<Identity>,
    pub(super) arguments: Arguments,
}

/// What a method answers.
pub(super) type Answer = Result<Value, Fault>;

/// A refusal in XML-RPC's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn value(&self) -> Value {
        Value::fault(self.code, &self.message)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        refusal.log();
        Self { code: i64::from(refusal.status()), message: refusal.public_message() }
    }
}

impl From<pumice_db::DbError> for Fault {
    fn from(error: pumice_db::DbError) -> Self {
        Refusal::from(error).into()
    }
}
