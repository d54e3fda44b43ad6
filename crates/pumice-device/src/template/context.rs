//! The variables a job gives, and which of them anybody looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use minijinja::value::{Enumerator, Object, Value};

/// A template's outermost variables. Variables that templates set hide them.
#[derive(Debug, Clone)]
pub(super) struct TrackedContext(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    values: BTreeMap<String, Value>,
    read: Mutex<BTreeSet<String>>,
}

impl TrackedContext {
    pub(super) fn new(values: BTreeMap<String, Value>) -> Self {
        Self(Arc::new(Inner { values, read: Mutex::default() }))
    }

    /// What a template is rendered with.
    pub(super) fn value(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.0))
    }

    /// The keys looked at so far.
    pub(super) fn read(&self) -> BTreeSet<String> {
        self.0.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Object for Inner {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let value = self.values.get(key)?;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        Some(value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values.keys().map(|key| Value::from(key.as_str())).collect())
    }
}
