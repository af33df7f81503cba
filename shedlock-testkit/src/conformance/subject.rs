//! The store under test as the cases see it: nodes, and helper functions for names, durations and waiting.

use std::time::{Duration, Instant};

use shedlock_runtime::{Capabilities, Expiry, Fencing, LockConfiguration};

use super::harness::{Harness, Peek};
use super::node::{Held, Node};

/// A lease that is longer than any case.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// The largest difference between two clocks of one machine during a case: the store's clock may be slewed, and count in milliseconds.
pub(super) const NOISE: Duration = Duration::from_millis(2);
/// The time limit for something that should happen at once, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const POLL: Duration = Duration::from_millis(5);

/// The store under test, as the cases of the suite see it. [`conformance!`](crate::conformance!) makes one for each case.
///
/// See [`Harness`] for an example.
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

    /// Makes a node that has already called the store, so that no case measures the time to make a connection.
    pub(super) async fn node(&self, name: &str) -> Node {
        let node = Node::new(self.harness.node(name).await, self.slack());
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

    /// How long after its end the lease of a dead holder may still be held: the granularity of the store's clock.
    pub(super) fn slack(&self) -> Duration {
        self.capabilities.grain().max(Duration::from_millis(5))
    }

    /// Waits until the lease of a dead holder, which lasts for `at_most`, has ended for each of these nodes. Nodes that end leases by
    /// observation have to see the record first.
    pub(super) async fn until_ended(&self, nodes: &[&Node], lock: &str, at_most: Duration) {
        if self.ends_by_observation() {
            for node in nodes {
                node.must_be_refused(lock).await;
            }
        }
        until(Instant::now() + at_most + self.slack() + Duration::from_millis(20)).await;
    }

    pub(super) fn ends_by_observation(&self) -> bool {
        self.capabilities.expiry() == Expiry::ByObservation
    }

    /// Whether the store keeps records of free locks. If not, prints that the case is not applicable.
    pub(super) fn keeps_free_records(&self) -> bool {
        let keeps = self.capabilities.keeps_free_records();
        if !keeps {
            self.not_applicable("the store keeps no record of a free lock");
        }
        keeps
    }

    /// A lease that ends soon, but is long enough for a few calls.
    pub(super) fn roomy(&self) -> Duration {
        self.short().max(Duration::from_millis(500)) * 4
    }

    /// Whether `shown` is the token of the last acquisition. A store that does not keep records of free locks need not know the token.
    pub(super) fn is_shown(&self, shown: Option<u64>, token: Option<u64>) -> bool {
        shown == token || (shown.is_none() && !self.capabilities.keeps_free_records())
    }

    pub(super) async fn peek(&self, lock: &str) -> Peek {
        self.harness.peek(lock).await
    }

    /// Prints that the case does not apply to this provider or harness, and why. The case returns afterwards.
    #[expect(
        clippy::print_stderr,
        reason = "read by whoever wonders what was tested"
    )]
    pub(super) fn not_applicable(&self, why: &str) {
        eprintln!("NOT APPLICABLE {}: {why}", self.test);
    }
}

/// Returns a name that no other case uses, since harnesses may share a store.
pub(super) fn fresh(hint: &str) -> String {
    format!("{hint}-{:016x}", fastrand::u64(..))
}

pub(super) fn config(lock: &str, at_most: Duration, at_least: Duration) -> LockConfiguration {
    LockConfiguration::new(lock, at_most)
        .and_then(|config| config.with_at_least(at_least))
        .unwrap_or_else(|error| {
            panic!("`{lock}` is a legal name and the durations are legal: {error:?}")
        })
}

/// Asserts that `later` was granted no earlier than `at_least_for` after `earlier`.
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

/// Waits until the monotonic clock of this machine has reached `instant`.
pub(super) async fn until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}
