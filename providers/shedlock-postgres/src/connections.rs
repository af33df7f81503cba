//! The sources of connections: one of the provider's own that all calls share, a client of the program, or a pool of the program.
//!
//! A connection of each source may be dead or stale, and one of the program may be inside a transaction of other code. `shedlock-sql`
//! detects that, and closes the connection.

pub(crate) mod client;
mod open;
pub(crate) mod own;
#[cfg(feature = "deadpool")]
pub(crate) mod pool;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use shedlock_sql::{NoConnection, Reach, Replaced};
use tokio_postgres::{Client, Statement};

use crate::error::Error;
use client::HandedClient;
use own::{OwnConnection, SharedConnection};
#[cfg(feature = "deadpool")]
use pool::{PooledConnection, TheirPool};

/// A source of connections.
pub(crate) enum Source {
    /// One connection of the provider's own.
    Own(Arc<OwnConnection>),
    /// A client of the program.
    Client(Arc<HandedClient>),
    /// A pool of the program.
    #[cfg(feature = "deadpool")]
    Pool(TheirPool),
}

/// A connection in use by one call.
pub(crate) enum Checkout {
    Own(SharedConnection),
    Client(Arc<HandedClient>),
    #[cfg(feature = "deadpool")]
    Pool(Box<PooledConnection>),
}

impl Source {
    /// Hands out a connection within `limit`. A possibly dead connection of a pool has `part` of that time to answer the pool's ping.
    #[cfg_attr(
        not(feature = "deadpool"),
        expect(unused_variables, reason = "only a pool pings")
    )]
    pub(crate) async fn checkout_within(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<Checkout, NoConnection<Error>> {
        match self {
            Self::Own(own) => own.checkout(limit).await.map(Checkout::Own),
            Self::Client(client) if client.client().is_closed() => {
                Err(NoConnection::Failed(Error::ClientClosed))
            }
            Self::Client(client) => Ok(Checkout::Client(Arc::clone(client))),
            #[cfg(feature = "deadpool")]
            Self::Pool(pool) => {
                let pooled = pool.checkout(limit, part, replaced);
                pooled.await.map(Box::new).map(Checkout::Pool)
            }
        }
    }

    /// Closes an unusable connection, and the idle ones that are likely to be unusable too.
    #[cfg_attr(
        not(feature = "deadpool"),
        expect(unused_variables, reason = "only a pool has idle connections")
    )]
    pub(crate) fn close_with_others(
        &self,
        connection: Checkout,
        replaced: &mut Replaced,
        reach: Reach,
    ) {
        match (self, connection) {
            (Self::Own(own), Checkout::Own(shared)) => own.close(&shared),
            // The program's client cannot be replaced; its statements may be out of date.
            (_, Checkout::Client(client)) => client.forget_statements(),
            #[cfg(feature = "deadpool")]
            (Self::Pool(pool), Checkout::Pool(pooled)) => {
                pool.close(*pooled, replaced.count() > 0, reach);
            }
            // A connection is closed by the source that handed it out.
            _ => {}
        }
        replaced.add_one();
    }
}

impl Checkout {
    pub(crate) fn client(&self) -> &Client {
        match self {
            Self::Own(shared) => shared.client(),
            Self::Client(client) => client.client(),
            #[cfg(feature = "deadpool")]
            Self::Pool(pooled) => pooled.client(),
        }
    }

    /// The statement, prepared once on each connection.
    pub(crate) async fn prepare(
        &self,
        statement: &shedlock_sql::Statement,
    ) -> Result<Statement, Error> {
        match self {
            Self::Own(shared) => shared.prepared().get(shared.client(), statement).await,
            Self::Client(client) => client.prepared().get(client.client(), statement).await,
            #[cfg(feature = "deadpool")]
            Self::Pool(pooled) => pooled.prepare(statement).await,
        }
    }

    /// Notes whether the database has answered, if only with an error.
    pub(crate) fn note_answer<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        let has_answered = answer
            .as_ref()
            .err()
            .is_none_or(|error| error.code().is_some());
        if let (true, Self::Own(shared)) = (has_answered, self) {
            shared.has_answered();
        }
        answer
    }

    /// Returns the connection for reuse.
    pub(crate) fn return_it(self) {
        match self {
            Self::Own(shared) => shared.give_back(),
            Self::Client(_) => {}
            #[cfg(feature = "deadpool")]
            Self::Pool(pooled) => pooled.give_back(),
        }
    }
}

// Not derived, because the options contain the password.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(_) => "a connection of its own",
            Self::Client(_) => "a client",
            #[cfg(feature = "deadpool")]
            Self::Pool(_) => "a pool",
        })
    }
}
