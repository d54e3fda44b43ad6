//! YAML as PyYAML reads it, with the place of every node, within stated limits.

mod node;

pub use node::{Entry, Map, Node, Value};
