//! The entries of a mapping while it is read.

use std::collections::HashMap;

use pumice_types::Span;

use crate::Entry;

/// From this many entries on a table finds a key; below, looking at each is faster.
const FEW: usize = 16;

/// Entries with unique keys, in order.
#[derive(Default)]
pub(crate) struct Entries {
    list: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl Entries {
    /// Adds an entry; or replaces the one with its key, where that stands, and returns the place of the old key.
    pub(crate) fn insert(&mut self, entry: Entry) -> Option<Span> {
        if let Some(place) = self.place(&entry.key) {
            let old = self.list[place].key_span;
            self.list[place] = entry;
            return Some(old);
        }
        if self.list.len() == FEW {
            self.places =
                self.list.iter().enumerate().map(|(place, entry)| (entry.key.clone(), place)).collect();
        }
        if self.list.len() >= FEW {
            self.places.insert(entry.key.clone(), self.list.len());
        }
        self.list.push(entry);
        None
    }

    fn place(&self, key: &str) -> Option<usize> {
        if self.list.len() <= FEW {
            self.list.iter().position(|entry| entry.key == key)
        } else {
            self.places.get(key).copied()
        }
    }

    pub(crate) fn into_list(self) -> Vec<Entry> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Node, Value};

    #[test]
    fn the_last_of_two_keys_wins_at_the_place_of_the_first() {
        for count in [3, FEW, FEW + 1, 3 * FEW] {
            let mut entries = Entries::default();
            let entry = |number: usize, value: i64| Entry {
                key: format!("k{number}"),
                key_span: Span::default(),
                value: Node::made(Value::Int(value)),
            };
            for number in 0..count {
                assert_eq!(entries.insert(entry(number, 0)), None);
            }
            for number in 0..count {
                assert!(entries.insert(entry(number, 1)).is_some(), "{number} of {count}");
            }
            let list = entries.into_list();
            assert_eq!(list.len(), count);
            assert!(list.iter().all(|entry| entry.value.as_i64() == Some(1)));
        }
    }
}
