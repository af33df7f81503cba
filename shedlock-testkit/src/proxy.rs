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
mod rule;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::counters::Counters;
pub use self::rule::{Direction, Ending, Rule, Trigger};

/// A proxy before one server. Dropped, it ends all its connections.
///
/// It lives on the runtime it was started on.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` while new connections are refused.
    accepting: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    state: watch::Sender<State>,
    counters: watch::Sender<Counters>,
    armed: Mutex<Option<(Trigger, Rule)>>,
}

#[derive(Debug)]
struct State {
    rule: Rule,
    /// Grows with every order to end what is open.
    generation: u64,
    ending: Ending,
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
        let shared = Arc::new(Shared {
            upstream,
            state: watch::Sender::new(State {
                rule: Rule::Pass,
                generation: 0,
                ending: Ending::Close,
            }),
            counters: watch::Sender::new(Counters::default()),
            armed: Mutex::new(None),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
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
    /// When `url` does not hold the server's address.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let (server, proxy) = (self.shared.upstream.to_string(), self.address.to_string());
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
        self.shared.state.send_modify(|state| {
            state.generation += 1;
            state.ending = ending;
        });
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
