//! What waiting entries have in common that fit the same places.
//!
//! A pass that found no place for one entry need not try the next one of the same shape, and is over when no
//! shape is left that could find one. Ten thousand jobs have a few hundred shapes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pumice_types::{DeviceName, WorkerName};

use crate::{JobRequest, Size};

/// The number of a shape; numbers are used again.
pub(crate) type ShapeId = usize;

/// Everything that decides which places suit a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    device_type: String,
    tags: BTreeSet<String>,
    models: BTreeSet<String>,
    licences: BTreeMap<String, u32>,
    size: Size,
    device: Option<DeviceName>,
    worker: Option<WorkerName>,
    submitter: String,
}

/// One shape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// How many entries have it.
    pub(crate) count: usize,
    /// The device types it needs.
    pub(crate) types: Vec<String>,
    key: Option<Key>,
}

/// The shapes of all waiting entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shapes {
    by_key: HashMap<Key, ShapeId>,
    all: Vec<Shape>,
    unused: Vec<ShapeId>,
}

impl Shapes {
    /// Counts an entry of these jobs in. Each group has a shape of its own.
    pub(crate) fn add(&mut self, requests: &[&JobRequest], types: &[String]) -> ShapeId {
        let key = match requests {
            [request] if request.member().is_none() => Some(Key {
                device_type: request.device_type.clone(),
                tags: request.tags.clone(),
                models: request.models.clone(),
                licences: request.licences.clone(),
                size: request.size,
                device: request.device.clone(),
                worker: request.worker.clone(),
                submitter: request.submitter.clone(),
            }),
            _ => None,
        };
        let known = key.as_ref().and_then(|key| self.by_key.get(key)).copied();
        let id = known.unwrap_or_else(|| {
            let shape = Shape { count: 0, types: types.to_vec(), key: key.clone() };
            let id = self.unused.pop().unwrap_or(self.all.len());
            if id == self.all.len() {
                self.all.push(shape);
            } else {
                self.all[id] = shape;
            }
            if let Some(key) = key {
                self.by_key.insert(key, id);
            }
            id
        });
        self.all[id].count += 1;
        id
    }

    /// Counts an entry out.
    pub(crate) fn remove(&mut self, id: ShapeId) {
        let Some(shape) = self.all.get_mut(id) else { return };
        shape.count -= 1;
        if shape.count == 0 {
            if let Some(key) = shape.key.take() {
                self.by_key.remove(&key);
            }
            self.unused.push(id);
        }
    }

    /// All shapes by number; unused numbers have a count of 0.
    pub(crate) fn all(&self) -> &[Shape] {
        &self.all
    }
}
