//! A provider in front of another one, which remembers what the store answered last.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockProvider, Owner, Ownership, ProviderInfo,
    Refusal, RunHistory, SkipReason, printable, short_duration,
};

use crate::store::Store;

/// Passes every call on, and remembers the answer to the last acquisition: an executor tells the reason of a skip, but not the holder.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    store: Arc<dyn Store>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
enum Seen {
    #[default]
    Nothing,
    Refusal(Refusal),
    Lease(Lease),
}

impl Witness {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            seen: Arc::default(),
        }
    }

    /// Who had the lock when it was refused.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match &*self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            Seen::Refusal(refusal) => Some(refusal.clone()),
            _ => None,
        }
    }

    /// The owner of the lock that was granted, as the record has it.
    pub(crate) fn owner(&self) -> Option<String> {
        match &*self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            Seen::Lease(lease) => lease.owner().map(Owner::stored),
            _ => None,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl LockProvider for Witness {
    fn info(&self) -> &ProviderInfo {
        (*self.store).info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let answer = self.store.acquire(request).await?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = match &answer {
            Acquisition::Granted(lease) => Seen::Lease(lease.clone()),
            Acquisition::Refused(refusal) => Seen::Refusal(refusal.clone()),
        };
        Ok(answer)
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.store.extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.store.release(lease, keep_for).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.store.forget_claims(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        (*self.store).run_history()
    }
}

/// Why a lock was not granted, and who has it for how long.
pub(crate) fn told(reason: SkipReason, refusal: Option<Refusal>) -> String {
    let mut text = reason.to_string();
    let Some(refusal) = refusal else {
        return text;
    };
    if let Some(node) = refusal.node.filter(|_| reason == SkipReason::Held) {
        // Writing to a text does not fail.
        let _written = write!(text, " by {}", printable(&node));
    }
    if let Some(left) = refusal.remaining.filter(|left| !left.is_zero()) {
        let left = Duration::from_secs(left.as_secs().max(1));
        let _written = write!(text, " for another {}", short_duration(left));
    }
    text
}
