//! The provider's own connection: one for all calls, which are pipelined on it. It stays open and is never pinged.
//!
//! Each call sends its statement without waiting for the answers to others. The server runs the statements of one connection one after
//! the other, so a statement that waits for a row lock delays those behind it: [`ROW_WAIT`] limits how long.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shedlock_sql::NoConnection;
use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::error::Error;
use crate::servers::Server;
use crate::session::Prepared;

/// How long a statement waits for a row lock before it fails and is sent again, after a pause in which others run: the `lock_timeout` of
/// the session. A tenth of what [`Dialect::row_wait`](shedlock_sql::Dialect::row_wait) allows a connection that serves one call, and longer
/// than another node's statement usually has a row.
pub(crate) const ROW_WAIT: Duration = Duration::from_millis(50);
/// A connection without an answer for this long may have died without an error.
const SAT_IDLE: Duration = Duration::from_secs(1);

/// The provider's own connection.
pub(crate) struct OwnConnection {
    pub(super) servers: Vec<Server>,
    session: Mutex<Option<Arc<Session>>>,
    /// Held by the call that opens the connection; others wait for it.
    opening: tokio::sync::Mutex<()>,
    /// Whether a pooler was detected in front of the server.
    pub(super) behind_pooler: AtomicBool,
}

/// An open connection. When it is dropped, its driving task ends.
pub(crate) struct Session {
    client: Client,
    prepared: Prepared,
    opened: Instant,
    /// When the database last answered, in microseconds since `opened`.
    answered: AtomicU64,
    /// How many calls use the connection now.
    in_use: AtomicUsize,
    /// Whether a call was dropped before its answer came, and none has come since.
    was_left_waiting: AtomicBool,
    is_direct: bool,
    /// Dropped with the session, which its task waits for.
    _ends: oneshot::Sender<()>,
}

/// The connection as one call uses it.
pub(crate) struct SharedConnection {
    session: Arc<Session>,
    /// Whether this call has opened the connection.
    is_new: bool,
    /// Whether this call has an answer to all that it has sent.
    is_answered: bool,
}

impl OwnConnection {
    /// A connection to the first of the servers that accepts writes.
    pub(crate) fn new(servers: Vec<Server>) -> Self {
        Self {
            servers,
            session: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            behind_pooler: AtomicBool::new(false),
        }
    }

    pub(super) async fn checkout(
        &self,
        limit: Duration,
    ) -> Result<SharedConnection, NoConnection<Error>> {
        match self.current() {
            Some(session) => Ok(SharedConnection::new(session, false)),
            // Boxed, because this rare future would make the future of every call larger.
            None => Box::pin(self.open_once(limit)).await,
        }
    }

    /// Opens the connection, unless another call does: then waits for that.
    async fn open_once(&self, limit: Duration) -> Result<SharedConnection, NoConnection<Error>> {
        let began = Instant::now();
        let opening = tokio::time::timeout(limit, self.opening.lock()).await;
        let _alone = opening.map_err(|_elapsed| NoConnection::Waiting)?;
        if let Some(session) = self.current() {
            return Ok(SharedConnection::new(session, false));
        }
        let session = Arc::new(self.open(limit.saturating_sub(began.elapsed())).await?);
        *self.slot() = Some(Arc::clone(&session));
        Ok(SharedConnection::new(session, true))
    }

    /// The open connection, unless its end is known.
    fn current(&self) -> Option<Arc<Session>> {
        let mut slot = self.slot();
        if slot
            .as_ref()
            .is_some_and(|session| session.client.is_closed())
        {
            *slot = None;
        }
        slot.clone()
    }

    /// Has later calls open another connection. Statements that others have on this one keep it until they are answered.
    pub(super) fn close(&self, shared: &SharedConnection) {
        let mut slot = self.slot();
        if slot
            .as_ref()
            .is_some_and(|session| Arc::ptr_eq(session, &shared.session))
        {
            *slot = None;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Session>>> {
        // No other code runs under the lock, so the slot is consistent even after a panic.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a pooler stands in front of the server.
    pub(super) fn note_pooler(&self) {
        self.behind_pooler.store(true, Ordering::Relaxed);
    }
}

impl Session {
    pub(super) fn new(client: Client, ends: oneshot::Sender<()>, is_direct: bool) -> Self {
        Self {
            client,
            prepared: Prepared::default(),
            opened: Instant::now(),
            answered: AtomicU64::new(0),
            in_use: AtomicUsize::new(0),
            was_left_waiting: AtomicBool::new(false),
            is_direct,
            _ends: ends,
        }
    }

    fn last_answer(&self) -> Instant {
        self.opened + Duration::from_micros(self.answered.load(Ordering::Relaxed))
    }
}

impl SharedConnection {
    fn new(session: Arc<Session>, is_new: bool) -> Self {
        session.in_use.fetch_add(1, Ordering::Relaxed);
        Self {
            session,
            is_new,
            is_answered: false,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.session.client
    }

    pub(super) fn prepared(&self) -> &Prepared {
        &self.session.prepared
    }

    pub(super) fn has_answered(&self) {
        let age = self.session.opened.elapsed().as_micros();
        let age = u64::try_from(age).unwrap_or(u64::MAX);
        self.session.answered.store(age, Ordering::Relaxed);
        self.session
            .was_left_waiting
            .store(false, Ordering::Relaxed);
    }

    pub(super) fn give_back(mut self) {
        self.is_answered = true;
    }

    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether the connection may have died without an error: the database has not answered for a while, or a call was dropped while it
    /// waited, or another call waits now, perhaps in vain.
    pub(crate) fn may_be_dead(&self) -> bool {
        let session = &self.session;
        let is_idle = session.last_answer().elapsed() >= SAT_IDLE;
        let others_wait = session.in_use.load(Ordering::Relaxed) > 1;
        let is_doubtful =
            is_idle || others_wait || session.was_left_waiting.load(Ordering::Relaxed);
        is_doubtful && !self.is_new
    }

    /// The time of the last answer, to any call.
    pub(crate) fn pulse(&self) -> impl Fn() -> Instant + Send + 'static {
        let session = Arc::clone(&self.session);
        move || session.last_answer()
    }

    /// Whether there is no pooler, so that all statements of this connection reach the same session.
    pub(crate) fn is_direct(&self) -> bool {
        self.session.is_direct
    }
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        self.session.in_use.fetch_sub(1, Ordering::Relaxed);
        if !self.is_answered {
            self.session.was_left_waiting.store(true, Ordering::Relaxed);
        }
    }
}
