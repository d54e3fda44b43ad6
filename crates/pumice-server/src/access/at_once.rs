//! How many of something there may be at once, in all and for one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Places that are taken and given back.
#[derive(Debug)]
pub(crate) struct AtOnce {
    most: usize,
    taken: Arc<Mutex<HashMap<Option<IpAddr>, usize>>>,
}

/// A place; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    address: Option<IpAddr>,
    taken: Arc<Mutex<HashMap<Option<IpAddr>, usize>>>,
}

impl AtOnce {
    /// At most `most` at once, and a quarter of them for one address.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// Takes a place; `None` when there is none left, or none for this address.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = taken.get(&address).copied().unwrap_or(0);
        if taken.values().sum::<usize>() >= self.most || of_one >= self.most.div_ceil(4) {
            return None;
        }
        taken.insert(address, of_one + 1);
        Some(Place { address, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_quarter_of_the_places_and_all_together_have_all() {
        let places = AtOnce::new(8);
        let of = |last| places.take(Some(IpAddr::from([192, 0, 2, last])));
        let mut taken = vec![of(1).unwrap(), of(1).unwrap()];
        assert!(of(1).is_none(), "a quarter is taken");
        taken.pop();
        taken.push(of(1).expect("what was dropped is free again"));
        for other in 2..=4 {
            taken.extend([of(other).unwrap(), of(other).unwrap()]);
        }
        assert!(of(5).is_none(), "all are taken");
        drop(taken);
        assert!(of(5).is_some());
    }
}
