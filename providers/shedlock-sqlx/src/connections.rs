//! Where connections come from: the caller's pool, or a few of our own that are kept open and never pinged.
//!
//! What is true of every connection is decided here and in [`ask`](crate::ask): a connection that was handed to us may be dead,
//! outdated or inside somebody else's transaction, and is closed when it turns out to be.

mod own;
mod pool;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::Pool;

use crate::store::{Backend, Options};
use own::{Own, OwnConnection};
use pool::{PooledConnection, TheirPool};

/// A connection that sat idle for so long may have died without a word: it gets a part of the time to answer.
const SAT_IDLE: Duration = Duration::from_secs(1);
/// That part, at most.
const PART: Duration = Duration::from_secs(1);
/// And at least.
const LEAST_PART: Duration = Duration::from_millis(50);
/// How much later than it was told a server may say that others are busy.
const LATENESS: Duration = Duration::from_millis(300);
/// How many connections one call gives up.
const MOST_REPLACED: u32 = 2;

/// Where connections come from.
pub(crate) enum Source<DB: Backend> {
    /// The caller's.
    Pool(TheirPool<DB>),
    /// Our own.
    Own(Own<DB>),
}

/// A connection in use. Dropped without being [given back](Checkout::give_back), as when its call was cancelled, it is closed: an
/// answer may still be on its way.
pub(crate) enum Checkout<'s, DB: Backend> {
    Pool(PooledConnection<DB>),
    Own(OwnConnection<'s, DB>),
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// All of the pool's are in use.
    Exhausted,
    /// All of our own wait for an answer.
    Waiting,
    /// None could be had in time.
    Slow(Duration),
    /// None could be opened.
    Failed(sqlx::Error),
}

/// How many connections one call has given up.
#[derive(Debug, Default)]
pub(crate) struct Replaced(u32);

/// What is wrong with a connection, and with how many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only this one: somebody left it inside a transaction.
    One,
    /// Probably all that were made before: the server was restarted, say.
    All,
    /// All that were made before, and a new one too, unless the primary is elsewhere by now.
    Server,
}

impl<DB: Backend> Source<DB> {
    /// Connections of our own, to the first of the servers that will do.
    pub(crate) fn own(servers: Vec<Options<DB>>) -> Self {
        Self::Own(Own::new(servers))
    }

    pub(crate) fn pool(pool: Pool<DB>) -> Self {
        Self::Pool(TheirPool::new(pool))
    }

    /// A connection, within `limit`; one that may be dead has `part` of it to answer a pool's ping.
    pub(crate) async fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<Checkout<'_, DB>, NoConnection> {
        match self {
            Self::Own(own) => own.checkout(limit).await.map(Checkout::Own),
            Self::Pool(pool) => {
                if let Some(own) = pool.instead() {
                    return own.checkout(limit).await.map(Checkout::Own);
                }
                // Boxed, because sqlx's future is large, and those who have no pool would carry it too.
                let pooled = Box::pin(pool.checkout(limit, part, replaced)).await;
                pooled.map(Checkout::Pool)
            }
        }
    }

    /// The user's pool, if it is one.
    pub(crate) fn as_pool(&self) -> Option<&Pool<DB>> {
        match self {
            Self::Pool(pool) => Some(pool.pool()),
            Self::Own(_) => None,
        }
    }

    /// Closes what sits idle.
    pub(crate) fn close_idle(&self) {
        match self {
            Self::Own(own) => own.close_idle(),
            Self::Pool(pool) => match pool.instead() {
                Some(own) => own.close_idle(),
                None => pool.close_idle(),
            },
        }
    }

    /// Closes a connection that is of no use, and those that are likely to be of none either.
    pub(crate) fn close(
        &self,
        connection: Checkout<'_, DB>,
        replaced: &mut Replaced,
        reach: Reach,
    ) {
        let is_new = connection.is_new();
        drop(connection);
        if !is_new && (reach != Reach::One || replaced.0 > 0) {
            match (self, reach) {
                (Self::Pool(pool), Reach::Server) => pool.close_idle_seldom(),
                _ => self.close_idle(),
            }
        }
        replaced.0 += 1;
    }

    /// Whether the connection leads to a file that is not the one of that name any more.
    pub(crate) fn has_moved(&self, connection: &Checkout<'_, DB>) -> bool {
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

impl<DB: Backend> Checkout<'_, DB> {
    /// Gives the connection back after a statement that ended with an answer.
    pub(crate) fn give_back(self) {
        match self {
            Self::Pool(pooled) => pooled.give_back(),
            Self::Own(own) => own.give_back(),
        }
    }

    /// Whether no other connection would do better than this one, which is of no use.
    pub(crate) fn is_last(&self, replaced: &Replaced, reach: Reach) -> bool {
        // Of a pool's connections nobody says which is new; when those that sat idle are closed, the next one mostly is.
        let most = if reach == Reach::Server {
            1
        } else {
            MOST_REPLACED
        };
        self.is_new() || replaced.0 >= most
    }

    /// Whether others use the connection, too.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Pool(_))
    }

    /// Whether it was made for this call, so that another one would be no better.
    pub(crate) fn is_new(&self) -> bool {
        match self {
            // A pool does not say.
            Self::Pool(_) => false,
            Self::Own(own) => own.is_new(),
        }
    }

    /// Whether statements can be prepared on it by name: behind a pooler, the name may be unknown at the next message.
    pub(crate) fn can_prepare(&self) -> bool {
        match self {
            // The pool's owner knows.
            Self::Pool(_) => true,
            Self::Own(own) => own.is_direct(),
        }
    }

    /// Whether it sat idle for so long that it may have died without a word.
    pub(crate) fn may_be_dead(&self) -> bool {
        DB::IS_REMOTE
            && match self {
                Self::Pool(pooled) => pooled.may_be_dead(),
                Self::Own(own) => own.idle_for() >= SAT_IDLE,
            }
    }
}

/// The part of the time that goes to a connection that may be dead. One that only `waits` for others is not.
pub(crate) fn part(left: Duration, waits: Duration) -> Duration {
    let others = (waits + LATENESS).min(left / 2);
    (left / 4).clamp(LEAST_PART, PART).max(others)
}

impl<DB: Backend> Deref for Checkout<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Pool(pooled) => pooled.connection(),
            Self::Own(own) => own.connection(),
        }
    }
}

impl<DB: Backend> DerefMut for Checkout<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pool(pooled) => pooled.connection_mut(),
            Self::Own(own) => own.connection_mut(),
        }
    }
}

// Derived, it would print the options, and with them the password.
impl<DB: Backend> fmt::Debug for Source<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool(_) => "a pool",
            Self::Own(_) => "own connections",
        })
    }
}
