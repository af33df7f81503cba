//! A TCP proxy on loopback that misbehaves on demand.
//!
//! A client connects to the proxy, the proxy to the server. What happens in between is a [`Rule`], which can change at
//! any time, and which the client itself can set off by sending a certain message ([`Proxy::on`]).
//!
//! ```
//! use shedlock_testkit::Proxy;
//! use shedlock_testkit::proxy::{Direction, Rule, Trigger};
//! # use std::time::Duration;
//! # use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//! # use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let server = TcpListener::bind("127.0.0.1:0").await?;
//! # let address = server.local_addr()?;
//! # tokio::spawn(async move {
//! #     let (mut peer, _) = server.accept().await.unwrap();
//! #     let (mut from, mut to) = peer.split();
//! #     tokio::io::copy(&mut from, &mut to).await.unwrap();
//! # });
//! let proxy = Proxy::start(address).await?;
//! // The reply to the next request that names the lock is lost; the server has carried it out.
//! proxy.on(Trigger::containing("nightly"), Rule::Discard(Direction::ToClient));
//!
//! let mut client = TcpStream::connect(proxy.address()).await?;
//! client.write_all(b"acquire nightly").await?;
//! let reply = tokio::time::timeout(Duration::from_millis(100), client.read_u8()).await;
//! assert!(reply.is_err());
//! proxy.wait_until(|counters| counters.discarded_bytes == 15).await;
//! # Ok(())
//! # }
//! ```

mod connection;
mod counters;
mod late;
mod pump;
mod rule;
mod shared;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::shared::{Farewell, Shared, Sleep};

pub use self::counters::{ConnectionCounters, Counters};
pub use self::late::LateRequest;
pub use self::rule::{Direction, Ending, Rule, Trigger};

/// A proxy in front of one server, on the async runtime that started it. When the proxy is dropped, it ends all its connections.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::proxy::{Direction, Rule};
///
/// # async fn test(server: std::net::SocketAddr) -> std::io::Result<()> {
/// let proxy = Proxy::start(server).await?;
/// let url = proxy.url(&format!("postgres://app@{server}/app"));
/// // Connect the provider to `url`, and then cut the network.
/// proxy.set(Rule::Hold(Direction::Both));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// The server that it was started before, which URLs name.
    server: SocketAddr,
    shared: Arc<Shared>,
    /// `None` while new connections are refused.
    accepting: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// Starts a proxy on a free port before the server at `upstream`. It passes everything on.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::before(upstream));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            server: upstream,
            shared,
            accepting: tokio::sync::Mutex::new(Some(accepting)),
        })
    }

    /// The address to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with the proxy in the place of the server.
    ///
    /// # Panics
    ///
    /// When `url` does not hold the address of the server that the proxy was started before.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let (server, proxy) = (self.server.to_string(), self.address.to_string());
        assert!(url.contains(&server), "there is no `{server}` in the URL");
        url.replacen(&server, &proxy, 1)
    }

    /// Applies `rule` to all connections from now on, also to what is being held back or delayed.
    ///
    /// A trigger that is armed stays armed.
    pub fn set(&self, rule: Rule) {
        self.shared.state.send_modify(|state| state.rule = rule);
    }

    /// Applies `rule` from the message on that `trigger` describes; that message is the first it applies to. One
    /// trigger can be armed at a time.
    ///
    /// What the server sent before may still be on its way.
    pub fn on(&self, trigger: Trigger, rule: Rule) {
        *self
            .shared
            .armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((trigger, rule));
    }

    /// Ends all connections that are open. New ones are treated by the rule.
    pub fn end_connections(&self, ending: Ending) {
        self.end(ending.into());
    }

    /// Says this on all connections that are open and closes them: a server that takes leave.
    pub fn take_leave(&self, last_words: &[u8]) {
        self.end(Farewell {
            ending: Ending::Close,
            last_words: last_words.into(),
        });
    }

    fn end(&self, farewell: Farewell) {
        self.shared.state.send_modify(|state| {
            state.generation += 1;
            state.farewell = farewell;
        });
    }

    /// What is sent on the connections that are open goes nowhere from now on, whatever the rule, and neither end is told, not
    /// even that the other has gone: a network device that has forgotten them. New ones work.
    pub fn forget(&self) {
        self.shared.state.send_modify(|state| state.forgotten += 1);
    }

    /// Leads new connections to the server at this address; those that are open stay where they are: a failover.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.shared
            .state
            .send_modify(|state| state.upstream = upstream);
    }

    /// Lets the server sleep as far as new connections can tell: the first one wakes it, and neither that one nor those after
    /// it get anywhere before it has been waking for so long. Those that are open stay.
    pub fn sleep(&self, wakes_in: Duration) {
        let sleep = Sleep::Asleep { wakes_in };
        self.shared.state.send_modify(|state| state.sleep = sleep);
    }

    /// Holds back the message that `trigger` describes, with what its connection sends after it, while all other connections
    /// pass. It arrives when [told so](LateRequest::deliver), though its sender may have gone by then. Any number of requests can
    /// be held back at a time; a message that several triggers describe goes to the one that was there first.
    pub fn hold_back(&self, trigger: Trigger) -> LateRequest {
        let (request, late) = late::request();
        self.shared
            .awaited
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((trigger, late));
        request
    }

    /// Refuses new connections, as a host does on which no server listens. Those that are open stay.
    pub async fn refuse_connections(&self) {
        if let Some(accepting) = self.accepting.lock().await.take() {
            accepting.abort();
            // The port is closed once the task is gone.
            let _aborted = accepting.await;
        }
    }

    /// Accepts connections again, on the same port.
    ///
    /// # Errors
    ///
    /// When somebody else has taken the port meanwhile.
    pub async fn accept_connections(&self) -> io::Result<()> {
        let mut accepting = self.accepting.lock().await;
        if accepting.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            *accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
        Ok(())
    }

    /// What has passed through so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.shared.counters.borrow()
    }

    /// What has passed through so far by connection, the closed ones included, by their numbers.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionCounters> {
        self.shared.connections().clone()
    }

    /// Waits until the counters are as wanted: a test's way to know instead of sleeping. Bound it by a timeout.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&Counters) -> bool) -> Counters {
        let mut counters = self.shared.counters.subscribe();
        match counters.wait_for(|counters| wanted(counters)).await {
            Ok(counters) => *counters,
            Err(_closed) => unreachable!("the sender lives as long as the proxy"),
        }
    }

    /// Waits until the trigger has set off its rule; see [`on`](Self::on).
    pub async fn triggered(&self) {
        self.wait_until(|counters| counters.triggered > 0).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end_connections(Ending::Close);
        if let Some(accepting) = self.accepting.get_mut().take() {
            accepting.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(connection::carry(Arc::clone(&shared), client))),
            // Out of file descriptors, most likely: others may close some.
            Err(_refused) => tokio::task::yield_now().await,
        }
    }
}
