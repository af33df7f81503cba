//! Requests that arrive after their successors, and after their senders have gone.

use std::net::SocketAddr;

use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{Ending, Trigger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{NEVER, SOON, hears, hears_nothing, is_ended, says_back, setting};

#[tokio::test]
async fn delivers_requests_late_while_others_pass() {
    let (proxy, mut slow) = setting().await;
    says_back(&mut slow, "hello").await;
    let mut quick = TcpStream::connect(proxy.address()).await.unwrap();
    let (one, two) = (
        proxy.hold_back(Trigger::containing("one")),
        proxy.hold_back(Trigger::containing("two")),
    );
    slow.write_all(b"take one").await.unwrap();
    timeout(SOON, one.sent()).await.unwrap();
    slow.write_all(b", after it").await.unwrap();
    hears_nothing(&mut slow).await;
    says_back(&mut quick, "one").await;
    assert!(timeout(NEVER, two.sent()).await.is_err());
    quick.write_all(b"two").await.unwrap();
    timeout(SOON, two.sent()).await.unwrap();
    assert!(timeout(SOON, one.deliver()).await.unwrap());
    hears(&mut slow, "take one, after it").await;
    hears_nothing(&mut quick).await;
    assert!(timeout(SOON, two.deliver()).await.unwrap());
    hears(&mut quick, "two").await;
    says_back(&mut slow, "one, two").await;
}

/// A server that notes what each connection says to its end, and answers to the first piece of it.
async fn notebook() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (note, notes) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut said = vec![0; 1024];
            let first = peer.read(&mut said).await.unwrap();
            // A moment in which a proxy that gives up would have given up.
            tokio::time::sleep(NEVER).await;
            let answered = peer.write_all(b"a long answer").await;
            let rest = peer.read(&mut said[first..]).await;
            let text = String::from_utf8_lossy(&said[..first]);
            note.send(format!("{text} {} {rest:?}", answered.is_ok()))
                .unwrap();
        }
    });
    (address, notes)
}

#[tokio::test]
async fn delivers_a_request_whose_sender_has_gone() {
    let (address, mut notes) = notebook().await;
    let proxy = Proxy::start(address).await.unwrap();
    for gone in [Ending::Close, Ending::Reset] {
        let late = proxy.hold_back(Trigger::next_message());
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(b"release").await.unwrap();
        timeout(SOON, late.sent()).await.unwrap();
        if gone == Ending::Reset {
            client.set_zero_linger().unwrap();
        }
        drop(client);
        tokio::time::sleep(NEVER).await;
        assert!(timeout(SOON, late.deliver()).await.unwrap());
        let said = timeout(SOON, notes.recv()).await.unwrap();
        assert_eq!(said.as_deref(), Some("release true Ok(0)"), "{gone:?}");
    }
    timeout(SOON, proxy.wait_until(|counters| counters.open == 0))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_late_request_of_a_connection_that_was_ended_is_lost() {
    let (proxy, mut client) = setting().await;
    let late = proxy.hold_back(Trigger::next_message());
    client.write_all(b"x").await.unwrap();
    timeout(SOON, late.sent()).await.unwrap();
    proxy.end_connections(Ending::Close);
    is_ended(&mut client, Ending::Close).await;
    assert!(!timeout(SOON, late.deliver()).await.unwrap());
}

#[tokio::test]
async fn a_late_request_without_a_waiter_is_delivered_or_lost() {
    let (proxy, mut client) = setting().await;
    drop(proxy.hold_back(Trigger::next_message()));
    says_back(&mut client, "passes").await;
    let late = proxy.hold_back(Trigger::next_message());
    client.write_all(b"x").await.unwrap();
    timeout(SOON, late.sent()).await.unwrap();
    drop(late);
    hears_nothing(&mut client).await;
}

#[tokio::test]
async fn counts_by_connection_and_holds_back_on_a_chosen_one() {
    let (proxy, mut first) = setting().await;
    says_back(&mut first, "one").await;
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    says_back(&mut second, "one").await;
    says_back(&mut second, "two").await;
    let address = second.local_addr().unwrap();
    let late = proxy.hold_back(Trigger::next_message().on_connection(1));
    says_back(&mut first, "two").await;
    second.write_all(b"three").await.unwrap();
    timeout(SOON, late.sent()).await.unwrap();
    drop((first, late));
    timeout(SOON, proxy.wait_until(|counters| counters.open == 1))
        .await
        .unwrap();
    let counted: Vec<_> = proxy
        .connections()
        .iter()
        .map(|one| {
            (
                one.number,
                one.open,
                one.client_messages,
                one.round_trips,
                one.client_bytes,
                one.server_bytes,
            )
        })
        .collect();
    assert_eq!(counted, [(0, false, 2, 2, 6, 6), (1, true, 3, 3, 11, 6)]);
    assert_eq!(proxy.connections()[1].client, Some(address));
}
