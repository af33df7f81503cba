//! Counters of the traffic through a proxy.

use std::net::SocketAddr;

/// What has arrived at a proxy since its start, whether or not the proxy has passed the data on.
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
    /// The number of connections that clients have made.
    pub connections: u64,
    /// The number of connections that are open now.
    pub open: u64,
    /// The number of messages from clients. A message is what arrives in one piece.
    pub client_messages: u64,
    /// The number of bytes from clients.
    pub client_bytes: u64,
    /// The number of bytes from the server.
    pub server_bytes: u64,
    /// The number of times that a client sent first or sent after the server. This is the number of round trips if clients await each
    /// reply.
    pub round_trips: u64,
    /// The number of bytes that the proxy discarded, in both directions.
    pub discarded_bytes: u64,
    /// The number of times that a trigger has applied its rule.
    pub triggered: u64,
}

/// What has arrived at a proxy over one connection, whether or not the proxy has passed the data on.
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
    /// The number of the connection, counted from zero in the order in which connections were made.
    pub number: usize,
    /// The address of the client, if the client was still connected when the connection was accepted.
    pub client: Option<SocketAddr>,
    /// Whether the connection is open now.
    pub open: bool,
    /// The number of messages from the client. A message is what arrives in one piece.
    pub client_messages: u64,
    /// The number of bytes from the client.
    pub client_bytes: u64,
    /// The number of bytes from the server.
    pub server_bytes: u64,
    /// The number of times that the client sent first or sent after the server. This is the number of round trips if the client awaits each
    /// reply.
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
