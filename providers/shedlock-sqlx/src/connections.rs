//! The sources of connections: the caller's pool, or a few connections of the provider's own, which stay open and are never pinged.
//!
//! A connection of either source may be dead or stale, and one of a pool may be inside a transaction of other code. `shedlock-sql`
//! detects that, and closes the connection.

mod own;
mod pool;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use shedlock_sql::{NoConnection, Reach, Replaced};
use sqlx::Pool;

use crate::database::{Backend, Options};
use own::{OwnConnection, OwnConnections};
use pool::{PooledConnection, TheirPool};

/// A connection that was idle for this long may have died without an error.
const SAT_IDLE: Duration = Duration::from_secs(1);
/// A source of connections.
pub(crate) enum Source<DB: Backend> {
    /// The caller's pool.
    Pool(TheirPool<DB>),
    /// The provider's own connections.
    Own(Arc<OwnConnections<DB>>),
}

/// A connection in use. A connection that is dropped without being [given back](Checkout::return_it), as when its call is cancelled, is
/// closed, because an answer may still be in flight.
pub(crate) enum Checkout<DB: Backend> {
    Pool(PooledConnection<DB>),
    Own(OwnConnection<DB>),
}

impl<DB: Backend> Source<DB> {
    /// The provider's own connections, each to the first of the servers that accepts writes.
    pub(crate) fn from_servers(servers: Vec<Options<DB>>) -> Self {
        Self::Own(Arc::new(OwnConnections::new(servers)))
    }

    pub(crate) fn from_pool(pool: Pool<DB>) -> Self {
        Self::Pool(TheirPool::new(pool))
    }

    /// Hands out a connection within `limit`. A possibly dead connection of a pool has `part` of that time to answer the pool's ping.
    pub(crate) async fn checkout_within(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<Checkout<DB>, NoConnection<sqlx::Error>> {
        match self {
            Self::Own(own) => Arc::clone(own).checkout(limit).await.map(Checkout::Own),
            Self::Pool(pool) => {
                if let Some(own) = pool.instead() {
                    return Arc::clone(own).checkout(limit).await.map(Checkout::Own);
                }
                // Boxed, because sqlx's large future would also enlarge the calls of providers without a pool.
                let pooled = Box::pin(pool.checkout(limit, part, replaced)).await;
                pooled.map(Checkout::Pool)
            }
        }
    }

    /// The caller's pool, if the source is one.
    pub(crate) fn as_pool(&self) -> Option<&Pool<DB>> {
        match self {
            Self::Pool(pool) => Some(pool.pool()),
            Self::Own(_) => None,
        }
    }

    /// Closes the idle connections.
    fn close_idle(&self) {
        match self {
            Self::Own(own) => own.close_idle(),
            Self::Pool(pool) => match pool.instead() {
                Some(own) => own.close_idle(),
                None => pool.close_idle(),
            },
        }
    }

    /// Closes an unusable connection, and the idle ones that are likely to be unusable too.
    pub(crate) fn close_with_others(
        &self,
        connection: Checkout<DB>,
        replaced: &mut Replaced,
        reach: Reach,
    ) {
        let is_new = connection.was_opened_for_this_call();
        drop(connection);
        if !is_new && (reach != Reach::One || replaced.count() > 0) {
            match (self, reach) {
                (Self::Pool(pool), Reach::Server) => pool.close_idle_seldom(),
                _ => self.close_idle(),
            }
        }
        replaced.add_one();
    }

    /// Whether the SQLite file that the connection has open was moved or replaced.
    pub(crate) fn leads_elsewhere(&self, connection: &Checkout<DB>) -> bool {
        let (home, now) = match (self, connection) {
            (Self::Own(own), Checkout::Own(connection)) => (connection.home(), own.home_now()),
            (Self::Pool(pool), Checkout::Own(connection)) => (connection.home(), pool.home_now()),
            (Self::Pool(pool), Checkout::Pool(_)) => (pool.home(), pool.home_now()),
            (Self::Own(_), Checkout::Pool(_)) => return false,
        };
        let moved = home.is_some() && home != now;
        if let (true, Self::Pool(pool)) = (moved, self) {
            pool.leave();
        }
        moved
    }
}

impl<DB: Backend> Checkout<DB> {
    /// Returns the connection for reuse, after its last statement was answered completely.
    pub(crate) fn return_it(self) {
        match self {
            Self::Pool(pooled) => pooled.give_back(),
            Self::Own(own) => own.give_back(),
        }
    }

    /// Whether the connection was opened for this call.
    pub(crate) fn was_opened_for_this_call(&self) -> bool {
        match self {
            // A pool does not report that.
            Self::Pool(_) => false,
            Self::Own(own) => own.is_new(),
        }
    }

    /// Whether the connection was idle for so long that it may have died without an error.
    pub(crate) fn sat_idle(&self) -> bool {
        match self {
            Self::Pool(pooled) => pooled.may_be_dead(),
            Self::Own(own) => own.idle_for() >= SAT_IDLE,
        }
    }
}

impl<DB: Backend> Deref for Checkout<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Pool(pooled) => pooled.connection(),
            Self::Own(own) => own.connection(),
        }
    }
}

impl<DB: Backend> DerefMut for Checkout<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pool(pooled) => pooled.connection_mut(),
            Self::Own(own) => own.connection_mut(),
        }
    }
}

// Not derived, because the options contain the password.
impl<DB: Backend> fmt::Debug for Source<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool(_) => "a pool",
            Self::Own(_) => "own connections",
        })
    }
}
