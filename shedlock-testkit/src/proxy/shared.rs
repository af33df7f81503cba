//! What all connections of a proxy have in common: the orders of the moment, and what is counted.

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
    /// All that there ever were, by their numbers.
    pub(super) connections: Mutex<Vec<ConnectionCounters>>,
    pub(super) armed: Mutex<Option<(Trigger, Rule)>>,
    /// Requests that are to be held back when they are sent.
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
                farewell: Ending::Close.into(),
                forgotten: 0,
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

    /// From when on the server answers somebody who connects now.
    pub(super) fn knock(&self) -> Instant {
        let mut at = Instant::now();
        // Who is connected has nothing to learn from it.
        self.state.send_if_modified(|state| {
            at = state.sleep.knock();
            false
        });
        at
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rule: Rule,
    /// Where new connections lead.
    pub(super) upstream: SocketAddr,
    pub(super) sleep: Sleep,
    /// Grows with every order to end what is open.
    pub(super) generation: u64,
    pub(super) farewell: Farewell,
    /// Grows with every order to forget what is open.
    pub(super) forgotten: u64,
}

/// How a connection ends, and what its client hears last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Farewell {
    pub(super) ending: Ending,
    pub(super) last_words: Arc<[u8]>,
}

impl From<Ending> for Farewell {
    fn from(ending: Ending) -> Self {
        Self {
            ending,
            last_words: Arc::default(),
        }
    }
}

/// How a server that is slow to wake behaves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sleep {
    Awake,
    /// The first to knock wakes it.
    Asleep {
        wakes_in: Duration,
    },
    Waking {
        at: Instant,
    },
}

impl Sleep {
    /// From when on it answers somebody who knocks now.
    pub(super) fn knock(&mut self) -> Instant {
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
