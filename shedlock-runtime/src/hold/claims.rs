//! The deletion of old claims, by nodes that end a run of the same lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::observe::events::{self, Subject};
use crate::seam::provider::LockProvider;
use crate::values::claim::prefix_of;
use crate::values::error::Operation;
use crate::values::limit::limited;

/// How often a node deletes the old claims of one lock. Each time is one request, and deletes a bounded number.
const PERIOD: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(30);
/// How many locks are remembered. Beyond this number all are forgotten, so that the memory in use is bounded.
const MOST_LOCKS: usize = 1_024;

/// When the old claims of a lock were last deleted, by provider and beginning of the names.
static LAST: Lazy<Mutex<HashMap<(u64, String), Instant>>> = Lazy::new(Mutex::default);

/// Deletes claims that belong together with the claim of `subject` and have been free for `kept_for`, in the background, if that is due.
pub(crate) fn clean_up(
    provider: &Arc<dyn LockProvider>,
    subject: &Subject,
    kept_for: Duration,
    runtime: Option<&Handle>,
) {
    let Some((runtime, prefix)) = runtime.zip(prefix_of(subject.name.as_str())) else {
        return;
    };
    if !is_due(subject.provider_id, prefix) {
        return;
    }
    let (provider, subject, prefix) = (Arc::clone(provider), subject.clone(), prefix.to_owned());
    drop(runtime.spawn(async move {
        let deleted = limited(LIMIT, provider.forget_claims(&prefix, kept_for)).await;
        if let Err(error) = deleted {
            let error = error.with_context(Operation::Prune, subject.provider, None);
            events::clean_up_failed(&subject, &error);
        }
    }));
}

/// Whether it is time to delete the claims whose names begin with `prefix`. If so, it is not time for the next period.
fn is_due(provider_id: u64, prefix: &str) -> bool {
    let (now, key) = (Instant::now(), (provider_id, prefix.to_owned()));
    // The map is still usable after a panic under this mutex.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last
        .get(&key)
        .is_some_and(|last| now.saturating_duration_since(*last) < PERIOD)
    {
        return false;
    }
    if last.len() >= MOST_LOCKS {
        last.clear();
    }
    last.insert(key, now);
    true
}
