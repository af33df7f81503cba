//! The provider's own connection, shared by all calls. A call that finds the connection broken replaces it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult};
use shedlock_runtime::LockError;
use tokio::sync::Semaphore;

use crate::error;
use crate::script::Run;

/// The server's answer to a script.
pub(crate) struct Reply<T> {
    pub(crate) answer: T,
    /// Whether the same request was sent before, over a connection that gave no answer. That earlier request may still be on its way.
    pub(crate) is_in_doubt: bool,
}

/// The connection, once there is one.
pub(crate) struct Connections {
    client: Client,
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
enum Request<'a> {
    Script(&'a Run),
    Command(&'a Cmd),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(self, kept: &Kept) -> RedisResult<T> {
        let mut connection = kept.connection.clone();
        let run = match self {
            Self::Command(command) => return command.query_async(&mut connection).await,
            Self::Script(run) => run,
        };
        match run.by_hash().query_async(&mut connection).await {
            Err(unknown) if error::is_unknown_script(&unknown) => {
                run.in_full().query_async(&mut connection).await
            }
            answer => answer,
        }
    }
}

impl Connections {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            kept: Mutex::default(),
            opening: Semaphore::new(1),
        }
    }

    /// Runs a script. The existing connection may be broken, so it gets only the time `part` to answer. A new connection gets all the
    /// time that the caller allows. Sending a script twice is safe, because the number of the write makes each script idempotent.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        run: &Run,
        part: Duration,
    ) -> Result<Reply<T>, LockError> {
        let reply = self.try_each(Request::Script(run), part).await;
        reply.map_err(|failure| failure.on_key(&run.lock_key))
    }

    /// Sends a command that is safe to send twice. The existing connection gets only the time `part` to answer.
    pub(crate) async fn command<T: FromRedisValue>(
        &self,
        command: &Cmd,
        part: Duration,
    ) -> Result<T, LockError> {
        let reply = self.try_each(Request::Command(command), part).await;
        reply
            .map(|reply| reply.answer)
            .map_err(|failure| failure.on_key(""))
    }

    async fn try_each<T: FromRedisValue>(
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
        // `shedlock-runtime` limits the time of each call.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
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
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.client.get_connection_info().addr();
        write!(f, "Connections({address})")
    }
}

enum Failure {
    Failed(RedisError),
    Silent(Duration),
    Unreachable(RedisError),
    /// The first request got no answer and may have been carried out; the second request failed as well.
    Then(Box<Self>, Box<Self>),
}

impl Failure {
    fn after(self, unsure: Option<Self>) -> Self {
        match unsure {
            Some(unsure) => Self::Then(Box::new(unsure), Box::new(self)),
            None => self,
        }
    }

    fn on_key(self, key: &str) -> LockError {
        match self {
            Self::Failed(error) => error::failed(key, error),
            Self::Silent(part) => error::silent(part),
            Self::Unreachable(error) => error::unreachable(error),
            Self::Then(unsure, then) => unsure.on_key(key).with_source(then.on_key(key)),
        }
    }
}
