//! The server, and the connections of our own to it. A call that finds a connection of no use opens another one.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shedlock_runtime::LockError;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::check::{self, Settings, StoreReport};
use crate::error;
use crate::link::{Failure, Link};

/// How many connections there are at a time. Further calls wait for one: a server has 1024 of them by default, for all its clients.
const MOST_CONNECTIONS: usize = 16;

/// The name and the password of a user.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The address of a server, and the login.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: Option<Login>,
}

/// The server and its connections.
pub(crate) struct Server {
    address: Address,
    /// The connections that no call uses, the last one used at the end.
    idle: Mutex<Vec<Link>>,
    permits: Semaphore,
    opened: AtomicU64,
    has_warned: AtomicBool,
}

/// Some commands and their answers over one connection. An exchange may be repeated over another connection if the first one breaks.
pub(crate) trait Exchange: Sync {
    type Answer: Send;

    fn run(&self, link: &mut Link) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// The answer of an exchange.
pub(crate) struct Reply<T> {
    pub(crate) answer: T,
    /// Whether the exchange was begun before, over a connection that broke or gave no answer. What was sent there may have been carried out,
    /// or may still be on its way.
    pub(crate) is_in_doubt: bool,
}

impl Server {
    pub(crate) fn new(address: Address) -> Self {
        Self {
            address,
            idle: Mutex::default(),
            permits: Semaphore::new(MOST_CONNECTIONS),
            opened: AtomicU64::new(0),
            has_warned: AtomicBool::new(false),
        }
    }

    /// Runs `exchange`. A connection that was idle may be broken, so it gets only the time `part` to answer. A new connection gets all the
    /// time that the caller allows.
    ///
    /// A call that is dropped takes its connection along, because the answer to it may still come.
    pub(crate) async fn ask<E: Exchange>(
        &self,
        exchange: &E,
        part: Duration,
    ) -> Result<Reply<E::Answer>, LockError> {
        // The semaphore is never closed, so this never fails.
        let _permit = self.permits.acquire().await;
        let mut doubt = None;
        let idle = self.take_idle();
        if let Some(mut link) = idle {
            match tokio::time::timeout(part, exchange.run(&mut link)).await {
                Ok(Ok(answer)) => {
                    self.idle().push(link);
                    return Ok(Reply {
                        answer,
                        is_in_doubt: false,
                    });
                }
                Ok(Err(Failure::Refused(error))) => return Err(error),
                Ok(Err(Failure::Broken(error))) => doubt = Some(error::broken(error)),
                Err(_elapsed) => doubt = Some(error::silent(part)),
            }
            // The others are no younger.
            self.idle().clear();
        }
        let is_in_doubt = doubt.is_some();
        let answered = match self.open().await {
            Ok((mut link, _)) => match exchange.run(&mut link).await {
                Ok(answer) => {
                    self.idle().push(link);
                    return Ok(Reply {
                        answer,
                        is_in_doubt,
                    });
                }
                Err(Failure::Refused(error)) => error,
                Err(Failure::Broken(error)) => error::broken(error),
            },
            Err(error) => error,
        };
        Err(match doubt {
            Some(doubt) => doubt.with_source(answered),
            None => answered,
        })
    }

    /// Opens a connection, keeps it, and returns what the server tells of itself.
    pub(crate) async fn look(&self) -> Result<StoreReport, LockError> {
        let _permit = self.permits.acquire().await;
        let (link, report) = self.open().await?;
        let mut idle = self.idle();
        if idle.len() < MOST_CONNECTIONS {
            idle.push(link);
        }
        Ok(report)
    }

    async fn open(&self) -> Result<(Link, StoreReport), LockError> {
        let Address { host, port, login } = &self.address;
        let opened = TcpStream::connect((&**host, *port)).await;
        let stream = opened.map_err(error::unreachable)?;
        // Each request is sent at once and awaited.
        stream.set_nodelay(true).map_err(error::unreachable)?;
        let mut link = Link::new(stream, self.opened.fetch_add(1, Ordering::Relaxed));
        let settings = greet(&mut link, login.as_ref()).await;
        let settings = settings.map_err(|failure| match failure {
            Failure::Broken(error) => error::not_greeted(error),
            Failure::Refused(error) => error,
        })?;
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            check::warn_of(&settings.report, &self.to_string());
        }
        link.started = settings.started;
        Ok((link, settings.report))
    }

    fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle();
        while let Some(link) = idle.pop() {
            if link.is_quiet() {
                return Some(link);
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        // Nothing panics while this mutex is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs in over a new connection, and looks at the server's settings.
async fn greet(link: &mut Link, login: Option<&Login>) -> Result<Settings, Failure> {
    if let Some(Login { user, password }) = login {
        link.log_in(user, password).await?;
    }
    Ok(Settings::read(&link.stats().await?)?)
}

/// The address, without the login.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port, .. } = &self.address;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}
