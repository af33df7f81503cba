//! Where connections come from: the caller's pool, or a few of our own that are kept open and never pinged.
//!
//! sqlx's pool pings a connection when it is returned and, by default, when it is taken: two to four round trips more for
//! a lock and its release, which are two themselves. A kept connection is used as it is; one that turns out to be dead is
//! replaced within the call.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Pool};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::store::{Backend, Options};

/// Where connections come from.
pub(crate) enum Source<DB: Backend> {
    /// The caller's.
    Pool(Pool<DB>),
    /// Our own.
    Kept(Kept<DB>),
}

/// Our own connections, opened when first needed.
pub(crate) struct Kept<DB: Backend> {
    options: Options<DB>,
    idle: Mutex<Vec<DB::Connection>>,
    permits: Semaphore,
}

/// A connection in use.
pub(crate) enum Checkout<'s, DB: Backend> {
    Pool(PoolConnection<DB>),
    Kept(KeptConnection<'s, DB>),
}

/// One of our own connections in use. Dropped without [`keep`](Checkout::settle), as when its call was cancelled, it is closed:
/// an answer may still be on its way.
pub(crate) struct KeptConnection<'s, DB: Backend> {
    kept: &'s Kept<DB>,
    connection: DB::Connection,
    /// Whether it has been idle, so that it may be dead without our knowing.
    used_before: bool,
    _permit: SemaphorePermit<'s>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// All are in use.
    Exhausted,
    /// None could be had in time.
    Slow(Duration),
    /// None could be opened.
    Failed(sqlx::Error),
}

impl<DB: Backend> Source<DB> {
    pub(crate) fn kept(options: Options<DB>) -> Self {
        Self::Kept(Kept {
            options,
            idle: Mutex::default(),
            permits: Semaphore::new(DB::KEPT),
        })
    }

    /// A connection, within `limit`.
    pub(crate) async fn checkout(&self, limit: Duration) -> Result<Checkout<'_, DB>, NoConnection> {
        match self {
            Self::Kept(kept) => kept.checkout(limit).await.map(Checkout::Kept),
            // The pool has a limit of its own, by default 30 seconds, which is more than a call to a store may take.
            Self::Pool(pool) => match tokio::time::timeout(limit, pool.acquire()).await {
                Ok(Ok(connection)) => Ok(Checkout::Pool(connection)),
                Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) if is_exhausted(pool) => {
                    Err(NoConnection::Exhausted)
                }
                Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) => Err(NoConnection::Slow(limit)),
                Ok(Err(error)) => Err(NoConnection::Failed(error)),
            },
        }
    }

    /// Whether connections are our own, made with our settings.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

impl<DB: Backend> Kept<DB> {
    async fn checkout(&self, limit: Duration) -> Result<KeptConnection<'_, DB>, NoConnection> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_none_free) => tokio::time::timeout(limit, self.permits.acquire())
                .await
                .map_err(|_elapsed| NoConnection::Exhausted)?
                .map_err(|_closed| NoConnection::Exhausted)?,
        };
        let idle = self.idle().pop();
        let used_before = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => tokio::time::timeout(limit, self.open())
                .await
                .map_err(|_elapsed| NoConnection::Slow(limit))?
                .map_err(NoConnection::Failed)?,
        };
        Ok(KeptConnection {
            kept: self,
            connection,
            used_before,
            _permit: permit,
        })
    }

    async fn open(&self) -> Result<DB::Connection, sqlx::Error> {
        let mut connection = DB::Connection::connect_with(&self.options).await?;
        DB::set_up(&mut connection).await?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<DB::Connection>> {
        // Nothing in there runs foreign code, so there is no half-done state to fear.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Backend> Checkout<'_, DB> {
    /// Gives the connection back after a statement that ended with an answer.
    pub(crate) fn give_back(self) {
        if let Self::Kept(KeptConnection {
            kept,
            connection,
            _permit,
            ..
        }) = self
        {
            // Before the permit: whoever gets that shall find the connection.
            kept.idle().push(connection);
        }
    }

    /// Closes the connection after an error that leaves its state unknown, and says whether a new one may do better: this
    /// one had been idle, and may have died meanwhile.
    pub(crate) fn discard(self) -> bool {
        match self {
            Self::Pool(_) => false,
            Self::Kept(kept) => {
                if kept.used_before {
                    // What ended this one, a restart say, has ended the others too.
                    let dead = std::mem::take(&mut *kept.kept.idle());
                    drop(dead);
                }
                kept.used_before
            }
        }
    }
}

impl<DB: Backend> Deref for Checkout<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Pool(connection) => connection,
            Self::Kept(kept) => &kept.connection,
        }
    }
}

impl<DB: Backend> DerefMut for Checkout<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pool(connection) => connection,
            Self::Kept(kept) => &mut kept.connection,
        }
    }
}

// Derived, it would print the options, and with them the password.
impl<DB: Backend> fmt::Debug for Source<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_kept() {
            "own connections"
        } else {
            "a pool"
        })
    }
}

/// Whether the pool has no connection left to give, rather than one that does not come about.
fn is_exhausted<DB: Backend>(pool: &Pool<DB>) -> bool {
    pool.size() >= pool.options().get_max_connections() && pool.num_idle() == 0
}
