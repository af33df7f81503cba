//! What has passed through a proxy.

use std::net::SocketAddr;

/// What has arrived at a proxy since its start, whether or not the proxy has passed it on.
///
/// # Examples
///
/// ```no_run
/// # async fn test(proxy: shedlock_testkit::Proxy) {
/// let before = proxy.counters();
/// // Take a lock through the proxy.
/// assert_eq!(proxy.counters().round_trips - before.round_trips, 1);
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections made by clients.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Messages of clients: pieces that arrived as one.
    pub client_messages: u64,
    /// Bytes of clients.
    pub client_bytes: u64,
    /// Bytes of the server.
    pub server_bytes: u64,
    /// How often a client spoke first or after the server had: round trips, with a client that awaits each reply.
    pub round_trips: u64,
    /// Bytes that were swallowed, either way.
    pub discarded_bytes: u64,
    /// How often a trigger set off its rule.
    pub triggered: u64,
}

/// What has arrived at a proxy over one connection, whether or not the proxy has passed it on.
///
/// # Examples
///
/// ```no_run
/// # fn test(proxy: &shedlock_testkit::Proxy) {
/// let open = proxy.connections().iter().filter(|connection| connection.open).count();
/// assert_eq!(open, 1, "the provider keeps one connection");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCounters {
    /// Counted from zero, in the order in which the connections were made.
    pub number: usize,
    /// Where the client is, if it was still there when the connection was accepted.
    pub client: Option<SocketAddr>,
    /// Whether the connection is open now.
    pub open: bool,
    /// Messages of the client: pieces that arrived as one.
    pub client_messages: u64,
    /// Bytes of the client.
    pub client_bytes: u64,
    /// Bytes of the server.
    pub server_bytes: u64,
    /// How often the client spoke first or after the server had: round trips, with a client that awaits each reply.
    pub round_trips: u64,
}

impl ConnectionCounters {
    pub(super) fn new(number: usize, client: Option<SocketAddr>) -> Self {
        Self {
            number,
            client,
            open: true,
            client_messages: 0,
            client_bytes: 0,
            server_bytes: 0,
            round_trips: 0,
        }
    }
}
