//! What has passed through a proxy.

/// What has arrived at a proxy since its start, passed on or not.
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
