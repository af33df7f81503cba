//! The server, or the servers of a cluster, that keep the locks of a provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use shedlock_runtime::LockError;

use crate::cluster::Cluster;
use crate::connection::{Connection, Reply, Request, Server};
use crate::script::Run;
use crate::sentinels::Sentinels;
use crate::url::Origin;

/// Where the locks of a provider are.
pub(crate) enum Servers {
    /// One server has all locks.
    One(Arc<Connection>),
    Cluster(Cluster),
}

impl Servers {
    pub(crate) fn new(origin: Origin) -> Self {
        let one = |server| Self::One(Arc::new(Connection::new(server)));
        match origin {
            Origin::Server(client) => one(Server::At(client)),
            Origin::Sentinels {
                sentinels,
                name,
                primary,
            } => one(Server::Primary(Sentinels {
                members: sentinels,
                name,
                primary,
            })),
            Origin::Cluster(seeds) => Self::Cluster(Cluster::new(seeds)),
        }
    }

    /// Opens a connection to the server, or to one server of the cluster. Another one is tried after the time `part`.
    pub(crate) async fn connect(&self, part: Duration) -> Result<(), LockError> {
        let connected = match self {
            Self::One(connection) => connection.connect().await,
            Self::Cluster(cluster) => cluster.connect(part).await,
        };
        connected.map_err(|failure| failure.on_key(""))
    }

    /// Runs a script on the server that has the lock. An existing connection gets only the time `part` to answer.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        run: &Run,
        part: Duration,
    ) -> Result<Reply<T>, LockError> {
        let reply = match self {
            Self::One(connection) => connection.ask(Request::Script(run), part).await,
            Self::Cluster(cluster) => cluster.ask(run, part).await,
        };
        reply.map_err(|failure| failure.on_key(&run.lock_key))
    }

    /// A connection to each server that has locks.
    pub(crate) async fn primaries(
        &self,
        part: Duration,
    ) -> Result<Vec<Arc<Connection>>, LockError> {
        match self {
            Self::One(connection) => Ok(vec![Arc::clone(connection)]),
            Self::Cluster(cluster) => {
                let primaries = cluster.primaries(part).await;
                primaries.map_err(|failure| failure.on_key(""))
            }
        }
    }
}

/// Sends a command that changes nothing to one server.
pub(crate) async fn command<T: FromRedisValue>(
    server: &Connection,
    command: &Cmd,
    part: Duration,
) -> Result<T, LockError> {
    let reply = server.ask(Request::Command(command), part).await;
    reply
        .map(|reply| reply.answer)
        .map_err(|failure| failure.on_key(""))
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(connection) => connection.fmt(f),
            Self::Cluster(cluster) => cluster.fmt(f),
        }
    }
}
