//! How often a node waits for its store, as a proxy between the two counts it.

use std::time::Duration;

use shedlock_runtime::{LockProvider, Ownership};

use crate::Proxy;
use crate::requests::{config, refused, take};

/// How many round trips to the store each operation takes: a number that depends on the provider, and not on the machine.
///
/// # Examples
///
/// ```no_run
/// # async fn test(server: std::net::SocketAddr, connect: impl AsyncFn(std::net::SocketAddr) -> shedlock_runtime::InMemoryLockProvider) -> std::io::Result<()> {
/// use shedlock_testkit::{Proxy, RoundTrips};
///
/// let proxy = Proxy::start(server).await?;
/// let provider = connect(proxy.address()).await;
/// let counted = RoundTrips::count(&proxy, &provider).await;
/// assert_eq!(counted, RoundTrips { acquire: 1, refusal: 1, extend: 1, release: 1 });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrips {
    /// Of an acquisition that is granted.
    pub acquire: u64,
    /// Of an acquisition that is refused, because the lock is held.
    pub refusal: u64,
    /// Of an extension.
    pub extend: u64,
    /// Of a release.
    pub release: u64,
}

impl RoundTrips {
    /// Counts the operations of a provider that reaches its store through `proxy`, each alone and over connections that are open already.
    ///
    /// A client or a server that looks from time to time whether the other one is there adds to a count. So each operation is counted three
    /// times, and the smallest number is taken.
    ///
    /// # Panics
    ///
    /// If an operation fails.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, a lock may stay taken until its lease ends.
    pub async fn count(proxy: &Proxy, provider: &impl LockProvider) -> Self {
        // Connections are opened and statements are prepared at first use.
        let mut least = Self::once(proxy, provider).await;
        for _ in 0..3 {
            let next = Self::once(proxy, provider).await;
            least.acquire = least.acquire.min(next.acquire);
            least.refusal = least.refusal.min(next.refusal);
            least.extend = least.extend.min(next.extend);
            least.release = least.release.min(next.release);
        }
        least
    }

    async fn once(proxy: &Proxy, provider: &impl LockProvider) -> Self {
        const LOCK: &str = "round-trips";
        let mut before = proxy.counters().round_trips;
        let mut spent = || {
            let now = proxy.counters().round_trips;
            now - std::mem::replace(&mut before, now)
        };
        let lease = take(provider, LOCK).await;
        let acquire = spent();
        let _refused = refused(provider, LOCK).await;
        let refusal = spent();
        let at_most = config(LOCK).at_most();
        let extended = provider.extend(&lease, at_most).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
        let extend = spent();
        let released = provider.release(&lease, Duration::ZERO).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        Self {
            acquire,
            refusal,
            extend,
            release: spent(),
        }
    }
}
