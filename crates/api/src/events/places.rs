//! The number of streams, in all and of each key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::problem::Problem;

/// The maximum number of streams of a key.
const KEY_MAX: usize = 100;

/// Counts the open streams.
pub(crate) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// By the id of the key.
    by_key: HashMap<String, usize>,
}

/// The place of a stream, which is free again on drop.
pub(super) struct Place {
    places: Arc<Places>,
    key: Option<String>,
}

impl Places {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// Takes a place for a stream, with a key or without one.
    pub(super) fn take(self: &Arc<Self>, key: Option<&str>) -> Result<Place, Problem> {
        let mut taken = self.taken();
        if taken.all >= self.max {
            return Err(Problem::too_many_streams(
                "The server has as many event streams as it may have: try again later, or read \
                 this path as JSON",
            ));
        }
        if let Some(key) = key {
            let own = taken.by_key.entry(key.to_owned()).or_default();
            if *own >= KEY_MAX {
                return Err(Problem::too_many_streams(
                    "The key has 100 event streams, which is the maximum: close some of them, or \
                     read this path as JSON",
                ));
            }
            *own += 1;
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), key: key.map(str::to_owned) })
    }

    /// The number of open streams.
    pub(crate) fn open(&self) -> usize {
        self.taken().all
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(key) = &self.key
            && let Some(own) = taken.by_key.get_mut(key)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_key.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY_MAX, Places};

    #[test]
    fn a_key_and_the_server_have_a_maximum_of_streams() {
        let places = Places::new(KEY_MAX + 10);
        let mut own: Vec<_> = (0..KEY_MAX).map(|_| places.take(Some("k")).ok().unwrap()).collect();
        assert!(places.take(Some("k")).is_err(), "the key has all of its streams");
        let others: Vec<_> = (0..10).map(|_| places.take(None).ok().unwrap()).collect();
        assert!(places.take(None).is_err() && places.take(Some("l")).is_err());
        own.pop();
        let again = places.take(Some("k"));
        assert!(again.is_ok());
        drop((own, others, again));
        let taken = places.taken();
        assert_eq!((taken.all, taken.by_key.len()), (0, 0));
    }
}
