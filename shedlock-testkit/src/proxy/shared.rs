//! The state that all connections of a proxy share: the current orders, and the counters.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::counters::{ConnectionCounters, Counters};
use super::late::Late;
use super::rule::{Ending, Rule, Trigger};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: watch::Sender<State>,
    pub(super) counters: watch::Sender<Counters>,
    /// All connections since the start of the proxy, by number.
    pub(super) connections: Mutex<Vec<ConnectionCounters>>,
    pub(super) armed: Mutex<Option<(Trigger, Rule)>>,
    /// Requests to hold back when a client sends them.
    pub(super) awaited: Mutex<Vec<(Trigger, Late)>>,
}

impl Shared {
    pub(super) fn before(upstream: SocketAddr) -> Self {
        Self {
            state: watch::Sender::new(State {
                rule: Rule::Pass,
                upstream,
                sleep: Sleep::Awake,
                generation: 0,
                closing: Ending::Close.into(),
                blackholed: 0,
            }),
            counters: watch::Sender::new(Counters::default()),
            connections: Mutex::default(),
            armed: Mutex::new(None),
            awaited: Mutex::default(),
        }
    }

    pub(super) fn connections(&self) -> MutexGuard<'_, Vec<ConnectionCounters>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, number: usize, change: impl FnOnce(&mut ConnectionCounters)) {
        if let Some(counters) = self.connections().get_mut(number) {
            change(counters);
        }
    }

    /// The time from which the server answers a client that connects now.
    pub(super) fn wake(&self) -> Instant {
        let mut at = Instant::now();
        // This change does not concern open connections, so they are not notified.
        self.state.send_if_modified(|state| {
            at = state.sleep.wake();
            false
        });
        at
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rule: Rule,
    /// The server to which new connections are made.
    pub(super) upstream: SocketAddr,
    pub(super) sleep: Sleep,
    /// Incremented by each order to end all open connections.
    pub(super) generation: u64,
    pub(super) closing: Closing,
    /// Incremented by each order to blackhole all open connections.
    pub(super) blackholed: u64,
}

/// How a connection ends, and the last bytes that the client receives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Closing {
    pub(super) ending: Ending,
    pub(super) last_message: Arc<[u8]>,
}

impl From<Ending> for Closing {
    fn from(ending: Ending) -> Self {
        Self {
            ending,
            last_message: Arc::default(),
        }
    }
}

/// Whether the server is awake, asleep or waking up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sleep {
    Awake,
    /// The first new connection wakes the server.
    Asleep {
        wakes_in: Duration,
    },
    Waking {
        at: Instant,
    },
}

impl Sleep {
    /// The time from which the server answers a client that connects now.
    pub(super) fn wake(&mut self) -> Instant {
        let now = Instant::now();
        match *self {
            Self::Awake => now,
            Self::Waking { at } => at,
            Self::Asleep { wakes_in } => {
                let at = now + wakes_in;
                *self = Self::Waking { at };
                at
            }
        }
    }
}
