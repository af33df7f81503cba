//! The deletion of old claims, by nodes that end a run of the same lock.

use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::Lazy;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::observe::events::{self, Subject};
use crate::seam::provider::LockProvider;
use crate::values::claim::prefix_of;
use crate::values::error::Operation;
use crate::values::limit::limited;
use crate::values::rate_limit::RateLimiter;

/// How long one request may take, and how long after the first one another one is sent. The last one has ended when the next clean-up is
/// due.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two requests, so that others get at the store.
const PAUSE: Duration = Duration::from_millis(10);

/// How often a node deletes the old claims of one lock, by provider and beginning of the names.
static CLEAN_UPS: Lazy<RateLimiter> = Lazy::new(RateLimiter::default);

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
    let key = format!("{} {prefix}", subject.provider_id);
    if !CLEAN_UPS.check(key).emits() {
        return;
    }
    let (provider, subject, prefix) = (Arc::clone(provider), subject.clone(), prefix.to_owned());
    drop(runtime.spawn(async move {
        let began = Instant::now();
        // One request deletes a bounded number. More texts than that may come in a minute.
        loop {
            match limited(LIMIT, provider.forget_claims(&prefix, kept_for)).await {
                Ok(deleted) if deleted > 0 && began.elapsed() < LIMIT => sleep(PAUSE).await,
                Ok(_) => return,
                Err(error) => {
                    let error = error.with_context(Operation::Prune, subject.provider, None);
                    return events::clean_up_failed(&subject, &error);
                }
            }
        }
    }));
}
