//! The address of the store: one that changes, and one where something else answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use shedlock::{ErrorKind, LockError, LockProviderExt as _};
use shedlock_sqlx::{MySqlLockProvider, PostgresLockProvider};
use shedlock_testkit::processes::{Reexec, serve};
use shedlock_testkit::{server_or_skip, skip};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::{Locks, Place, cases, config, connect, in_time, is_free};

cases! {
    g9_address_change_at_failover on postgres mariadb;
    g9_ipv6 on postgres mariadb;
    g10_tls_asked_of_a_plaintext_server on postgres mariadb;
}

const MINUTE: Duration = Duration::from_mins(1);
/// A name of which only the node's own hosts file knows.
const NAME: &str = "store.faults.test";

/// Carries connections to the server, from an address of one's own.
#[derive(Debug)]
pub(super) struct Forwarder {
    pub(super) port: u16,
    pub(super) accepted: Arc<AtomicUsize>,
    connections: JoinHandle<()>,
}

impl Forwarder {
    pub(super) async fn listen(address: &str, place: &Place) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        let port = listener.local_addr().ok()?.port();
        let (accepted, server) = (Arc::new(AtomicUsize::new(0)), place.address());
        let counter = Arc::clone(&accepted);
        // All connections in one task, so that they end with it.
        let connections = tokio::spawn(async move {
            let mut open = FuturesUnordered::new();
            loop {
                tokio::select! {
                    Ok((mut client, _)) = listener.accept() => {
                        counter.fetch_add(1, Ordering::Relaxed);
                        open.push(async move {
                            let mut server = TcpStream::connect(server).await?;
                            tokio::io::copy_bidirectional(&mut client, &mut server).await
                        });
                    }
                    Some(_ended) = open.next() => {}
                }
            }
        });
        Some(Self {
            port,
            accepted,
            connections,
        })
    }

    /// Ends every connection and listens no more; done when it is.
    async fn end(self) {
        self.connections.abort();
        let ended: Result<(), _> = self.connections.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
}

#[test]
#[ignore = "runs as the child of another test of this file"]
fn node() {
    serve(|url, _node| async move { connect(&url).await });
}

/// The store's name leads elsewhere from one moment on: the next call follows it.
async fn g9_address_change_at_failover(place: Place) {
    if !rustix::process::geteuid().is_root() {
        skip!("a hosts file of a process's own needs root");
    }
    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    let hosts = directory.path().join("hosts");
    // In place: the file that the process sees is this very one.
    let write =
        |line: &str| std::fs::write(&hosts, format!("{line}\n")).expect("the disk is not full");
    write(&format!("127.0.0.1 {NAME}"));
    let before = Forwarder::listen("127.0.0.1:0", &place)
        .await
        .expect("a port");
    let url = place.url_at(&format!("{NAME}:{}", before.port));
    let bind = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let path = hosts.to_str().expect("a path of text");
    let node = Reexec::new(concat!(module_path!(), "::node"))
        .started_by(&["unshare", "--mount", "sh", "-c", bind, path]);
    let mut node = in_time(node.node(&url, "node")).await.expect("it connects");
    assert!(before.accepted.load(Ordering::Relaxed) > 0);
    let after = format!("127.0.0.2:{}", before.port);
    let after = Forwarder::listen(&after, &place)
        .await
        .expect("the port is free there");
    before.end().await;
    write(&format!("127.0.0.2 {NAME}"));
    let locked = in_time(node.lock("job", MINUTE, Duration::ZERO)).await;
    assert!(locked.expect("it finds the new address"));
    assert!(after.accepted.load(Ordering::Relaxed) > 0);
    // A name that nobody knows is an error, within the call's time limit, and no end for ever.
    let port = after.port;
    after.end().await;
    write("");
    let asked = Instant::now();
    let failed = in_time(node.unlock("job"))
        .await
        .expect_err("it is nowhere");
    assert!(asked.elapsed() < Duration::from_secs(8), "{failed}");
    let _again = Forwarder::listen(&format!("127.0.0.1:{port}"), &place)
        .await
        .expect("free again");
    write(&format!("127.0.0.1 {NAME}"));
    let other = in_time(node.lock("other", MINUTE, Duration::ZERO)).await;
    assert!(other.expect("it is back"));
}

async fn g9_ipv6(place: Place) {
    let Some(forwarder) = Forwarder::listen("[::1]:0", &place).await else {
        skip!("this machine has no IPv6");
    };
    let address = format!("[::1]:{}", forwarder.port);
    let locks = connect(&place.url_at(&address)).await;
    assert!(is_free(&locks, "job").await);
    assert!(forwarder.accepted.load(Ordering::Relaxed) > 0);
}

/// A provider on `url` that has not connected yet.
pub(super) fn lazy(url: &str) -> Locks {
    if url.starts_with("mysql") {
        let provider = MySqlLockProvider::builder_from_url(url).build();
        Arc::new(provider.expect("a valid URL"))
    } else {
        let provider = PostgresLockProvider::builder_from_url(url).build();
        Arc::new(provider.expect("a valid URL"))
    }
}

/// Asking again would not help, so nobody does, and the error says so.
pub(super) async fn is_told_once(url: &str, accepted: &AtomicUsize) -> LockError {
    let asked = Instant::now();
    let error = lazy(url)
        .try_lock(config("job", MINUTE))
        .await
        .expect_err("no lock");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(!error.is_transient(), "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{error:?}");
    // The background has nothing to take back.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(accepted.load(Ordering::Relaxed), 1, "connections");
    error
}

async fn g10_tls_asked_of_a_plaintext_server(place: Place) {
    let forwarder = Forwarder::listen("127.0.0.1:0", &place)
        .await
        .expect("a port");
    let address = format!("127.0.0.1:{}", forwarder.port);
    let url = place.url_at(&address);
    let wish = if place.is_mariadb() {
        "ssl-mode=REQUIRED"
    } else {
        "sslmode=require"
    };
    is_told_once(&format!("{url}?{wish}"), &forwarder.accepted).await;
}

/// A server of another kind: it says its part to whoever comes, and hangs up.
async fn stranger(says: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port").to_string();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            client.write_all(says).await?;
            // With what it was sent unread, the system would send a reset.
            client.shutdown().await?;
            tokio::spawn(async move { tokio::io::copy(&mut client, &mut tokio::io::sink()).await });
        }
        std::io::Result::Ok(())
    });
    (address, accepted)
}

/// A port that wants TLS answers plaintext with an alert.
#[tokio::test]
async fn g10_plaintext_to_a_port_that_wants_tls() {
    let (address, accepted) = stranger(b"\x15\x03\x03\x00\x02\x02\x0a").await;
    let url = format!("postgres://shedlock@{address}/shedlock");
    in_time(is_told_once(&url, &accepted)).await;
}

/// A web server's answer begins like a long message of the database, which then ends too early: as with a server that
/// is going down, asking later may help. What counts is that nobody hangs, or asks again and again.
#[tokio::test]
async fn g10_plaintext_to_a_port_that_speaks_something_else() {
    for scheme in ["postgres", "mysql"] {
        let (address, accepted) = stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let url = format!("{scheme}://shedlock@{address}/shedlock");
        let asked = Instant::now();
        let answer = in_time(lazy(&url).try_lock(config("job", MINUTE))).await;
        let error = answer.expect_err("no lock");
        let kinds = [ErrorKind::Configuration, ErrorKind::Unavailable];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(asked.elapsed() < Duration::from_secs(3), "{error:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(accepted.load(Ordering::Relaxed), 1, "connections");
    }
}

/// The counterpart: a database that is there is no such error.
#[tokio::test]
async fn a_provider_that_connects_late_works() {
    let place = server_or_skip!(Place::postgres().await);
    assert!(is_free(&lazy(&place.url), "job").await);
}
