//! A TCP proxy on loopback that injects faults into the traffic between a client and its server when the test says so.
//!
//! A client connects to the proxy, and the proxy connects to the server. A [`Rule`] says what the proxy does with the bytes between them.
//! The test can change the rule at any time ([`Proxy::set`]), or name a message of the client that changes the rule ([`Proxy::on`]).
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

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use self::shared::{Closing, Shared, Sleep};

pub use self::counters::{ConnectionCounters, Counters};
pub use self::late::LateRequest;
pub use self::rule::{Direction, Ending, Rule, Trigger};

/// How many clients can wait until the proxy accepts their connections.
const BACKLOG: u32 = 1024;

/// A proxy for one server, on the async runtime that started the proxy. When the proxy is dropped, all connections of the proxy are ended.
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
    /// The server at the start of the proxy, which is the one that URLs name.
    server: SocketAddr,
    shared: Arc<Shared>,
    port: tokio::sync::Mutex<Port>,
}

/// The port to which clients connect.
#[derive(Debug)]
enum Port {
    Accepting(JoinHandle<()>),
    /// The port belongs to the proxy, so that nobody else can take it, and nobody listens there.
    Refusing(TcpSocket),
    /// The port could not be had again.
    Lost,
}

impl Proxy {
    /// Starts a proxy for the server at `upstream`, on a free loopback port. At first the proxy passes everything on.
    ///
    /// # Errors
    ///
    /// If no port is available.
    #[expect(
        clippy::unused_async,
        reason = "tests await whatever the test kit starts for them"
    )]
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = bound_to(any_port)?.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::before(upstream));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            server: upstream,
            shared,
            port: tokio::sync::Mutex::new(Port::Accepting(accepting)),
        })
    }

    /// The address to which clients of the proxy connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `url` with the server's address replaced by the proxy's address.
    ///
    /// # Panics
    ///
    /// If `url` does not contain the address with which the proxy was started.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let (server, proxy) = (self.server.to_string(), self.address.to_string());
        assert!(url.contains(&server), "there is no `{server}` in the URL");
        url.replacen(&server, &proxy, 1)
    }

    /// Applies `rule` to all connections from now on, and to data that is held back or delayed now.
    ///
    /// A trigger that was armed with [`on`](Self::on) stays armed.
    pub fn set(&self, rule: Rule) {
        self.shared.state.send_modify(|state| state.rule = rule);
    }

    /// Applies `rule` from the next message that matches `trigger`, including that message. Only one trigger can be armed at a time: a
    /// second call replaces the first trigger.
    ///
    /// Replies that the server sent before that message may still be on their way, and `rule` applies to those replies too.
    pub fn on(&self, trigger: Trigger, rule: Rule) {
        *self
            .shared
            .armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((trigger, rule));
    }

    /// Ends all open connections. New connections follow the current rule.
    pub fn end_connections(&self, ending: Ending) {
        self.end(ending.into());
    }

    /// Sends `message` to the client of each open connection and closes the connection, as a server does that announces its shutdown.
    pub fn send_and_close(&self, message: &[u8]) {
        self.end(Closing {
            ending: Ending::Close,
            last_message: message.into(),
        });
    }

    fn end(&self, closing: Closing) {
        self.shared.state.send_modify(|state| {
            state.generation += 1;
            state.closing = closing;
        });
    }

    /// Discards from now on whatever is sent on the connections that are open now, under every rule, as a network device does that has lost
    /// its table of connections. Neither end is notified, not even when the other end closes. New connections work.
    pub fn blackhole_connections(&self) {
        self.shared.state.send_modify(|state| state.blackholed += 1);
    }

    /// Connects new connections to the server at this address, as after a failover. Open connections stay with their server.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.shared
            .state
            .send_modify(|state| state.upstream = upstream);
    }

    /// Simulates a suspended server that resumes when a client connects. The first new connection wakes the server, and new connections are
    /// delayed until `wakes_in` has passed since then. Open connections are not affected.
    pub fn suspend_server(&self, wakes_in: Duration) {
        let sleep = Sleep::Asleep { wakes_in };
        self.shared.state.send_modify(|state| state.sleep = sleep);
    }

    /// Holds back the next message that matches `trigger`, and everything that follows on the same connection. All other connections pass.
    /// The message arrives after [`LateRequest::deliver`], even if the client has disconnected by then. Any number of messages can be held
    /// back at the same time. If a message matches several triggers, the oldest trigger gets the message.
    pub fn hold_back(&self, trigger: Trigger) -> LateRequest {
        let (request, late) = late::request();
        self.shared
            .awaited
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((trigger, late));
        request
    }

    /// Refuses new connections, as a host does on which no server listens. Open connections stay open, and the port stays the proxy's.
    ///
    /// # Panics
    ///
    /// If the operating system does not let the proxy have its port twice.
    pub async fn refuse_connections(&self) {
        let mut port = self.port.lock().await;
        if let Port::Accepting(accepting) = &mut *port {
            // Before the port is closed: another program could take it in between.
            let kept = bound_to(self.address).expect("the port is ours");
            accepting.abort();
            // The port is closed once the task is gone.
            let _aborted = accepting.await;
            *port = Port::Refusing(kept);
        }
    }

    /// Accepts new connections again, on the same port.
    ///
    /// # Errors
    ///
    /// If the operating system does not listen on the port.
    pub async fn accept_connections(&self) -> io::Result<()> {
        let mut port = self.port.lock().await;
        if matches!(&*port, Port::Accepting(_)) {
            return Ok(());
        }
        let kept = match std::mem::replace(&mut *port, Port::Lost) {
            Port::Refusing(kept) => kept,
            _ => bound_to(self.address)?,
        };
        let listener = kept.listen(BACKLOG)?;
        *port = Port::Accepting(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        Ok(())
    }

    /// What has arrived at the proxy since its start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.shared.counters.borrow()
    }

    /// What has arrived at the proxy since its start, for each connection, in the order of the connection numbers. Closed connections are
    /// included.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionCounters> {
        self.shared.connections().clone()
    }

    /// Waits until `wanted` is true of the counters, and returns the counters. Otherwise, waits forever: limit the call with a timeout.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&Counters) -> bool) -> Counters {
        let mut counters = self.shared.counters.subscribe();
        match counters.wait_for(|counters| wanted(counters)).await {
            Ok(counters) => *counters,
            Err(_closed) => unreachable!("the sender lives as long as the proxy"),
        }
    }

    /// Waits until a trigger has applied its rule; see [`on`](Self::on). Otherwise, waits forever: limit the call with a timeout.
    pub async fn triggered(&self) {
        self.wait_until(|counters| counters.triggered > 0).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end_connections(Ending::Close);
        if let Port::Accepting(accepting) = self.port.get_mut() {
            accepting.abort();
        }
    }
}

/// A socket that has the port, and does not listen there. Several sockets of this kind can have one port.
fn bound_to(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Open connections have the port as well.
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(connection::carry(Arc::clone(&shared), client))),
            // Most likely the process is out of file descriptors, and another connection may free one.
            Err(_refused) => tokio::task::yield_now().await,
        }
    }
}
