//! One question to MongoDB until there is an answer, and the client of a provider that has none of the user's.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{
    ClientOptions, CollectionOptions, ConnectionString, ReadConcern, ReadPreference,
    SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection, Database};
use shedlock_runtime::{ErrorKind, LockError, RuntimeWatch};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};

use crate::error;

/// A connection that says nothing for so long is given up: a firewall may have forgotten it. Each further one gets twice the time of the one
/// before: the server may be slow, such as while the majority lags behind.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The last connection of a call gets the time that the caller leaves, and no more than this: what operators ask for has no limit of its own.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How often one question is asked.
const MOST_ASKED: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

/// What our own client waits for, unless the URL says otherwise: a server that takes writes, and a new connection.
const SERVER_WITHIN: Duration = Duration::from_millis(900);
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);
/// Firewalls forget connections that are idle for longer than this.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// How many connections the driver opens to a server, unless the URL says otherwise.
const CONNECTIONS: usize = 10;
/// So many connections of a URL are enough for all locks of a process.
const MOST_CONNECTIONS: usize = 1_000;

/// The way to a provider's collection.
pub(crate) struct Connection {
    origin: Origin,
    collection: String,
    /// One for each connection of the driver. A further question waits here: the driver would let it wait for a connection, and that time
    /// would count as the server's silence.
    turns: Semaphore,
}

enum Origin {
    Given(Database),
    Own(Box<Own>),
}

/// What a client of our own is made of.
struct Own {
    url: ConnectionString,
    database: String,
    open: Mutex<Option<Open>>,
}

/// A client of our own. The driver's tasks end with the runtime that the client was made in, and then the client is of no use.
struct Open {
    database: Database,
    runtime: RuntimeWatch,
}

impl Own {
    /// The database, of a client that is made if there is none. Whoever asks meanwhile waits for the same client.
    async fn database(&self) -> Result<Database, LockError> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref().filter(|open| !open.runtime.has_ended()) {
            return Ok(open.database.clone());
        }
        let options = ClientOptions::parse(self.url.clone()).await;
        let client = Client::with_options(with_limits(
            options.map_err(|error| error::not_connected(&error))?,
        ));
        let database = client
            .map_err(|error| error::not_connected(&error))?
            .database(&self.database);
        *open = Some(Open {
            database: database.clone(),
            runtime: RuntimeWatch::current(),
        });
        Ok(database)
    }
}

/// The answer to a question, and whether the question was asked before, without an answer.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    pub(crate) is_repeated: bool,
}

impl Connection {
    pub(crate) fn given(database: Database, collection: String) -> Self {
        Self {
            origin: Origin::Given(database),
            collection,
            turns: Semaphore::new(CONNECTIONS),
        }
    }

    /// A client of our own, made at the first question.
    pub(crate) fn to(url: ConnectionString, database: String, collection: String) -> Self {
        let turns = Semaphore::new(match url.max_pool_size {
            None => CONNECTIONS,
            // No limit.
            Some(0) => MOST_CONNECTIONS,
            Some(most) => {
                usize::try_from(most).map_or(MOST_CONNECTIONS, |it| it.min(MOST_CONNECTIONS))
            }
        });
        let own = Own {
            url,
            database,
            open: Mutex::new(None),
        };
        Self {
            origin: Origin::Own(Box::new(own)),
            collection,
            turns,
        }
    }

    pub(crate) async fn database(&self) -> Result<Database, LockError> {
        match &self.origin {
            Origin::Given(database) => Ok(database.clone()),
            Origin::Own(own) => own.database().await,
        }
    }

    /// The collection. Its writes are acknowledged by a majority, and its reads come from the primary, whatever the client's own settings.
    pub(crate) async fn collection(&self) -> Result<Collection<Document>, LockError> {
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let options = CollectionOptions::builder()
            .write_concern(WriteConcern::majority())
            // What a write is to replace must be what is there. A read of what the majority has would lag behind.
            .read_concern(ReadConcern::local())
            .selection_criteria(primary)
            .build();
        let database = self.database().await?;
        Ok(database.collection_with_options(&self.collection, options))
    }

    /// Asks the server whether it is there.
    pub(crate) async fn reach(&self) -> Result<(), LockError> {
        let request = |collection: Collection<Document>| async move {
            let nothing = doc! { "_id": Bson::Null };
            collection.find_one(nothing).await
        };
        self.ask(request).await.map(drop)
    }

    pub(crate) fn collection_name(&self) -> &str {
        &self.collection
    }

    /// Asks until there is an answer. A connection that is broken or says nothing is left to the driver, which closes it.
    pub(crate) async fn ask<T, F>(
        &self,
        request: impl Fn(Collection<Document>) -> F + Send + Sync,
    ) -> Result<Answer<T>, LockError>
    where
        F: Future<Output = mongodb::error::Result<T>> + Send,
    {
        // The semaphore is never closed, so this never fails.
        let _turn = self.turns.acquire().await;
        let collection = self.collection().await?;
        let (mut is_repeated, mut asked, mut patience) = (false, 0, ANSWER_WITHIN);
        loop {
            asked += 1;
            if asked == MOST_ASKED {
                patience = LAST_ANSWER_WITHIN;
            }
            let error = match timeout(patience, request(collection.clone())).await {
                Ok(Ok(value)) => return Ok(Answer { value, is_repeated }),
                Ok(Err(error)) if error::is_cured_by_asking_again(&error) => error::failed(&error),
                Ok(Err(error)) if is_repeated => {
                    return Err(error::in_doubt(error::failed(&error)));
                }
                Ok(Err(error)) => return Err(error::failed(&error)),
                Err(_elapsed) => error::unanswered(),
            };
            let may_be_done = error.kind().is_ambiguous();
            if asked == MOST_ASKED {
                return Err(if is_repeated && !may_be_done {
                    error::in_doubt(error)
                } else {
                    error
                });
            }
            is_repeated |= may_be_done;
            if error.kind() == ErrorKind::Timeout {
                patience *= 2;
            } else {
                sleep(PAUSE * asked).await;
            }
        }
    }
}

/// The options of the URL, and limits where the URL sets none: the driver's own are longer than a lock waits.
fn with_limits(mut options: ClientOptions) -> ClientOptions {
    options
        .app_name
        .get_or_insert_with(|| "shedlock".to_owned());
    options
        .server_selection_timeout
        .get_or_insert(SERVER_WITHIN);
    options.connect_timeout.get_or_insert(CONNECTED_WITHIN);
    options.max_idle_time.get_or_insert(IDLE_FOR);
    // Whatever the URL says. The answer to a write that the driver has sent twice is from the server's memory of the first one, without
    // the server's time. The provider repeats a command by itself, and the command finds what it has done.
    options.retry_writes = Some(false);
    options
}

// Written by hand, because a URL may contain a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = match &self.origin {
            Origin::Given(database) => database.name(),
            Origin::Own(own) => &own.database,
        };
        f.debug_struct("Connection")
            .field("database", &database)
            .field("collection", &self.collection)
            .field("is_own", &matches!(self.origin, Origin::Own(_)))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_of_our_own_sends_no_write_twice_by_itself() {
        let url = "mongodb://localhost/app?replicaSet=rs0&retryWrites=true";
        let options = ClientOptions::parse(url).await.unwrap();
        assert_eq!(with_limits(options).retry_writes, Some(false));
    }
}
