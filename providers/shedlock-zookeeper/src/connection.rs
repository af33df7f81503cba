//! One session with ZooKeeper, in which requests are repeated until there is an answer.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shedlock_runtime::LockError;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};
use zookeeper_client::{Client, Connector, Error, MultiWriteError, SessionState};

use crate::error;

/// A request without an answer is repeated after this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The wait before a request is repeated whose connection has ended.
const REPEAT_AFTER: Duration = Duration::from_millis(50);
/// How often one request is sent. The time limit of a call usually ends the call before.
const MOST_ASKED: usize = 60;
/// How often one request is sent on the caller's own client, which this crate cannot replace.
const MOST_ASKED_OF_CLIENT: usize = 4;
/// How long a client without a connection may take to connect again, before it is replaced.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);
/// The same for the caller's own client, which waits between its attempts. Short enough that the error about this is returned within the
/// usual time limit of a call.
const CLIENT_CONNECTED_WITHIN: Duration = Duration::from_secs(4);
/// How long a new session may take.
const SESSION_WITHIN: Duration = Duration::from_secs(4);

/// The caller's own client, or a client of the provider that is created when it is first needed and replaced when it is of no use.
pub(crate) struct Connection {
    /// How the provider's own clients connect.
    origin: Option<Origin>,
    session: Mutex<Session>,
    /// When an answer last arrived, or the session was last replaced.
    heard: Mutex<Instant>,
}

struct Origin {
    connector: Connector,
    servers: String,
}

type Session = Arc<OnceCell<Client>>;

pub(crate) struct Answer<T> {
    /// What ZooKeeper returned. An error is ZooKeeper's own, such as that a node does not exist.
    pub(crate) result: Result<T, MultiWriteError>,
    /// Whether the request was sent more than once, so that an earlier copy may have been carried out.
    pub(crate) is_repeated: bool,
}

impl Connection {
    pub(crate) fn given(client: Client) -> Self {
        Self::new(None, OnceCell::new_with(Some(client)))
    }

    pub(crate) fn to(servers: String, connector: Connector) -> Self {
        let origin = Origin { connector, servers };
        Self::new(Some(origin), OnceCell::new())
    }

    fn new(origin: Option<Origin>, session: OnceCell<Client>) -> Self {
        Self {
            origin,
            session: Mutex::new(Arc::new(session)),
            heard: Mutex::new(Instant::now()),
        }
    }

    /// Connects, if that has not been done yet.
    pub(crate) async fn connect(&self) -> Result<(), LockError> {
        self.usable_client().await.map(drop)
    }

    /// Returns the answer to a request. While there is no answer, the request is repeated, in a new session if the old one says nothing.
    pub(crate) async fn ask<T, F>(
        &self,
        request: impl Fn(Client) -> F,
    ) -> Result<Answer<T>, LockError>
    where
        F: Future<Output = Result<T, MultiWriteError>>,
    {
        let most = match self.origin {
            Some(_) => MOST_ASKED,
            None => MOST_ASKED_OF_CLIENT,
        };
        for earlier in 0..most {
            let is_repeated = earlier > 0;
            let usable = self.usable_client().await;
            let (session, client) = match usable {
                Err(error) if is_repeated => return Err(error::in_doubt(error)),
                usable => usable?,
            };
            let asked = Instant::now();
            match timeout(ANSWER_WITHIN, request(client)).await {
                Ok(Err(MultiWriteError::RequestFailed { source })) if is_lost(&source) => {
                    self.replace(&session);
                    sleep(REPEAT_AFTER).await;
                }
                Ok(result) => {
                    self.hear();
                    return Ok(Answer {
                        result,
                        is_repeated,
                    });
                }
                Err(_elapsed) if self.heard_since(asked) => {}
                Err(_elapsed) => self.replace(&session),
            }
        }
        Err(error::unanswered())
    }

    /// A client with a connection. A client without one queues its requests and sends them later, which must not happen to a request of a
    /// lock.
    async fn usable_client(&self) -> Result<(Session, Client), LockError> {
        loop {
            let session = Arc::clone(&self.session());
            let is_new = !session.initialized();
            let client = session.get_or_try_init(|| self.open()).await?.clone();
            let patience = match self.origin {
                Some(_) => CONNECTED_WITHIN,
                None => CLIENT_CONNECTED_WITHIN,
            };
            if is_connected(&client, patience).await {
                return Ok((session, client));
            }
            if self.origin.is_none() {
                return Err(error::disconnected(client.state()));
            }
            self.replace(&session);
            if is_new {
                return Err(error::disconnected(client.state()));
            }
        }
    }

    async fn open(&self) -> Result<Client, LockError> {
        let Some(Origin { connector, servers }) = &self.origin else {
            return Err(error::disconnected(SessionState::Closed));
        };
        let opening = connector.clone().connect(servers);
        let opened = timeout(SESSION_WITHIN, opening).await;
        let client = opened.unwrap_or(Err(Error::Timeout));
        let client = client.map_err(error::unreachable)?;
        self.hear();
        Ok(client)
    }

    /// Lets the next request open a new session, unless another request has replaced `old` before. The caller's own client stays.
    fn replace(&self, old: &Session) {
        let mut session = self.session();
        if self.origin.is_some() && Arc::ptr_eq(&session, old) {
            *session = Arc::default();
        }
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard_since(&self, asked: Instant) -> bool {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) >= asked
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Waits until the client has a connection. Returns false if that takes too long, or can no longer be.
async fn is_connected(client: &Client, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        match client.state() {
            SessionState::SyncConnected | SessionState::ConnectedReadOnly => return true,
            SessionState::Disconnected if Instant::now() < deadline => {
                sleep(Duration::from_millis(10)).await;
            }
            _ => return false,
        }
    }
}

/// Whether the request has no answer, as opposed to an answer of ZooKeeper that is an error.
fn is_lost(error: &Error) -> bool {
    !matches!(
        error,
        Error::NoNode
            | Error::NoAuth
            | Error::BadVersion
            | Error::BadArguments(_)
            | Error::NoChildrenForEphemerals
            | Error::NodeExists
            | Error::NotEmpty
            | Error::InvalidAcl
            | Error::AuthFailed
            | Error::NotReadOnly
            | Error::QuotaExceeded
            | Error::Throttled
            | Error::MarshallingError
            | Error::Unimplemented
            | Error::UnexpectedErrorCode(_)
    )
}

// Written by hand, because a connector may contain a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("is_own", &self.origin.is_some())
            .finish_non_exhaustive()
    }
}
