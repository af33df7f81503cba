//! The guard of a held lock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Acquired, Refusal, Released};
use crate::config::LockConfiguration;
use crate::duration::ToDuration;
use crate::error::{ErrorKind, LockError, Operation};
use crate::events;
use crate::held::LockState;
use crate::lease::Attempt;
use crate::limit::limited;
use crate::name::LockName;
use crate::provider::LockProvider;
use crate::release::{self, Orphan};

/// A held lock: released when it is dropped or, better, by [`unlock`](Self::unlock).
///
/// `Drop` cannot wait for the store: it hands the release to the tokio runtime that took the lock. Where that runtime
/// has ended, the lease just runs out.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// # use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
/// # let provider = InMemoryLockProvider::new();
/// if let Some(mut lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.extend("5m", "0s").await?;
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "if unused, the lock is released at once"]
pub struct Lock {
    state: Arc<LockState>,
    release_on_drop: bool,
}

/// Asks the store for a lock, within the time that the configuration allows.
///
/// `outer` is the innermost lock that the asking task holds already.
pub(crate) async fn acquire(
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    outer: Option<Arc<LockState>>,
) -> Result<Result<Lock, Refusal>, LockError> {
    // The provider itself: through the pointer, each call would be boxed twice.
    let store = &**provider;
    let info = store.info();
    let context = |error: LockError, name: &LockName| {
        error.with_context(Operation::Acquire, info.name(), Some(name))
    };
    if let Err(invalid) = config.name().check_chars(info.max_name_chars()) {
        return Err(context(invalid.into(), config.name()));
    }
    let timeout = config.timeout();
    let mut orphan = Orphan::new(provider, Attempt::new(config.clone(), info.clock().boot()));
    let answer = limited(timeout, store.acquire(orphan.attempt())).await;
    match answer {
        Ok(Acquired::Granted(lease)) => {
            let now = info.clock().boot();
            let deadline = orphan.attempt().sent().saturating_add(lease.valid_for());
            if now >= deadline {
                // Dropping the orphan gives the lock back.
                let late = LockError::new(
                    ErrorKind::Timeout,
                    "the answer came after the lease had ended",
                )
                .with_remedy("give the lock a longer `at_most`");
                return Err(context(late, orphan.attempt().name()));
            }
            orphan.disarm();
            let state = LockState::new(provider, lease, deadline, now, timeout, outer);
            events::acquired(&state);
            Ok(Ok(Lock {
                state: Arc::new(state),
                release_on_drop: true,
            }))
        }
        Ok(Acquired::Refused(refusal)) => {
            orphan.disarm();
            Ok(Err(refusal))
        }
        Err(error) => {
            if !error.kind().is_ambiguous() {
                orphan.disarm();
            }
            Err(context(error, orphan.attempt().name()))
        }
    }
}

impl Lock {
    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> LockName {
        self.state.name().clone()
    }

    /// Whether the lease is live, by this node's own count: from before the store was asked, suspended time included.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state.remaining().is_some()
    }

    /// How long the lease lasts from now, or `None` if it has ended.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.state.remaining()
    }

    /// A number that grows with every acquisition of this name, where the store can keep one.
    ///
    /// A resource that remembers the highest number it has seen can refuse the writes of a holder that lost its lock.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.state.fencing_token()
    }

    /// Moves the end of the lease to `at_most` from now, and keeps the lock taken for `at_least` from now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Lost`] if the lease had ended: nothing was changed then. A duration that is refused as by
    /// [`LockConfiguration::new`], or the store's error; then the lease ends when it would have, or at the end asked
    /// for if that is earlier.
    ///
    /// # Cancel safety
    ///
    /// A dropped extension leaves the lease as an error does.
    pub async fn extend(
        &mut self,
        at_most: impl ToDuration,
        at_least: impl ToDuration,
    ) -> Result<(), LockError> {
        self.state
            .extend(at_most.to_duration()?, at_least.to_duration()?)
            .await
    }

    /// Whether dropping the guard releases the lock; `false` keeps the lock taken until `at_most`.
    pub fn release_on_drop(&mut self, release: bool) {
        self.release_on_drop = release;
    }

    /// Gives the lock back and waits until the store has confirmed it.
    ///
    /// [`Released::Lost`] says that the lock was not this guard's any more, so the work may have overlapped with
    /// another holder's.
    ///
    /// # Errors
    ///
    /// The store's error. The release is then tried again in the background until the lease ends.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the release goes on in the background.
    pub async fn unlock(mut self) -> Result<Released, LockError> {
        self.release_on_drop = true;
        let answer = self.state.release_once().await;
        if answer.is_ok() {
            self.release_on_drop = false;
        }
        answer
    }

    pub(crate) fn state(&self) -> &Arc<LockState> {
        &self.state
    }

    /// Gives the lock back after a task: a failure is an event and no more.
    pub(crate) async fn release_after_task(mut self) {
        match self.state.release_once().await {
            Ok(_) => self.release_on_drop = false,
            // Dropping the guard tries again, in the background.
            Err(error) => events::release_failed(&self.state, &error),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.release_on_drop {
            release::in_background(Arc::clone(&self.state));
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("name", &self.name())
            .field("provider", &self.state.provider().info().name())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
