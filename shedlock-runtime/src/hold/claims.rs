//! The deletion of old claims, by nodes that end a run of the same lock.

use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::Lazy;
use tokio::runtime::Handle;

use crate::observe::events::{self, Subject};
use crate::seam::provider::LockProvider;
use crate::values::claim::prefix_of;
use crate::values::error::Operation;
use crate::values::limit::limited;
use crate::values::rate_limit::RateLimiter;

const LIMIT: Duration = Duration::from_secs(30);

/// How often a node deletes the old claims of one lock, by provider and beginning of the names. Each time is one request, and deletes a
/// bounded number.
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
        let deleted = limited(LIMIT, provider.forget_claims(&prefix, kept_for)).await;
        if let Err(error) = deleted {
            let error = error.with_context(Operation::Prune, subject.provider, None);
            events::clean_up_failed(&subject, &error);
        }
    }));
}
