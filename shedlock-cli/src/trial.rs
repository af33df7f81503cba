//! Locks for trials: their names are nobody else's, and their records are deleted.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::output::{self, Level};
use crate::store::Store;

/// A name, or the beginning of names, that nobody else has, also if another machine tries the same store.
pub(crate) fn name(what: &str) -> String {
    format!("shedlock-{what}-{:016x}", random())
}

/// A number that nobody can predict.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Deletes the records whose names begin with `prefix`, if they are free.
pub(crate) async fn forget(store: &dyn Store, prefix: &str) {
    // A store that forgets free locks by itself has nothing to delete.
    if let Err(error) = store.prune_prefix(prefix, Duration::ZERO).await {
        let text = format!("the records of `{prefix}` are left: {error}");
        output::say_of(Level::Warning, prefix, &text);
    }
}
