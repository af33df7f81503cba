//! NATS servers start alone and as a cluster.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Nats, NatsCluster};

use super::rough_life;

/// What a server says of itself.
fn hello(server: &Nats) -> String {
    let stream = TcpStream::connect(server.address()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[tokio::test]
async fn nats_is_stopped_killed_paused_and_restarted() {
    let server = server_or_skip!(Nats::start().await);
    rough_life(&server).await;
    let hello = hello(&server);
    assert!(hello.contains(&server.name()), "{hello}");
    assert!(hello.contains("\"jetstream\":true"), "{hello}");
}

#[tokio::test]
async fn nats_starts_without_jetstream_and_with_users_of_the_callers_own() {
    let plain = server_or_skip!(Nats::start_without_jetstream().await);
    assert!(!hello(&plain).contains("\"jetstream\":true"));
    let users = "authorization { user: one, password: two }";
    let closed = server_or_skip!(Nats::start_configured(users).await);
    assert!(hello(&closed).contains("\"auth_required\":true"));
    let shared = server_or_skip!(Nats::shared().await);
    let mut stream = TcpStream::connect(shared.address()).unwrap();
    let wrong = r#"CONNECT {"user":"app","pass":"wrong","verbose":false}"#;
    write!(stream, "{wrong}\r\nPING\r\n").unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let said: Vec<_> = lines.collect();
    assert!(
        said.iter()
            .any(|line| line.contains("Authorization Violation")),
        "{said:?}"
    );
}

#[tokio::test]
async fn three_nats_servers_form_a_cluster() {
    let cluster = server_or_skip!(NatsCluster::start().await);
    let start = Instant::now();
    // Each tells the addresses of all.
    while !cluster.servers().iter().all(|server| {
        let hello = hello(server);
        let others = cluster.servers().iter();
        others
            .filter(|other| hello.contains(&other.address().to_string()))
            .count()
            == 3
    }) {
        assert!(start.elapsed() < Duration::from_secs(30), "they are alone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(cluster.url().split(',').count(), 3);
}
