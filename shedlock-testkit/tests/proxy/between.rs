//! What lies between a program and its database: devices that forget, addresses that move, servers that come and go.

use std::time::{Duration, Instant};

use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{Direction, Ending, Rule};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{NEVER, SOON, hears, hears_nothing, is_ended, says_back, setting};

#[tokio::test]
async fn forgets_open_connections_without_closing_them() {
    let (proxy, mut client) = setting().await;
    says_back(&mut client, "before").await;
    // What is held back now is forgotten as well.
    proxy.set(Rule::Hold(Direction::ToClient));
    client.write_all(b"held").await.unwrap();
    let both_ways = proxy.wait_until(|counters| counters.server_bytes == 10);
    timeout(SOON, both_ways).await.unwrap();
    proxy.blackhole_connections();
    proxy.set(Rule::Pass);
    client.write_all(b"into the void").await.unwrap();
    let lost = proxy.wait_until(|counters| counters.discarded_bytes == 17);
    timeout(SOON, lost).await.unwrap();
    hears_nothing(&mut client).await;
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    says_back(&mut new, "again").await;
    // It is for ever: no rule brings it back.
    proxy.set(Rule::Delay(Direction::Both, Duration::from_millis(1)));
    client.write_all(b"still").await.unwrap();
    hears_nothing(&mut client).await;
    proxy.end_connections(Ending::Reset);
    is_ended(&mut client, Ending::Reset).await;
}

#[tokio::test]
async fn a_forgotten_connection_is_not_closed_when_the_server_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
    let mut clients = Vec::new();
    for gone in [Ending::Close, Ending::Reset] {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut server, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        server.write_all(b"hello").await.unwrap();
        hears(&mut client, "hello").await;
        proxy.blackhole_connections();
        if gone == Ending::Reset {
            server.set_zero_linger().unwrap();
        }
        drop(server);
        hears_nothing(&mut client).await;
        clients.push(client);
    }
    assert_eq!(proxy.counters().open, 2);
}

#[tokio::test]
async fn redirects_new_connections() {
    let (proxy, mut open) = setting().await;
    says_back(&mut open, "here").await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.set_upstream(other.local_addr().unwrap());
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut there, _) = timeout(SOON, other.accept()).await.unwrap().unwrap();
    there.write_all(b"there").await.unwrap();
    hears(&mut new, "there").await;
    says_back(&mut open, "still here").await;
}

#[tokio::test]
async fn delivers_a_last_message_and_closes() {
    let (proxy, mut client) = setting().await;
    says_back(&mut client, "hello").await;
    proxy.send_and_close(b"good-bye");
    hears(&mut client, "good-bye").await;
    is_ended(&mut client, Ending::Close).await;
    // Not to those who come later, and nothing is said at the next end.
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    says_back(&mut new, "again").await;
    proxy.end_connections(Ending::Close);
    is_ended(&mut new, Ending::Close).await;
}

#[tokio::test]
async fn the_first_connection_starts_a_sleeping_server() {
    let (proxy, mut open) = setting().await;
    says_back(&mut open, "awake").await;
    let wakes_in = Duration::from_millis(300);
    proxy.suspend_server(wakes_in);
    says_back(&mut open, "still awake").await;
    tokio::time::sleep(NEVER).await;
    let connected = Instant::now();
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    says_back(&mut first, "hello").await;
    let took = connected.elapsed();
    assert!(took >= wakes_in && took < SOON, "{took:?}");
    // The server is awake, so it answers at once. A second sleep of an hour would be noticed.
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    says_back(&mut second, "hello").await;
    proxy.suspend_server(Duration::from_secs(3600));
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    third.write_all(b"hello").await.unwrap();
    hears_nothing(&mut third).await;
    proxy.end_connections(Ending::Close);
    let mut end = [0];
    let ended = timeout(SOON, third.read(&mut end)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}
