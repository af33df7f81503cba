//! The provider's own connections: a few, opened on demand, which stay open and are never pinged.
//!
//! sqlx's pool pings a connection when it is returned and, by default, when it is taken. That adds two to four round trips to a lock
//! and its release, which need two themselves. These connections are used without a ping; one that turns out to be unusable is
//! replaced within the call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shedlock_sql::NoConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::database::{Backend, Home, Options};

/// The provider's own connections.
pub(crate) struct OwnConnections<DB: Backend> {
    servers: Vec<Options<DB>>,
    idle: Mutex<Vec<Idle<DB>>>,
    permits: Arc<Semaphore>,
    /// Whether a pooler was detected in front of the server.
    behind_pooler: AtomicBool,
}

/// A connection that is not in use.
struct Idle<DB: Backend> {
    connection: DB::Connection,
    home: Option<Home>,
    since: Instant,
}

/// One of the provider's own connections in use.
pub(crate) struct OwnConnection<DB: Backend> {
    own: Arc<OwnConnections<DB>>,
    connection: DB::Connection,
    home: Option<Home>,
    /// How long the connection was idle before this use; none if it was opened for this use.
    idle_for: Option<Duration>,
    _permit: OwnedSemaphorePermit,
}

impl<DB: Backend> OwnConnections<DB> {
    pub(super) fn new(servers: Vec<Options<DB>>) -> Self {
        Self {
            servers,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(DB::OWN_CONNECTIONS)),
            behind_pooler: AtomicBool::new(false),
        }
    }

    pub(super) async fn checkout(
        self: Arc<Self>,
        limit: Duration,
    ) -> Result<OwnConnection<DB>, NoConnection<sqlx::Error>> {
        let began = Instant::now();
        let permits = || Arc::clone(&self.permits);
        let permit = match permits().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_none_free) => tokio::time::timeout(limit, permits().acquire_owned())
                .await
                .map_err(|_elapsed| NoConnection::Waiting)?
                .map_err(|_closed| NoConnection::Waiting)?,
        };
        let idle = self.idle().pop();
        let idle_for = idle.as_ref().map(|idle| idle.since.elapsed());
        let (connection, home) = match idle {
            Some(idle) => (idle.connection, idle.home),
            // Boxed, because this rare future would make the future of every call larger.
            None => Box::pin(self.open(limit.saturating_sub(began.elapsed()))).await?,
        };
        Ok(OwnConnection {
            own: self,
            connection,
            home,
            idle_for,
            _permit: permit,
        })
    }

    /// Opens a connection to the first server that accepts writes; each server gets an equal part of the remaining time.
    async fn open(
        &self,
        limit: Duration,
    ) -> Result<(DB::Connection, Option<Home>), NoConnection<sqlx::Error>> {
        let began = Instant::now();
        let mut failed = NoConnection::Slow(limit);
        let mut read_only = None;
        for (at, server) in self.servers.iter().enumerate() {
            let others = self.servers.len() - at;
            let left = limit.saturating_sub(began.elapsed());
            let part = left / u32::try_from(others).unwrap_or(u32::MAX);
            // Read before the connection is opened, so that a file replaced meanwhile is noticed at the first answer.
            let home = DB::home(server);
            let open = async {
                let mut connection = DB::open(server, &self.behind_pooler).await?;
                let writes = self.servers.len() == 1 || DB::takes_writes(&mut connection).await?;
                Ok((connection, writes))
            };
            match tokio::time::timeout(part, open).await {
                Ok(Ok((connection, writes))) => {
                    let home = match home {
                        Some(home) => Some(home),
                        // The connection has created the file.
                        None => DB::home(server),
                    };
                    if writes {
                        return Ok((connection, home));
                    }
                    read_only = Some((connection, home));
                }
                Ok(Err(error)) => failed = NoConnection::Failed(error),
                Err(_elapsed) => failed = NoConnection::Slow(limit),
            }
        }
        // A read-only connection is better than none: its error says what is wrong.
        read_only.ok_or(failed)
    }

    pub(super) fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    pub(super) fn home_now(&self) -> Option<Home> {
        match &self.servers[..] {
            [server] => DB::home(server),
            _ => None,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        // No other code runs under the lock, so the vector is consistent even after a panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Backend> OwnConnection<DB> {
    pub(super) fn give_back(self) {
        let Self {
            own,
            connection,
            home,
            _permit,
            ..
        } = self;
        let since = Instant::now();
        // Pushed before the permit is released, so that the next holder of the permit finds the connection.
        own.idle().push(Idle {
            connection,
            home,
            since,
        });
    }

    pub(super) fn is_new(&self) -> bool {
        self.idle_for.is_none()
    }

    pub(super) fn idle_for(&self) -> Duration {
        self.idle_for.unwrap_or_default()
    }

    /// Whether there is no pooler, so that all statements of this connection reach the same session.
    pub(crate) fn is_direct(&self) -> bool {
        !self.own.behind_pooler.load(Ordering::Relaxed)
    }

    pub(super) fn home(&self) -> Option<Home> {
        self.home
    }

    pub(super) fn connection(&self) -> &DB::Connection {
        &self.connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}
