//! One node of the store under test: helper functions for what a node does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, Lock, LockConfiguration, LockProvider,
    LockProviderExt as _, Ownership, Refusal, SkipReason,
};

use super::subject::{LONG, PATIENCE, POLL, config, fresh};

/// One provider, as one program has it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    provider: Arc<dyn LockProvider>,
    slack: Duration,
}

/// A lease that the store granted, without a guard, so that the case decides how the lease ends.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// The time before the node asked the store, by the monotonic clock.
    pub(super) asked: Instant,
    /// The time after the store answered, by the monotonic clock.
    pub(super) answered: Instant,
}

impl Node {
    pub(super) fn new(provider: Arc<dyn LockProvider>, slack: Duration) -> Self {
        Self { provider, slack }
    }

    pub(super) fn from_provider(provider: Arc<dyn LockProvider>) -> Self {
        Self {
            provider,
            slack: Duration::ZERO,
        }
    }

    pub(super) fn provider(&self) -> &Arc<dyn LockProvider> {
        &self.provider
    }

    pub(super) async fn warm_up(&self) {
        let held = self.seize(&fresh("warm-up"), LONG).await;
        self.release(&held).await;
    }

    pub(super) fn request(&self, config: LockConfiguration) -> AcquireRequest {
        AcquireRequest::new(config, self.provider.info().clock().boot())
    }

    /// Asks the store once, without the time limit of the runtime.
    pub(super) async fn try_seize(&self, config: LockConfiguration) -> Result<Held, Refusal> {
        let asked = Instant::now();
        let name = config.name().clone();
        match self.provider.acquire(&self.request(config)).await {
            Ok(Acquisition::Granted(lease)) => Ok(Held {
                lease,
                asked,
                answered: Instant::now(),
            }),
            Ok(Acquisition::Refused(refusal)) => Err(refusal),
            Err(error) => panic!(
                "an acquisition of `{name}` must be granted or refused, and failed: {error:?}"
            ),
        }
    }

    /// Takes a lock that must be free, without a guard.
    pub(super) async fn seize(&self, lock: &str, at_most: Duration) -> Held {
        self.seize_for(lock, at_most, Duration::ZERO).await
    }

    pub(super) async fn seize_for(
        &self,
        lock: &str,
        at_most: Duration,
        at_least: Duration,
    ) -> Held {
        match self.try_seize(config(lock, at_most, at_least)).await {
            Ok(held) => held,
            Err(refusal) => panic!("`{lock}` is free and was refused: {refusal:?}"),
        }
    }

    /// Takes a lock that must be free, with a guard, as users do.
    pub(super) async fn lock(&self, lock: &str, at_most: Duration, at_least: Duration) -> Lock {
        match self
            .provider
            .try_lock(config(lock, at_most, at_least))
            .await
        {
            Ok(Some(guard)) => guard,
            Ok(None) => panic!("`{lock}` is free and was refused"),
            Err(error) => panic!("`{lock}` is free and the acquisition failed: {error:?}"),
        }
    }

    /// Asks for a lock that must be held, and asserts that the refusal says so.
    pub(super) async fn must_be_refused(&self, lock: &str) {
        match self.try_seize(config(lock, LONG, Duration::ZERO)).await {
            Ok(_) => panic!("`{lock}` is held, and was granted to another"),
            Err(refusal) => {
                assert_eq!(
                    refusal.reason,
                    SkipReason::Held,
                    "a lock that is held is refused as held, without a race"
                );
            }
        }
    }

    pub(super) async fn must_be_free(&self, lock: &str) {
        let held = self.seize(lock, LONG).await;
        self.release(&held).await;
    }

    /// Asks until the lock is granted, which must happen within `PATIENCE`.
    pub(super) async fn seize_when_free(&self, lock: &str) -> Held {
        self.seize_within(lock, Duration::ZERO).await
    }

    /// Asks until the lock is granted, which must happen within `wait` and some extra time for a busy machine.
    pub(super) async fn seize_within(&self, lock: &str, wait: Duration) -> Held {
        let limit = Instant::now() + wait + self.slack + PATIENCE;
        loop {
            match self.try_seize(config(lock, LONG, Duration::ZERO)).await {
                Ok(held) => return held,
                Err(_) if Instant::now() < limit => tokio::time::sleep(POLL).await,
                Err(refusal) => {
                    panic!("`{lock}` should long be free, and is still refused: {refusal:?}")
                }
            }
        }
    }

    pub(super) async fn try_extend(&self, held: &Held, at_most: Duration) -> Ownership {
        match self.provider.extend(&held.lease, at_most).await {
            Ok(answer) => answer,
            Err(error) => panic!("an extension must be made or lost, and failed: {error:?}"),
        }
    }

    pub(super) async fn extend(&self, held: &Held, at_most: Duration) {
        let answer = self.try_extend(held, at_most).await;
        assert_eq!(
            answer,
            Ownership::Ours,
            "the lease of `{}` is live and can be extended",
            held.lease.name()
        );
    }

    pub(super) async fn try_release(&self, held: &Held) -> Ownership {
        let keep_for = held.lease.at_least_left(self.provider.info().clock());
        match self.provider.release(&held.lease, keep_for).await {
            Ok(answer) => answer,
            Err(error) => panic!("a release must be made or be too late, and failed: {error:?}"),
        }
    }

    pub(super) async fn release(&self, held: &Held) {
        let answer = self.try_release(held).await;
        assert_eq!(
            answer,
            Ownership::Ours,
            "the lease of `{}` is live and can be released",
            held.lease.name()
        );
    }
}
