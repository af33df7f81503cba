//! The faults between nodes and store, and how a proxy makes them.

use crate::Proxy;
use crate::proxy::{Direction, Ending, Rule};

/// A fault between the nodes and the store, started by [`Harness::inject`](super::Harness::inject).
///
/// # Examples
///
/// ```
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::conformance::StoreFault;
///
/// # async fn example(proxy: &Proxy) {
/// assert!(StoreFault::Stall.start(proxy).await);
/// // What a node asks now is answered only after:
/// StoreFault::end(proxy).await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// Connections stay open and no bytes pass. What was sent during the fault arrives after the fault.
    Stall,
    /// Requests reach the store, and no reply reaches a node.
    LoseReplies,
    /// All open connections are ended once. New connections work.
    EndConnections,
    /// The store is killed and started again with its data. The call returns when the store is back.
    Restart,
    /// The store refuses new connections during the fault, and the open connections are ended.
    Unreachable,
}

impl StoreFault {
    /// Starts this fault for all nodes that connect through `proxy`. Returns false for [`Restart`](Self::Restart), which a proxy cannot do.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have started the fault; [`end`](Self::end) ends it.
    pub async fn start(self, proxy: &Proxy) -> bool {
        match self {
            Self::Stall => proxy.set(Rule::Hold(Direction::Both)),
            Self::LoseReplies => proxy.set(Rule::Discard(Direction::ToClient)),
            Self::EndConnections => proxy.end_connections(Ending::Reset),
            Self::Unreachable => {
                proxy.refuse_connections().await;
                proxy.end_connections(Ending::Close);
            }
            Self::Restart => return false,
        }
        true
    }

    /// Ends every fault of `proxy`, with the connections that were open during it.
    ///
    /// # Panics
    ///
    /// If the proxy's port is taken by another program.
    ///
    /// # Cancel safety
    ///
    /// Call it again after a dropped call.
    pub async fn end(proxy: &Proxy) {
        proxy.set(Rule::Pass);
        // A reply that was discarded never comes: its connection would wait for it.
        proxy.end_connections(Ending::Close);
        let accepting = proxy.accept_connections().await;
        accepting.unwrap_or_else(|error| panic!("the proxy's port cannot be had again: {error}"));
    }
}
