//! Providers around a provider: each adds one thing and passes everything else on.

use crate::values::error::{ErrorKind, LockError};

mod history;
mod namespace;
mod records;
mod routing;
mod timeout;
mod tracking;

pub use namespace::NamespacedLockProvider;
pub use routing::RoutingLockProvider;
pub use timeout::TimeoutLockProvider;
pub use tracking::{ReleasedLocks, TrackedLock, TrackingLockProvider};

/// Refuses what cannot be a part of a lock's name.
fn check_part(what: &str, text: &str) -> Result<(), LockError> {
    let problem = if text.is_empty() {
        format!("{what} cannot be empty")
    } else if let Some(found) = text.chars().find(|c| c.is_control()) {
        format!("{what} cannot contain control characters; found {found:?}")
    } else {
        return Ok(());
    };
    Err(LockError::new(ErrorKind::Configuration, problem))
}
