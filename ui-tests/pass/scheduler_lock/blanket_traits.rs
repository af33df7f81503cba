//! Traits of the user's, for every type, whose methods have obvious names.

use shedlock::{InMemoryLockProvider, LockError, scheduler_lock};
use std::time::SystemTime;

/// Methods that every value and every reference has.
pub trait Everything: Sized {
    /// Returns nothing.
    fn error(&self) {}

    /// Returns nothing.
    fn into_instant(self) {}

    /// Returns nothing.
    fn to_provider(&self) {}

    /// Returns nothing.
    fn keep(&self) {}
}

impl<T> Everything for T {}

/// What an expansion calls is not one of them.
#[scheduler_lock(name = "everything", at_most = "1m", provider = locks, instant = due)]
pub async fn everything(locks: &InMemoryLockProvider, due: SystemTime) -> Result<(), LockError> {
    due.error();
    due.into_instant();
    locks.to_provider();
    locks.keep();
    Ok(())
}
