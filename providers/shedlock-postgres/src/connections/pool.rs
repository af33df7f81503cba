//! Connections of a pool of the program. The program uses the same connections, and may leave them in any state.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool, PoolError, TimeoutType};
use shedlock_sql::{NoConnection, Reach, Replaced};
use tokio_postgres::{Client, Statement};

use crate::error::Error;
use crate::session;

/// A pool of the program.
pub(crate) struct TheirPool {
    pool: Pool,
    /// When the idle connections were last closed for a lasting error of the server.
    closed: Mutex<Option<Instant>>,
}

/// The minimum interval at which a pool's idle connections are closed for a lasting error of the server, such as "read-only".
const SELDOM: Duration = Duration::from_secs(60);

/// A connection of the pool in use.
pub(crate) struct PooledConnection(Slot);

/// Closes its connection when dropped, unless the connection was taken out: an answer may still be in flight.
struct Slot(Option<Object>);

impl TheirPool {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            closed: Mutex::default(),
        }
    }

    pub(super) async fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<PooledConnection, NoConnection<Error>> {
        let began = Instant::now();
        // A pool that pings an idle connection waits for the answer, which a dead connection never gives.
        let may_hang = self.pool.status().available > 0;
        let first = if may_hang { part } else { limit };
        let mut got = tokio::time::timeout(first, self.pool.get()).await;
        if may_hang && got.is_err() {
            replaced.add_one();
            self.close_idle();
            let left = limit.saturating_sub(began.elapsed());
            got = Box::pin(tokio::time::timeout(left, self.pool.get())).await;
        }
        match got {
            Ok(Ok(object)) => Ok(PooledConnection(Slot(Some(object)))),
            // The pool's own limits, if it has any, may be shorter or longer than the time limit of a call.
            Ok(Err(PoolError::Timeout(TimeoutType::Wait))) => Err(NoConnection::Exhausted),
            Err(_elapsed) if self.is_exhausted() => Err(NoConnection::Exhausted),
            Ok(Err(PoolError::Timeout(_))) | Err(_) => Err(NoConnection::Slow(limit)),
            Ok(Err(PoolError::Closed)) => Err(NoConnection::Failed(Error::PoolClosed)),
            Ok(Err(error)) => Err(NoConnection::Failed(Error::Pool(error))),
        }
    }

    /// Whether all connections of the pool are in use, rather than a new one being slow to open.
    fn is_exhausted(&self) -> bool {
        let status = self.pool.status();
        status.size >= status.max_size && status.available == 0
    }

    /// Closes an unusable connection, and the idle ones that are likely to be unusable too.
    pub(super) fn close(&self, pooled: PooledConnection, is_another: bool, reach: Reach) {
        let is_new = pooled.is_new();
        drop(pooled);
        if is_new {
            return;
        }
        match reach {
            Reach::One if !is_another => {}
            Reach::One | Reach::All => self.close_idle(),
            Reach::Server => self.close_idle_seldom(),
        }
    }

    fn close_idle_seldom(&self) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none_or(|closed| closed.elapsed() >= SELDOM) {
            *closed = Some(Instant::now());
            drop(closed);
            self.close_idle();
        }
    }

    fn close_idle(&self) {
        let retained = self.pool.retain(|_connection, _metrics| false);
        drop(retained);
    }
}

impl PooledConnection {
    pub(super) fn give_back(mut self) {
        drop(self.0.0.take());
    }

    pub(super) fn client(&self) -> &Client {
        self.object()
    }

    /// The statement, from the cache that the pool keeps for the connection.
    pub(super) async fn prepare(
        &self,
        statement: &shedlock_sql::Statement,
    ) -> Result<Statement, Error> {
        let types: Vec<_> = session::types(statement).collect();
        let prepared = self
            .object()
            .prepare_typed_cached(statement.text(), &types)
            .await;
        prepared.map_err(Error::Driver)
    }

    /// Whether the pool has opened the connection for this call.
    pub(crate) fn is_new(&self) -> bool {
        Object::metrics(self.object()).recycle_count == 0
    }

    fn object(&self) -> &Object {
        self.0
            .0
            .as_ref()
            .expect("a connection in use is in its slot, which is emptied only when it is consumed")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            // Taken from the pool, the connection is closed at once, even if the server does not answer.
            drop(Object::take(object));
        }
    }
}
