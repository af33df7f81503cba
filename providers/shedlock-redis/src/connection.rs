//! A connection of our own to one server, shared by all calls. A call that finds the connection broken replaces it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult};
use shedlock_runtime::LockError;
use tokio::sync::Semaphore;

use crate::error;
use crate::script::Run;
use crate::sentinels::Sentinels;

/// The server's answer to a script.
pub(crate) struct Reply<T> {
    pub(crate) answer: T,
    /// Whether the same request was sent before, over a connection that gave no answer. That earlier request may still be on its way.
    pub(crate) is_in_doubt: bool,
}

/// Which server a connection leads to.
pub(crate) enum Server {
    At(Client),
    /// The server that is the primary when the connection is opened.
    Primary(Sentinels),
}

impl Server {
    async fn open(&self) -> RedisResult<MultiplexedConnection> {
        // `shedlock-runtime` limits the time of each call.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        match self {
            Self::At(client) => {
                let opened = client.get_multiplexed_async_connection_with_config(&config);
                opened.await
            }
            Self::Primary(sentinels) => sentinels.open(&config).await,
        }
    }
}

/// The connection to a server, once there is one.
pub(crate) struct Connection {
    server: Server,
    kept: Mutex<Option<Kept>>,
    /// One call at a time opens a connection. Calls that wait for the permit then use that connection.
    opening: Semaphore,
}

#[derive(Clone)]
struct Kept {
    connection: MultiplexedConnection,
    /// How many connections were opened before this one.
    number: u64,
}

/// A request to the server.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    Script(&'a Run),
    /// A script for a server of a cluster that is taking over the lock's slot from another one.
    ScriptForImport(&'a Run),
    Command(&'a Cmd),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(self, kept: &Kept) -> RedisResult<T> {
        let (run, is_import) = match self {
            Self::Command(command) => {
                return command.query_async(&mut kept.connection.clone()).await;
            }
            Self::Script(run) => (run, false),
            Self::ScriptForImport(run) => (run, true),
        };
        match query(run.by_hash(), is_import, kept).await {
            Err(unknown) if error::is_unknown_script(&unknown) => {
                query(run.in_full(), is_import, kept).await
            }
            answer => answer,
        }
    }
}

async fn query<T: FromRedisValue>(command: Cmd, is_import: bool, kept: &Kept) -> RedisResult<T> {
    let mut connection = kept.connection.clone();
    if !is_import {
        return command.query_async(&mut connection).await;
    }
    // One pipeline, because `ASKING` is for the next command of the connection, which is shared.
    let mut both = redis::pipe();
    both.cmd("ASKING").ignore().add_command(command);
    let (answer,) = both.query_async(&mut connection).await?;
    Ok(answer)
}

impl Connection {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            kept: Mutex::default(),
            opening: Semaphore::new(1),
        }
    }

    /// Opens the connection, if there is none.
    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        let opened = self.open(None).await;
        opened.map(drop).map_err(Failure::Unreachable)
    }

    /// Sends a request that is safe to send twice: a script, because the number of the write makes each script idempotent, or a command that
    /// changes nothing. The existing connection may be broken, so it gets only the time `part` to answer. A new connection gets all the time
    /// that the caller allows.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        request: Request<'_>,
        part: Duration,
    ) -> Result<Reply<T>, Failure> {
        let mut unsure = None;
        let kept = self.kept().clone();
        if let Some(kept) = &kept {
            match tokio::time::timeout(part, request.send(kept)).await {
                Ok(Ok(answer)) => {
                    return Ok(Reply {
                        answer,
                        is_in_doubt: false,
                    });
                }
                Ok(Err(error)) if !error::is_of_the_connection(&error) => {
                    return Err(Failure::Failed(error));
                }
                Ok(Err(error)) if error.code().is_none() => unsure = Some(Failure::Failed(error)),
                Ok(Err(_server_of_no_use)) => {}
                Err(_elapsed) => unsure = Some(Failure::Silent(part)),
            }
            self.discard(kept);
        }
        let fresh = match self.open(kept.map(|kept| kept.number)).await {
            Ok(fresh) => fresh,
            Err(error) => return Err(Failure::Unreachable(error).after(unsure)),
        };
        match request.send(&fresh).await {
            Ok(answer) => Ok(Reply {
                answer,
                is_in_doubt: unsure.is_some(),
            }),
            Err(error) => {
                if error::is_of_the_connection(&error) {
                    self.discard(&fresh);
                }
                Err(Failure::Failed(error).after(unsure))
            }
        }
    }

    /// Returns a connection that is newer than the connection with the number `after`.
    async fn open(&self, after: Option<u64>) -> RedisResult<Kept> {
        // The semaphore is never closed, so this never fails.
        let _permit = self.opening.acquire().await;
        if let Some(opened) = self.kept().clone()
            && after.is_none_or(|after| opened.number > after)
        {
            return Ok(opened);
        }
        let connection = self.server.open().await?;
        let number = after.map_or(0, |after| after + 1);
        let opened = Kept { connection, number };
        *self.kept() = Some(opened.clone());
        Ok(opened)
    }

    fn discard(&self, useless: &Kept) {
        let mut kept = self.kept();
        if kept
            .as_ref()
            .is_some_and(|kept| kept.number == useless.number)
        {
            *kept = None;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        // Nothing panics while this mutex is locked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Written by hand, because the `Debug` of a client prints its password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Server::At(client) => write!(f, "{}", client.get_connection_info().addr()),
            Server::Primary(sentinels) => write!(f, "primary {}", sentinels.name),
        }
    }
}

/// Why a request failed.
pub(crate) enum Failure {
    /// The server answered with an error, or the connection broke before the answer came.
    Failed(RedisError),
    /// The connection gave no answer in this time.
    Silent(Duration),
    /// No connection could be opened, so nothing was sent.
    Unreachable(RedisError),
    /// The first request got no answer and may have been carried out; the second request failed as well.
    Then(Box<Self>, Box<Self>),
}

impl Failure {
    pub(crate) fn after(self, unsure: Option<Self>) -> Self {
        match unsure {
            Some(unsure) => Self::Then(Box::new(unsure), Box::new(self)),
            None => self,
        }
    }

    /// The error of a call about the lock with this key; empty for a call about no lock.
    pub(crate) fn on_key(self, key: &str) -> LockError {
        match self {
            Self::Failed(error) => error::failed(key, error),
            Self::Silent(part) => error::silent(part),
            Self::Unreachable(error) => error::unreachable(error),
            Self::Then(unsure, then) => unsure.on_key(key).with_source(then.on_key(key)),
        }
    }
}
