//! What a request shares with the lease that it is granted: the owner, and the notes of providers.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;

use crate::values::owner::Owner;
use crate::values::position::Position;

/// The owner and the notes of one acquisition. The request, its copies under other names and the lease that is granted share them.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub(crate) owner: OnceCell<Owner>,
    pub(crate) notes: Notes,
    /// Whether the request asks for a slot, instant or step.
    pub(crate) asked_position: bool,
    /// The slot, instant or step that the acquisition has begun.
    pub(crate) position: OnceCell<Position>,
    /// Whether the run under the lease has ended well.
    pub(crate) is_done: AtomicBool,
    /// Whether no run has begun under the lease.
    pub(crate) is_unused: AtomicBool,
}

impl Trail {
    /// A copy that shares neither the owner's write counter nor the notes.
    pub(crate) fn replica(&self) -> Self {
        Self {
            owner: self
                .owner
                .get()
                .map_or_else(OnceCell::new, |owner| OnceCell::with_value(owner.replica())),
            notes: self.notes.clone(),
            asked_position: self.asked_position,
            position: self.position.clone(),
            is_done: AtomicBool::new(self.is_done.load(Ordering::Acquire)),
            is_unused: AtomicBool::new(self.is_unused.load(Ordering::Acquire)),
        }
    }
}

type Value = Arc<dyn Any + Send + Sync>;

/// The identity of a provider and the type of its note: a wrapper may have the identity of the provider behind it.
type Key = (u64, TypeId);

/// The notes of each provider between the caller and the store.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<(Key, Value)>>);

impl Notes {
    /// Sets the note of the provider with identity `by`.
    pub(crate) fn set<T: Any + Send + Sync>(&self, by: u64, value: T) {
        let (key, value): (Key, Value) = ((by, TypeId::of::<T>()), Arc::new(value));
        let mut all = self.lock();
        match all.iter_mut().find(|(found, _)| *found == key) {
            Some((_, note)) => *note = value,
            None => all.push((key, value)),
        }
    }

    /// The note of the provider with identity `by`, if it is a `T`.
    pub(crate) fn get<T: Any + Send + Sync>(&self, by: u64) -> Option<Arc<T>> {
        let found = {
            let all = self.lock();
            let key = (by, TypeId::of::<T>());
            let (_, note) = all.iter().find(|(found, _)| *found == key)?;
            Arc::clone(note)
        };
        found.downcast().ok()
    }

    /// The note that is a `T`, of whichever provider.
    pub(crate) fn of_type<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let found = {
            let all = self.lock();
            let (_, note) = all
                .iter()
                .find(|((_, kind), _)| *kind == TypeId::of::<T>())?;
            Arc::clone(note)
        };
        found.downcast().ok()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Key, Value)>> {
        // Only the code above runs while it is locked, and none of it panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy that later changes do not reach.
impl Clone for Notes {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }
}

// A note may contain a secret of its provider, so its value is not printed.
impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} notes", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_one_note_of_each_type() {
        let notes = Notes::default();
        notes.set(1, 10_u64);
        notes.set(2, "other");
        notes.set(1, 11_u64);
        assert_eq!(notes.get::<u64>(1).as_deref(), Some(&11));
        assert_eq!(notes.get::<&str>(2).as_deref(), Some(&"other"));
        assert!(notes.get::<&str>(1).is_none());
        assert!(notes.get::<u64>(3).is_none());
        assert_eq!(notes.of_type::<&str>().as_deref(), Some(&"other"));
        assert!(notes.of_type::<u8>().is_none());

        let copy = notes.clone();
        notes.set(1, 12_u64);
        assert_eq!(copy.get::<u64>(1).as_deref(), Some(&11));
    }
}
