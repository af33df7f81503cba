//! The store under test as the cases see it: nodes, short names for what they do, and an oracle clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Fencing, Lease, Lock, LockConfiguration,
    LockProvider, LockProviderExt as _, Ownership, Refusal, SkipReason,
};

use super::harness::{Harness, Peek};

/// A lease that no case outlives.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// How far two clocks of one machine may be apart over a case: the store's may be slewed, and count in milliseconds.
pub(super) const NOISE: Duration = Duration::from_millis(2);
/// How long something may take that should happen at once, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// The store under test.
pub struct Subject {
    harness: Box<dyn Harness>,
    capabilities: Capabilities,
    test: &'static str,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject")
            .field("test", &self.test)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

impl Subject {
    pub(super) async fn new(test: &'static str, harness: impl Harness) -> Self {
        let provider = harness.node("capabilities").await;
        let capabilities = provider.info().capabilities().clone();
        Self {
            harness: Box::new(harness),
            capabilities,
            test,
        }
    }

    pub(super) fn harness(&self) -> &dyn Harness {
        &*self.harness
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(super) fn fencing(&self) -> Fencing {
        let declared = self.capabilities.fencing();
        self.harness.fencing().unwrap_or(declared)
    }

    /// A node that has spoken to the store before, so that no case measures how a connection is made.
    pub(super) async fn node(&self, name: &str) -> Node {
        let node = Node {
            provider: self.harness.node(name).await,
            slack: self.slack(),
        };
        node.warm_up().await;
        node
    }

    pub(super) async fn two_nodes(&self) -> (Node, Node) {
        (self.node("one").await, self.node("two").await)
    }

    /// A lease that ends soon.
    pub(super) fn short(&self) -> Duration {
        let shortest = self.capabilities.shortest_lease();
        shortest.max(Duration::from_millis(300))
    }

    /// How much later than its end a dead holder's lease may be free: the step in which the store counts.
    pub(super) fn slack(&self) -> Duration {
        self.capabilities.grain().max(Duration::from_millis(5))
    }

    /// Whether records of free locks stay; says so if the case cannot show anything without.
    pub(super) fn keeps_free_records(&self) -> bool {
        let keeps = self.capabilities.keeps_free_records();
        if !keeps {
            self.not_applicable("the store keeps no record of a free lock");
        }
        keeps
    }

    /// A lease that ends soon, but not before a few calls have been made.
    pub(super) fn roomy(&self) -> Duration {
        self.short().max(Duration::from_millis(500)) * 4
    }

    /// Whether `shown` is the token of the last acquisition, which a store that keeps no free records need not know.
    pub(super) fn is_shown(&self, shown: Option<u64>, token: Option<u64>) -> bool {
        shown == token || (shown.is_none() && !self.capabilities.keeps_free_records())
    }

    pub(super) async fn peek(&self, lock: &str) -> Peek {
        self.harness.peek(lock).await
    }

    /// Says that the case shows nothing here, and why. The case returns afterwards.
    #[expect(
        clippy::print_stderr,
        reason = "read by whoever wonders what was tested"
    )]
    pub(super) fn not_applicable(&self, why: &str) {
        eprintln!("NOT APPLICABLE {}: {why}", self.test);
    }
}

/// A name that no other case uses: harnesses may share a store.
pub(super) fn fresh(hint: &str) -> String {
    format!("{hint}-{:016x}", fastrand::u64(..))
}

/// One provider: one program's view of the store.
#[derive(Debug, Clone)]
pub(super) struct Node {
    provider: Arc<dyn LockProvider>,
    slack: Duration,
}

/// A lease as the store granted it, without a guard: the cases decide what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// Before the store was asked.
    pub(super) asked: Instant,
    /// After the store had answered.
    pub(super) answered: Instant,
}

impl Node {
    pub(super) fn of(provider: Arc<dyn LockProvider>) -> Self {
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

    /// Asks the store once, without the runtime's time limit.
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

    /// Takes a lock that must be free.
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

    /// Takes a lock that must be free, as users do.
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

    /// Asks for a lock that must be held, and must be said to be.
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

    /// Asks until the lock is granted, which must happen `soon`.
    pub(super) async fn seize_when_free(&self, lock: &str) -> Held {
        self.seize_within(lock, Duration::ZERO).await
    }

    /// Asks until the lock is granted, which must happen within `wait` and what a busy machine needs.
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

pub(super) fn config(lock: &str, at_most: Duration, at_least: Duration) -> LockConfiguration {
    LockConfiguration::new(lock, at_most)
        .and_then(|config| config.with_at_least(at_least))
        .unwrap_or_else(|error| {
            panic!("`{lock}` is a legal name and the durations are legal: {error:?}")
        })
}

/// The lock may not have been granted to `later` before `earlier`'s time was over.
pub(super) fn assert_kept(earlier: Instant, at_least_for: Duration, later: &Held) {
    let after = later.answered.duration_since(earlier);
    assert!(
        after + NOISE >= at_least_for,
        "`{}` was granted again after {after:?} and was to be kept for {at_least_for:?}",
        later.lease.name()
    );
}

/// Waits for something that should happen at once.
pub(super) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(PATIENCE, happens).await;
    limited.unwrap_or_else(|_elapsed| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// Waits until the oracle clock has reached `instant`.
pub(super) async fn until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}
