//! The proxy breaks connections exactly as told.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

mod between;
mod late;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// Long enough for anything that should happen.
const SOON: Duration = Duration::from_secs(20);
/// Long enough to believe that nothing happens.
const NEVER: Duration = Duration::from_millis(100);

/// A server that says everything back.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = peer.split();
                let _broken = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn setting() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, client)
}

async fn says_back(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
    hears(client, text).await;
}

async fn hears(client: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    timeout(SOON, client.read_exact(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(heard, text.as_bytes());
}

async fn hears_nothing(client: &mut TcpStream) {
    assert!(timeout(NEVER, client.read_u8()).await.is_err());
}

async fn is_ended(client: &mut TcpStream, ending: Ending) {
    let read = timeout(SOON, client.read_u8())
        .await
        .unwrap()
        .unwrap_err()
        .kind();
    let expected = match ending {
        Ending::Close => ErrorKind::UnexpectedEof,
        Ending::Reset => ErrorKind::ConnectionReset,
    };
    assert_eq!(read, expected);
}

#[tokio::test]
async fn passes_everything_on_and_counts_it() {
    let (proxy, mut client) = setting().await;
    says_back(&mut client, "one").await;
    says_back(&mut client, "three").await;
    client.shutdown().await.unwrap();
    is_ended(&mut client, Ending::Close).await;
    let counters = timeout(SOON, proxy.wait_until(|counters| counters.open == 0))
        .await
        .unwrap();
    assert_eq!(
        (
            counters.connections,
            counters.client_messages,
            counters.round_trips
        ),
        (1, 2, 2)
    );
    assert_eq!(
        (
            counters.client_bytes,
            counters.server_bytes,
            counters.discarded_bytes
        ),
        (8, 8, 0)
    );
}

#[tokio::test]
async fn delays_one_way_only() {
    let (proxy, mut client) = setting().await;
    proxy.set(Rule::Delay(Direction::ToClient, Duration::from_millis(150)));
    let began = Instant::now();
    says_back(&mut client, "late").await;
    let took = began.elapsed();
    assert!((150..5_000).contains(&took.as_millis()), "{took:?}");

    proxy.set(Rule::Delay(Direction::ToClient, Duration::from_secs(3600)));
    client.write_all(b"x").await.unwrap();
    timeout(
        SOON,
        proxy.wait_until(|counters| counters.server_bytes == 5),
    )
    .await
    .unwrap();
    proxy.set(Rule::Pass);
    hears(&mut client, "x").await;
}

#[tokio::test]
async fn throttles() {
    let (proxy, mut client) = setting().await;
    proxy.set(Rule::Throttle { rate: 50 });
    let began = Instant::now();
    says_back(&mut client, "0123456789").await;
    let took = began.elapsed();
    assert!((200..10_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn holds_back_and_delivers_late() {
    let (proxy, mut client) = setting().await;
    for direction in [Direction::ToServer, Direction::ToClient, Direction::Both] {
        proxy.set(Rule::Hold(direction));
        client.write_all(b"held").await.unwrap();
        hears_nothing(&mut client).await;
        proxy.set(Rule::Pass);
        hears(&mut client, "held").await;
    }
    assert_eq!(proxy.counters().open, 1);
}

#[tokio::test]
async fn drops_replies_from_a_named_message_on() {
    let (proxy, mut client) = setting().await;
    proxy.on(
        Trigger::containing("b").nth(2),
        Rule::Discard(Direction::ToClient),
    );
    for text in ["a", "b", "a"] {
        says_back(&mut client, text).await;
    }
    client.write_all(b"b").await.unwrap();
    timeout(SOON, proxy.triggered()).await.unwrap();
    hears_nothing(&mut client).await;
    assert_eq!(
        timeout(
            SOON,
            proxy.wait_until(|counters| counters.discarded_bytes == 1)
        )
        .await
        .unwrap()
        .triggered,
        1
    );
    proxy.set(Rule::Pass);
    says_back(&mut client, "c").await;
}

#[tokio::test]
async fn drops_requests() {
    let (proxy, mut client) = setting().await;
    proxy.set(Rule::Discard(Direction::ToServer));
    client.write_all(b"never seen").await.unwrap();
    timeout(
        SOON,
        proxy.wait_until(|counters| counters.discarded_bytes == 10),
    )
    .await
    .unwrap();
    proxy.set(Rule::Pass);
    says_back(&mut client, "seen").await;
    assert_eq!(proxy.counters().server_bytes, 4);
}

#[tokio::test]
async fn ends_a_connection_in_the_place_of_the_reply() {
    for ending in [Ending::Close, Ending::Reset] {
        let (proxy, mut client) = setting().await;
        says_back(&mut client, "before").await;
        proxy.set(Rule::EndOnReply(ending));
        client.write_all(b"after").await.unwrap();
        is_ended(&mut client, ending).await;
        assert_eq!(proxy.counters().server_bytes, 11, "the server had answered");
    }
}

#[tokio::test]
async fn ends_idle_held_and_new_connections() {
    for ending in [Ending::Close, Ending::Reset] {
        let (proxy, mut idle) = setting().await;
        says_back(&mut idle, "hello").await;
        let mut held = TcpStream::connect(proxy.address()).await.unwrap();
        says_back(&mut held, "hello").await;
        proxy.set(Rule::Hold(Direction::ToServer));
        held.write_all(b"held").await.unwrap();
        timeout(
            SOON,
            proxy.wait_until(|counters| counters.client_bytes == 14),
        )
        .await
        .unwrap();
        proxy.set(Rule::End(ending));
        is_ended(&mut idle, ending).await;
        is_ended(&mut held, ending).await;
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        is_ended(&mut new, ending).await;
        proxy.set(Rule::Pass);
        says_back(
            &mut TcpStream::connect(proxy.address()).await.unwrap(),
            "again",
        )
        .await;
    }
}

#[tokio::test]
async fn ends_open_connections_once() {
    let (proxy, mut client) = setting().await;
    says_back(&mut client, "hello").await;
    proxy.end_connections(Ending::Reset);
    is_ended(&mut client, Ending::Reset).await;
    says_back(
        &mut TcpStream::connect(proxy.address()).await.unwrap(),
        "again",
    )
    .await;
}

/// A connection that reads the order to end while the next order waits to be given must not wait for that order.
#[test]
fn orders_that_follow_at_once_never_wait_for_one_another() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let upstream = runtime.block_on(echo());
    let (ended, end) = std::sync::mpsc::channel();
    // A deadlock would block the thread that gives the orders.
    std::thread::spawn(move || {
        for _round in 0..300 {
            let (proxy, _open) = handle.block_on(async {
                let proxy = Proxy::start(upstream).await.unwrap();
                let mut open = Vec::new();
                for _connection in 0..4 {
                    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
                    says_back(&mut client, "hello").await;
                    open.push(client);
                }
                (proxy, open)
            });
            proxy.end_connections(Ending::Reset);
            while proxy.counters().open > 0 {
                proxy.set(Rule::Pass);
            }
        }
        ended.send(()).unwrap();
    });
    let end = end.recv_timeout(SOON);
    // The runtime's own end would wait for a worker that is blocked.
    runtime.shutdown_background();
    end.unwrap();
}

#[tokio::test]
async fn refuses_new_connections_and_accepts_them_again() {
    let (proxy, mut open) = setting().await;
    says_back(&mut open, "hello").await;
    proxy.refuse_connections().await;
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    says_back(&mut open, "still here").await;
    proxy.accept_connections().await.unwrap();
    says_back(
        &mut TcpStream::connect(proxy.address()).await.unwrap(),
        "back",
    )
    .await;
}

#[tokio::test]
async fn keeps_its_port_while_it_refuses_connections() {
    let proxy = Proxy::start("127.0.0.1:1".parse().unwrap()).await.unwrap();
    proxy.refuse_connections().await;
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // There is no connection on the port.
    let stranger = TcpSocket::new_v4().unwrap().bind(proxy.address());
    assert_eq!(stranger.unwrap_err().kind(), ErrorKind::AddrInUse);
    proxy.accept_connections().await.unwrap();
    TcpStream::connect(proxy.address()).await.unwrap();
}

#[tokio::test]
async fn a_proxy_without_its_server_resets_connections() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::start(nobody).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    is_ended(&mut client, Ending::Reset).await;
}

#[tokio::test]
async fn a_dropped_proxy_ends_its_connections() {
    let (proxy, mut client) = setting().await;
    says_back(&mut client, "hello").await;
    drop(proxy);
    is_ended(&mut client, Ending::Close).await;
}
