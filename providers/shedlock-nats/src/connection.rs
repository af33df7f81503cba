//! One connection to NATS, and questions on it until there is an answer.

use std::fmt;
use std::future::ready;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message, ServerAddr, ServerError};
use shedlock_runtime::LockError;
use tokio::sync::{OnceCell, broadcast};
use tokio::time::{Instant, sleep};

use crate::error;

/// A question without an answer for so long is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often one question is asked. The time limit of a call is shorter as a rule.
const MOST_ASKED: usize = 60;
/// How often on a client of the user's, where no answer may mean no right: within the usual limit of a call, so that this is told.
const MOST_ASKED_OF_CLIENT: usize = 4;
/// A client without a connection gets so long to find one.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// How many refusals of a server wait for those who asked.
const MOST_REFUSALS: usize = 64;

/// A client of the user, or one of the provider's own that is made when first needed.
pub(crate) struct Connection {
    /// The servers of a client of the provider's own.
    servers: Option<Vec<ServerAddr>>,
    client: OnceCell<Client>,
    /// What the server refuses on a connection of the provider's own: it tells the connection, and not the request.
    refusals: broadcast::Sender<String>,
    /// When an answer last came, or the connection was last replaced.
    heard: Mutex<Instant>,
}

pub(crate) struct Answer {
    /// `None` if nobody serves the subject.
    pub(crate) message: Option<Message>,
    /// Whether the question was asked before, and may have been carried out then.
    pub(crate) is_repeated: bool,
}

impl Connection {
    pub(crate) fn given(client: Client) -> Self {
        Self::new(None, OnceCell::new_with(Some(client)))
    }

    pub(crate) fn to(servers: Vec<ServerAddr>) -> Self {
        Self::new(Some(servers), OnceCell::new())
    }

    fn new(servers: Option<Vec<ServerAddr>>, client: OnceCell<Client>) -> Self {
        Self {
            servers,
            client,
            refusals: broadcast::channel(MOST_REFUSALS).0,
            heard: Mutex::new(Instant::now()),
        }
    }

    /// The client, connected for the first time if it is the provider's own and has not been yet.
    pub(crate) async fn client(&self) -> Result<&Client, LockError> {
        let servers = self.servers.as_deref().unwrap_or_default();
        let connect = || async {
            let options = with_login(self.options(), servers);
            options.connect(servers).await.map_err(error::unreachable)
        };
        self.client.get_or_try_init(connect).await
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
                    // Nobody asks just now.
                    let _unheard = refusals.send(refusal);
                }
                ready(())
            })
    }

    /// The answer to a request. It is asked again, on a new connection, while there is no answer.
    pub(crate) async fn ask(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Vec<u8>,
    ) -> Result<Answer, LockError> {
        let client = self.client().await?;
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
            match self.ask_once(client, subject, request()).await {
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

    /// What an [`Answer`] holds, or `None` if there was none in time.
    async fn ask_once(
        &self,
        client: &Client,
        subject: &str,
        request: Request,
    ) -> Result<Option<Option<Message>>, LockError> {
        wait_for_connection(client).await?;
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
            () = sleep(ANSWER_WITHIN) => self.renew(client, asked).await.map(|()| None),
        }
    }

    /// Replaces a connection of the provider's own on which nothing was heard since `asked`.
    async fn renew(&self, client: &Client, asked: Instant) -> Result<(), LockError> {
        let is_silent = *self.heard.lock().unwrap_or_else(PoisonError::into_inner) < asked;
        if self.servers.is_some() && is_silent {
            self.hear();
            let connects = || client.statistics().connects.load(Ordering::Relaxed);
            let before = connects();
            let renewed = client.force_reconnect().await;
            renewed.map_err(|error| error::in_doubt(error::closed(error)))?;
            // What the client is told before then goes to the old connection.
            let _in_time = wait_until(|| connects() != before).await;
        }
        Ok(())
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Logs in as the first URL with a user says; the client itself passes over it.
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
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        let rest = if byte.is_some() { &part[2..] } else { part };
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a client without a connection is given to do, it does later; so it is given nothing.
async fn wait_for_connection(client: &Client) -> Result<(), LockError> {
    if wait_until(|| client.connection_state() == State::Connected).await {
        return Ok(());
    }
    Err(error::disconnected())
}

/// Whether `is_so` became true in time.
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

/// Waits until the server says that it refuses requests for `subject`, or answers to this client.
async fn refusal_of(mut refusals: broadcast::Receiver<String>, subject: &str) -> String {
    let quoted = format!("\"{subject}\"");
    loop {
        match refusals.recv().await {
            Ok(refusal) if refusal.contains(&quoted) || refusal.contains("Subscription to") => {
                return refusal;
            }
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            // The sender lives as long as the provider.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

// A server's address may have a password in it.
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
    }
}
