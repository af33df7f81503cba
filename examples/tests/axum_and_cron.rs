//! Two replicas of the web service on one PostgreSQL: one refreshes, and both answer, also while the database is away.

#[path = "support/program.rs"]
mod program;

use std::process::Stdio;
use std::time::{Duration, Instant};

use shedlock_examples::built_example;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Postgres;
use tokio::process::Command;
use tokio::time::timeout;

use crate::program::{LIMIT, Program, request};

/// Ticks are five seconds apart and two schedulers half a second.
const SAME_TICK: Duration = Duration::from_millis(2500);

struct Replica {
    address: String,
    program: Program,
}

impl Replica {
    async fn start(database: &str) -> Self {
        let environment = [("DATABASE_URL", database), ("PORT", "0")];
        let mut program = Program::start("axum_and_cron", &environment);
        let address = program.next_line("listening on http://").await;
        Self { address, program }
    }

    /// Waits until the job has said that it did `what`.
    async fn refreshed(&mut self, what: &str) {
        self.program
            .next_line(&format!("refresh_prices: {what}"))
            .await;
    }

    /// What the job did in the next tick, and when.
    async fn next_refresh(&mut self) -> (String, Instant) {
        let did = self.program.next_line("refresh_prices: ").await;
        (did, Instant::now())
    }

    async fn health(&self) -> String {
        request(&self.address, "GET", "/health").await
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
    assert_eq!(refreshes[0], "Ok(Executed(42))");
    // The loser finds the lock held; or, if both asked in the same instant, contended.
    let skipped = "Ok(Skipped(";
    assert!(refreshes[1].starts_with(skipped), "{refreshes:?}");
    for replica in [&one, &two] {
        let health = replica.health().await;
        assert!(health.starts_with("HTTP/1.1 200 OK"), "{health}");
        assert!(health.contains("up; "), "{health}");
    }

    postgres.stop().await.unwrap();
    one.refreshed("Err(").await;
    let health = one.health().await;
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(health.contains("`refresh_prices`"), "{health}");

    postgres.restart().await.unwrap();
    one.refreshed("Ok(").await;
    let health = one.health().await;
    assert!(health.starts_with("HTTP/1.1 200 OK"), "{health}");

    one.program.terminate().await;
    assert!(one.program.ended().await, "it ends by itself, and well");
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
