//! One connection to NATS, on which requests are repeated until there is an answer.

use std::fmt;
use std::future::ready;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message, ServerAddr, ServerError};
use percent_encoding::percent_decode_str;
use shedlock_runtime::LockError;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};

use crate::client::SharedClient;
use crate::{error, tls};

/// A request without an answer is repeated after this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often one request is sent. The time limit of a call usually ends the call before.
const MOST_ASKED: usize = 60;
/// How often one request is sent on the caller's own client, where a missing answer may mean a missing right. Few enough that the error
/// about this is returned within the usual time limit of a call.
const MOST_ASKED_OF_CLIENT: usize = 4;
/// How long a client without a connection may take to connect.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// How many refusals of a server are stored until the calls have read them.
const MOST_REFUSALS: usize = 64;

/// The caller's own client, or a client of the provider that is created when it is first needed.
pub(crate) struct Connection {
    /// The servers to which the provider's client connects.
    servers: Option<Vec<ServerAddr>>,
    /// The file of the authorities that the provider's client trusts, in place of those of the system.
    authorities: Option<PathBuf>,
    client: Mutex<SharedClient>,
    /// The refusals of the server on the provider's own connection. The server reports a refusal on the connection, and not as the answer
    /// to a request.
    refusals: broadcast::Sender<String>,
    /// When an answer last arrived, or the connection was last replaced.
    heard: Mutex<Instant>,
}

pub(crate) struct Answer {
    /// `None` if nobody serves the subject.
    pub(crate) message: Option<Message>,
    /// Whether the request was sent more than once, so that an earlier copy may have been carried out.
    pub(crate) is_repeated: bool,
}

impl Connection {
    pub(crate) fn given(client: Client) -> Self {
        Self::new(None, None, SharedClient::given(client))
    }

    pub(crate) fn to(servers: Vec<ServerAddr>, authorities: Option<PathBuf>) -> Self {
        Self::new(Some(servers), authorities, SharedClient::default())
    }

    fn new(
        servers: Option<Vec<ServerAddr>>,
        authorities: Option<PathBuf>,
        client: SharedClient,
    ) -> Self {
        Self {
            servers,
            authorities,
            client: Mutex::new(client),
            refusals: broadcast::channel(MOST_REFUSALS).0,
            heard: Mutex::new(Instant::now()),
        }
    }

    /// The client. If the client is the provider's own, the first call connects it.
    pub(crate) async fn client(&self) -> Result<Client, LockError> {
        self.shared().or_connect(|| self.connect()).await
    }

    /// The client that calls share now, which is another one after its runtime has ended.
    fn shared(&self) -> SharedClient {
        let current = || {
            let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
            client.clone()
        };
        let shared = current();
        if !shared.has_ended() {
            return shared;
        }
        self.replace(&shared);
        current()
    }

    async fn connect(&self) -> Result<Client, LockError> {
        let servers = self.servers.as_deref().unwrap_or_default();
        let tls = tls::client_config(self.authorities.clone()).await?;
        let options = with_login(self.options(), servers)
            .tls_client_config(tls)
            // Servers that the first one tells of are named without a scheme.
            .require_tls(servers.iter().any(ServerAddr::tls_required));
        options.connect(servers).await.map_err(error::unreachable)
    }

    /// Lets the next call create a client, if no other call has done so since `old` was in use.
    fn replace(&self, old: &SharedClient) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if self.servers.is_some() && client.is_same(old) {
            *client = SharedClient::default();
        }
    }

    fn options(&self) -> ConnectOptions {
        let refusals = self.refusals.clone();
        ConnectOptions::new()
            .name("shedlock")
            .connection_timeout(CONNECTION_TIMEOUT)
            .reconnect_delay_callback(|attempts| {
                let tenths = u32::try_from(attempts).unwrap_or(u32::MAX).min(10);
                Duration::from_millis(100) * tenths.saturating_sub(1)
            })
            .event_callback(move |event| {
                if let Event::ServerError(ServerError::Other(refusal)) = event {
                    // An error means that no call is waiting for an answer.
                    let _unheard = refusals.send(refusal);
                }
                ready(())
            })
    }

    /// Returns the answer to a request. While there is no answer, the request is repeated on a new connection.
    pub(crate) async fn ask(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Vec<u8>,
    ) -> Result<Answer, LockError> {
        let most = match self.servers {
            Some(_) => MOST_ASKED,
            None => MOST_ASKED_OF_CLIENT,
        };
        let request = || {
            let request = Request::new().headers(headers.clone()).timeout(None);
            request.payload(payload.clone().into())
        };
        for earlier in 0..most {
            let is_repeated = earlier > 0;
            match self.ask_once(subject, request()).await {
                Ok(Some(message)) => {
                    return Ok(Answer {
                        message,
                        is_repeated,
                    });
                }
                Ok(None) => {}
                Err(error) if is_repeated => return Err(error::in_doubt(error)),
                Err(error) => return Err(error),
            }
        }
        Err(error::unanswered(self.servers.is_some()))
    }

    /// The contents of an [`Answer`], or `None` if there was no answer in time.
    async fn ask_once(
        &self,
        subject: &str,
        request: Request,
    ) -> Result<Option<Option<Message>>, LockError> {
        let shared = self.shared();
        let client = shared.or_connect(|| self.connect()).await?;
        wait_for_connection(&client).await?;
        let (asked, refusals) = (Instant::now(), self.refusals.subscribe());
        tokio::select! {
            answer = client.send_request(subject.to_owned(), request) => {
                self.hear();
                match answer {
                    Ok(message) => Ok(Some(Some(message))),
                    Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(Some(None)),
                    Err(error) => Err(error::not_sent(error)),
                }
            }
            refusal = refusal_of(refusals, subject) => Err(error::forbidden(&refusal)),
            () = sleep(ANSWER_WITHIN) => self.renew(&shared, &client, asked).await.map(|()| None),
        }
    }

    /// Replaces the provider's own connection if no answer has arrived on it since `asked`.
    async fn renew(
        &self,
        shared: &SharedClient,
        client: &Client,
        asked: Instant,
    ) -> Result<(), LockError> {
        let is_silent = *self.heard.lock().unwrap_or_else(PoisonError::into_inner) < asked;
        if self.servers.is_some() && is_silent {
            self.hear();
            let connects = || client.statistics().connects.load(Ordering::Relaxed);
            let before = connects();
            let renewed = client.force_reconnect().await;
            renewed.map_err(|error| error::in_doubt(error::closed(error)))?;
            // Until the client has reconnected, its requests go to the old connection.
            let is_renewed = wait_until(|| connects() != before).await;
            // It does not even see that it shall reconnect: its runtime stands still, or is driven no more.
            if !is_renewed && client.connection_state() == State::Connected {
                self.replace(shared);
            }
        }
        Ok(())
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Adds the login of the first URL that has a user, because the client itself ignores the login in its URLs.
fn with_login(options: ConnectOptions, servers: &[ServerAddr]) -> ConnectOptions {
    let login = |server: &ServerAddr| {
        let password = server.password().map(percent_decoded);
        Some((percent_decoded(server.username()?), password))
    };
    match servers.iter().find_map(login) {
        Some((user, Some(password))) => options.user_and_password(user, password),
        Some((token, None)) => options.token(token),
        None => options,
    }
}

fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Waits until the client has a connection. A client without a connection queues its requests and sends them later, which must not happen
/// to a request of a lock.
async fn wait_for_connection(client: &Client) -> Result<(), LockError> {
    if wait_until(|| client.connection_state() == State::Connected).await {
        return Ok(());
    }
    Err(error::disconnected())
}

/// Waits until `is_so` returns true. Returns false if that takes too long.
async fn wait_until(is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + CONNECTED_WITHIN;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
    true
}

/// Waits until the server reports that it refuses requests for `subject`, or that it refuses answers to this client.
async fn refusal_of(mut refusals: broadcast::Receiver<String>, subject: &str) -> String {
    let quoted = format!("\"{subject}\"");
    loop {
        match refusals.recv().await {
            Ok(refusal) if refusal.contains(&quoted) || refusal.contains("Subscription to") => {
                return refusal;
            }
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            // Never happens while the provider exists, because the provider owns the sender.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

// Written by hand, because the address of a server may contain a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("is_own", &self.servers.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_may_have_any_character() {
        assert_eq!(percent_decoded("p%40s%2Fs"), "p@s/s");
        assert_eq!(percent_decoded("%C3%BC%"), "ü%");
        // A parser of numbers takes a sign for part of the number.
        assert_eq!(percent_decoded("%+1"), "%+1");
    }
}
