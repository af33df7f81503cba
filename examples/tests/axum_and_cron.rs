//! Two replicas of the web service on one PostgreSQL: one refreshes, and both answer, also while the database is away.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use shedlock_examples::built_example;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Postgres;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// For everything that happens within the job's five seconds on a machine with much else to do.
const LIMIT: Duration = Duration::from_mins(1);

/// Ticks are five seconds apart and two schedulers half a second.
const SAME_TICK: Duration = Duration::from_millis(2500);

struct Replica {
    address: String,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Replica {
    async fn start(database: &str) -> Self {
        let mut process = Command::new(built_example("axum_and_cron"))
            .env("DATABASE_URL", database)
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut replica = Self {
            address: String::new(),
            lines,
            _process: process,
        };
        let listening = replica.next_line("listening on http://").await;
        listening
            .rsplit('/')
            .next()
            .unwrap()
            .clone_into(&mut replica.address);
        replica
    }

    /// The next line with `text` in it.
    async fn next_line(&mut self, text: &str) -> String {
        let line = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.expect("the service goes on");
                if line.contains(text) {
                    return line;
                }
            }
        };
        timeout(LIMIT, line)
            .await
            .unwrap_or_else(|_| panic!("no line with `{text}`"))
    }

    /// What the job did in the next tick, and when.
    async fn next_refresh(&mut self) -> (String, Instant) {
        (self.next_line("refresh_prices: ").await, Instant::now())
    }

    async fn health(&self) -> String {
        let answer = async {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        timeout(LIMIT, answer).await.expect("the service answers")
    }
}

#[tokio::test]
async fn one_replica_refreshes_and_both_are_healthy() {
    let postgres = server_or_skip!(Postgres::start().await);
    let url = postgres.fresh_database().await;
    let (mut one, mut two) = tokio::join!(Replica::start(&url), Replica::start(&url));

    // One may have been there a tick before the other: what counts is the first tick of both.
    let (mut first, mut second) = tokio::join!(one.next_refresh(), two.next_refresh());
    while first.1 + SAME_TICK < second.1 {
        first = one.next_refresh().await;
    }
    while second.1 + SAME_TICK < first.1 {
        second = two.next_refresh().await;
    }
    let mut refreshes = [first.0, second.0];
    refreshes.sort();
    assert_eq!(refreshes[0], "refresh_prices: Ok(Executed(42))");
    // The loser finds the lock held; or, if both asked in the same instant, contended.
    let skipped = "refresh_prices: Ok(Skipped(";
    assert!(refreshes[1].starts_with(skipped), "{refreshes:?}");
    for replica in [&one, &two] {
        let health = replica.health().await;
        assert!(health.starts_with("HTTP/1.1 200 OK"), "{health}");
        assert!(health.contains("up; "), "{health}");
    }

    postgres.stop().await.unwrap();
    one.next_line("refresh_prices: Err(").await;
    let health = one.health().await;
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(health.contains("`refresh_prices`"), "{health}");

    postgres.restart().await.unwrap();
    one.next_line("refresh_prices: Ok(").await;
    let health = one.health().await;
    assert!(health.starts_with("HTTP/1.1 200 OK"), "{health}");
}

#[tokio::test]
async fn without_a_database_it_says_what_to_set() {
    let output = Command::new(built_example("axum_and_cron"))
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LIMIT, output).await.unwrap().unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("set DATABASE_URL to a database"),
        "{errors}"
    );
}
