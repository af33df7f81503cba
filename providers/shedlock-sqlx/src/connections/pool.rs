//! Connections of the caller's pool. The program uses the same connections, and may leave them in any state.

use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use shedlock_sql::{NoConnection, Replaced};
use sqlx::Pool;
use sqlx::pool::PoolConnection;

use super::own::OwnConnections;
use crate::database::{Backend, Home};

/// The caller's pool.
pub(crate) struct TheirPool<DB: Backend> {
    pool: Pool<DB>,
    /// The SQLite file of the pool's URL, and the connections that replace the pool once that file was replaced.
    home: OnceLock<Home>,
    instead: OnceLock<Arc<OwnConnections<DB>>>,
    /// When the idle connections were last closed by [`close_idle_seldom`](Self::close_idle_seldom).
    closed: Mutex<Option<Instant>>,
}

/// The minimum interval at which a pool's idle connections are closed for a lasting error of the server, such as "read-only".
const SELDOM: Duration = Duration::from_mins(1);

/// A connection of the caller's pool in use.
pub(crate) struct PooledConnection<DB: Backend> {
    /// Filled until the connection is given back or closed.
    connection: Slot<DB>,
    /// Whether the connection was taken from the idle ones without a ping.
    may_be_dead: bool,
}

/// Closes its connection when dropped, unless the connection was taken out.
struct Slot<DB: Backend>(Option<PoolConnection<DB>>);

impl<DB: Backend> TheirPool<DB> {
    pub(super) fn new(pool: Pool<DB>) -> Self {
        let this = Self {
            pool,
            home: OnceLock::new(),
            instead: OnceLock::new(),
            closed: Mutex::default(),
        };
        // Noted at once, before the file can be replaced.
        let _noted = this.home();
        this
    }

    pub(super) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    pub(super) async fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<PooledConnection<DB>, NoConnection<sqlx::Error>> {
        let began = Instant::now();
        let from_idle = self.pool.num_idle() > 0;
        let tests = self.pool.options().get_test_before_acquire();
        // The ping on a dead connection is never answered.
        let may_hang = DB::IS_REMOTE && from_idle && tests;
        let first = if may_hang { part } else { limit };
        // Pinned in place, because the large future would otherwise be copied.
        let mut acquired = {
            let acquire = pin!(self.pool.acquire());
            tokio::time::timeout(first, acquire).await
        };
        if may_hang && acquired.is_err() {
            replaced.add_one();
            self.close_idle();
            let left = limit.saturating_sub(began.elapsed());
            acquired = Box::pin(tokio::time::timeout(left, self.pool.acquire())).await;
        }
        match acquired {
            Ok(Ok(connection)) => Ok(PooledConnection {
                connection: Slot(Some(connection)),
                may_be_dead: from_idle && !tests,
            }),
            // The pool's own limit, by default 30 seconds, is longer than the time limit of a call.
            Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) if self.is_exhausted() => {
                Err(NoConnection::Exhausted)
            }
            Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) => Err(NoConnection::Slow(limit)),
            Ok(Err(error)) => Err(NoConnection::Failed(error)),
        }
    }

    /// Whether all connections of the pool are in use, rather than a new one being slow to open.
    fn is_exhausted(&self) -> bool {
        self.pool.size() >= self.pool.options().get_max_connections() && self.pool.num_idle() == 0
    }

    pub(super) fn close_idle_seldom(&self) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none_or(|closed| closed.elapsed() >= SELDOM) {
            *closed = Some(Instant::now());
            drop(closed);
            self.close_idle();
        }
    }

    pub(super) fn close_idle(&self) {
        // Connections that are returned meanwhile are not waited for.
        for _ in 0..self.pool.num_idle() {
            let Some(connection) = self.pool.try_acquire() else {
                return;
            };
            drop(Slot(Some(connection)));
        }
    }

    /// The identity of the pool's file when it was first seen.
    pub(super) fn home(&self) -> Option<Home> {
        match self.home.get() {
            Some(home) => Some(*home),
            None => self.home_now().map(|now| *self.home.get_or_init(|| now)),
        }
    }

    pub(super) fn home_now(&self) -> Option<Home> {
        DB::home(&self.pool.connect_options())
    }

    /// The provider's own connections, used once the pool's file was replaced: a pool does not show which connections are older.
    pub(super) fn instead(&self) -> Option<&Arc<OwnConnections<DB>>> {
        self.instead.get()
    }

    /// Switches from the pool to the provider's own connections.
    pub(super) fn leave(&self) {
        self.instead.get_or_init(|| {
            let options = DB::own_options(&self.pool.connect_options());
            Arc::new(OwnConnections::new(vec![options]))
        });
    }
}

impl<DB: Backend> PooledConnection<DB> {
    pub(super) fn give_back(mut self) {
        drop(self.connection.0.take());
    }

    pub(super) fn may_be_dead(&self) -> bool {
        self.may_be_dead
    }

    pub(super) fn connection(&self) -> &DB::Connection {
        self.connection.connection()
    }

    pub(super) fn connection_mut(&mut self) -> &mut DB::Connection {
        self.connection.connection_mut()
    }
}

impl<DB: Backend> Drop for Slot<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // A detached connection is closed at once, even if the server does not answer.
            drop(connection.detach());
        }
    }
}

impl<DB: Backend> Slot<DB> {
    fn connection(&self) -> &DB::Connection {
        self.0.as_deref().expect(STAYS)
    }

    fn connection_mut(&mut self) -> &mut DB::Connection {
        self.0.as_deref_mut().expect(STAYS)
    }
}

/// Why a slot in use cannot be empty: the connection is taken out only when the slot itself is consumed.
const STAYS: &str = "a connection in use is in its slot";
