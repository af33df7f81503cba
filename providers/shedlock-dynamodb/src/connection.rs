//! One question to DynamoDB until there is an answer.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use shedlock_runtime::LockError;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::error;
#[cfg(feature = "connect")]
use crate::own::Own;

/// A connection that says nothing for so long is given up: a firewall may have forgotten it.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often one question is asked.
const MOST_ASKED: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

/// How many questions are under way at a time; further ones wait for their turn. Each is a connection, and with more of them DynamoDB
/// answers each one later, until all look silent and are asked again.
const MOST_AT_ONCE: usize = 64;

/// The way to DynamoDB.
pub(crate) struct Connection {
    origin: Origin,
    turns: Semaphore,
}

enum Origin {
    Given(Client),
    #[cfg(feature = "connect")]
    Own(Box<Own>),
}

/// The answer to a question, and whether the question was asked before, without an answer.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    pub(crate) is_repeated: bool,
}

impl Connection {
    /// A client as the program's, which never asks again by itself: a provider has to know that it has asked before.
    pub(crate) fn given(client: &Client) -> Self {
        let config = client.config().to_builder();
        let config = config.retry_config(RetryConfig::disabled()).build();
        Self::to(Origin::Given(Client::from_conf(config)))
    }

    /// A client of our own.
    #[cfg(feature = "connect")]
    pub(crate) fn own(own: Own) -> Self {
        Self::to(Origin::Own(Box::new(own)))
    }

    fn to(origin: Origin) -> Self {
        Self {
            origin,
            turns: Semaphore::new(MOST_AT_ONCE),
        }
    }

    pub(crate) async fn client(&self) -> Result<Client, LockError> {
        match &self.origin {
            Origin::Given(client) => Ok(client.clone()),
            #[cfg(feature = "connect")]
            Origin::Own(own) => own.client().await,
        }
    }

    /// No answer came: what is left of the client's connections may be as dead as this one was.
    fn is_silent(&self) {
        match &self.origin {
            // The next question gets another connection of the program's client.
            Origin::Given(_) => {}
            #[cfg(feature = "connect")]
            Origin::Own(own) => own.replace(),
        }
    }

    /// Asks until there is an answer.
    pub(crate) async fn ask<T, E, F>(
        &self,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<Answer<T>, LockError>
    where
        F: Future<Output = Result<T, SdkError<E>>> + Send,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        // The semaphore is never closed, so this never fails.
        let _turn = self.turns.acquire().await;
        let (mut is_repeated, mut asked) = (false, 0);
        loop {
            asked += 1;
            let client = self.client().await?;
            let (error, is_curable) = match timeout(ANSWER_WITHIN, request(client)).await {
                Ok(Ok(value)) => return Ok(Answer { value, is_repeated }),
                Ok(Err(error)) => (
                    error::failed(&error),
                    error::is_cured_by_asking_again(&error),
                ),
                Err(_elapsed) => {
                    self.is_silent();
                    (error::unanswered(), true)
                }
            };
            let may_be_done = error.kind().is_ambiguous();
            if !is_curable || asked == MOST_ASKED {
                return Err(if is_repeated && !may_be_done {
                    error::in_doubt(error)
                } else {
                    error
                });
            }
            is_repeated |= may_be_done;
            sleep(PAUSE * 2_u32.pow(asked - 1)).await;
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Given(_) => f.write_str("Given(..)"),
            #[cfg(feature = "connect")]
            Origin::Own(own) => own.fmt(f),
        }
    }
}
