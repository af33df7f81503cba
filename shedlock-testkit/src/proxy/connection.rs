//! One connection through a proxy: one pump for each direction, and the state that the pumps share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::counters::ConnectionCounters;
use super::late::Late;
use super::pump::Pump;
use super::rule::{Direction, Ending};
use super::shared::{Closing, Shared};

/// How long the proxy tries to send the last words to a client.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// The state that both directions of a connection share.
#[derive(Debug)]
pub(super) struct Talk {
    /// The number of the connection, counted from zero in the order in which connections were made.
    pub(super) number: usize,
    /// The generation when the connection was made. A later generation ends this connection.
    pub(super) generation: u64,
    /// The `blackholed` counter when the connection was made. If the counter is greater, this connection is blackholed.
    pub(super) blackholed: u64,
    /// Whether the server was the last to send.
    pub(super) server_spoke: AtomicBool,
    late: Mutex<Option<Late>>,
}

impl Talk {
    /// Stores the handle of the late request that this connection sent.
    pub(super) fn keep(&self, late: Late) {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(late);
    }

    pub(super) fn has_late_request(&self) -> bool {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.is_some()
    }

    /// Records that the server has sent something, or has closed the connection.
    pub(super) fn server_answered(&self, spoke: bool) {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(late) = &*late {
            late.answered(spoke);
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let late = self.late.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(late) = late {
            late.lost();
        }
    }
}

/// Carries bytes between `client` and the server until one of the two or a rule ends the connection.
pub(super) async fn carry(shared: Arc<Shared>, mut client: TcpStream) {
    let open = Open::count(&shared, &client);
    let state = shared.state.subscribe();
    let talk = {
        let state = state.borrow();
        Talk {
            number: open.number,
            generation: state.generation,
            blackholed: state.blackholed,
            server_spoke: AtomicBool::new(true),
            late: Mutex::new(None),
        }
    };
    let pump = |way| Pump {
        shared: &shared,
        state: state.clone(),
        talk: &talk,
        way,
    };
    let asleep = tokio::time::sleep_until(shared.wake());
    let closing = match pump(Direction::ToServer).unless_ended(asleep).await {
        Ok(()) => talk_to_server(&shared, &mut client, pump).await,
        Err(closing) => Some(closing),
    };
    let Some(closing) = closing else { return };
    if closing.ending == Ending::Reset {
        let _best_effort = client.set_zero_linger();
    } else if !closing.last_message.is_empty() {
        let say = async {
            client.write_all(&closing.last_message).await?;
            client.shutdown().await
        };
        // A client that does not read, or has gone, does not get the last words.
        let _best_effort = tokio::time::timeout(FAREWELL_TIMEOUT, say).await;
    }
}

/// Connects to the server and carries bytes; returns the order to end the connection, if there was one.
async fn talk_to_server<'a>(
    shared: &Shared,
    client: &mut TcpStream,
    pump: impl Fn(Direction) -> Pump<'a>,
) -> Option<Closing> {
    let upstream = shared.state.borrow().upstream;
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return Some(Ending::Reset.into());
    };
    // Without `TCP_NODELAY`, one request could wait for the next, and the proxy would change the traffic that it measures.
    let _best_effort = (client.set_nodelay(true), server.set_nodelay(true));
    let closing = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let requests = pump(Direction::ToServer).run(from_client, to_server);
        let replies = pump(Direction::ToClient).run(from_server, to_client);
        tokio::try_join!(requests, replies).err()
    };
    if closing
        .as_ref()
        .is_some_and(|closing| closing.ending == Ending::Reset)
    {
        let _best_effort = server.set_zero_linger();
    }
    closing
}

/// Counts a connection as open until dropped.
struct Open<'a> {
    shared: &'a Shared,
    number: usize,
}

impl<'a> Open<'a> {
    fn count(shared: &'a Shared, client: &TcpStream) -> Self {
        let number = {
            let mut all = shared.connections();
            let number = all.len();
            all.push(ConnectionCounters::new(number, client.peer_addr().ok()));
            number
        };
        shared.counters.send_modify(|counters| {
            counters.connections += 1;
            counters.open += 1;
        });
        Self { shared, number }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared
            .count(self.number, |counters| counters.open = false);
        self.shared
            .counters
            .send_modify(|counters| counters.open -= 1);
    }
}
