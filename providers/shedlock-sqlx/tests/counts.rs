//! What an operation costs the database: counted, so that it does not depend on the machine.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[path = "support/place.rs"]
mod place;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, HistoryOptions, Lease, LockAdmin as _, LockConfiguration,
    LockProvider, LockProviderExt as _, RunOutcome, RunRecord, SkipReason,
};
use shedlock_sqlx::{MySqlLockProvider, PostgresLockProvider, SqliteLockProvider};
use shedlock_testkit::servers::{MariaDb, Postgres};
use shedlock_testkit::{RoundTrips, server_or_skip};
use sqlx::Sqlite;

use place::{Place, Table, TestStore as _, Via};

fn request(provider: &impl LockProvider, name: &str) -> AcquireRequest {
    let config = LockConfiguration::new(name, "10m").expect("a legal configuration");
    AcquireRequest::new(config, provider.info().clock().boot())
}

async fn acquire(provider: &impl LockProvider, name: &str) -> Option<Lease> {
    let answer = provider.acquire(&request(provider, name)).await;
    answer.expect("the database answers").granted()
}

/// One acquisition that is granted, and its release.
async fn cycle(provider: &impl LockProvider, name: &str) {
    let lease = acquire(provider, name).await.expect("the lock is free");
    provider
        .release(&lease, Duration::ZERO)
        .await
        .expect("the database answers");
}

/// What one server has been asked.
struct CountingPostgres {
    server: Postgres,
    url: String,
}

impl CountingPostgres {
    async fn start() -> Result<Self, shedlock_testkit::Unavailable> {
        let server = Postgres::start_with(&[
            "-c",
            "shared_preload_libraries=pg_stat_statements",
            "-c",
            "pg_stat_statements.track_utility=on",
        ])
        .await?;
        let url = server.fresh_database().await;
        server
            .execute(&url, "CREATE EXTENSION pg_stat_statements")
            .await;
        Ok(Self { server, url })
    }

    async fn reset(&self) {
        self.server
            .execute(&self.url, "SELECT pg_stat_statements_reset()")
            .await;
    }

    /// Statements of the providers' role, and what they have written to the log.
    async fn asked(&self) -> (u64, u64) {
        let sums = "SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(wal_bytes), 0) FROM pg_stat_statements \
                    WHERE userid = 'shedlock'::regrole";
        let printed = self.server.execute(&self.url, sums).await;
        let (calls, bytes) = printed.trim().split_once('|').expect("two numbers");
        (
            calls.parse().expect("a number"),
            bytes.parse().expect("a number"),
        )
    }
}

#[tokio::test]
async fn postgres_statements_of_a_history() {
    let counting = server_or_skip!(CountingPostgres::start().await);
    let builder = PostgresLockProvider::builder_from_url(&counting.url);
    let provider = builder.history(HistoryOptions::new()).connect().await;
    let provider = provider.expect("the database is there");
    let made = provider.ensure_schema().await;
    made.expect("the tables can be made");
    let history = provider.run_history().expect("the builder asked for one");
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    for (took, statements) in [(0, 3), (1, 1), (31, 1), (32, 3)] {
        counting.reset().await;
        let ended = began + Duration::from_micros(took);
        let run = RunRecord::new("a", "web-2", began..ended, RunOutcome::Completed);
        history.append(&run).await.expect("the database answers");
        let asked = counting.asked().await.0;
        assert_eq!(asked, statements, "a run of {took} microseconds");
    }
    let _held = acquire(&provider, "a").await.expect("the lock is free");
    counting.reset().await;
    let config = LockConfiguration::new("a", "10m").expect("a legal configuration");
    let skipped = provider.try_lock(config).await;
    assert!(skipped.expect("the database answers").is_none());
    assert_eq!(counting.asked().await, (1, 0), "a skip");
}

#[tokio::test]
async fn postgres_statements_and_wal() {
    let counting = server_or_skip!(CountingPostgres::start().await);
    let connect = || PostgresLockProvider::connect(&counting.url);
    let provider = connect().await.expect("the database is there");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");

    counting.reset().await;
    cycle(&provider, "a").await;
    assert_eq!(counting.asked().await.0, 2, "a granted cycle of a new name");
    counting.reset().await;
    cycle(&provider, "a").await;
    assert_eq!(
        counting.asked().await.0,
        2,
        "a granted cycle of a known name"
    );

    let _held = acquire(&provider, "a").await.expect("the lock is free");
    counting.reset().await;
    assert!(acquire(&provider, "a").await.is_none());
    assert_eq!(counting.asked().await, (1, 0), "a refusal");
    let fresh = connect().await.expect("the database is there");
    counting.reset().await;
    assert!(acquire(&fresh, "a").await.is_none());
    assert_eq!(
        counting.asked().await,
        (1, 0),
        "a refusal on a node's first request"
    );

    let later = SystemTime::now() + Duration::from_hours(1);
    let paused = provider.pause("a", later, "upkeep").await;
    paused.expect("a lock can be paused");
    counting.reset().await;
    let answer = provider.acquire(&request(&provider, "a")).await;
    assert!(
        matches!(&answer, Ok(Acquisition::Refused(refusal)) if refusal.reason == SkipReason::Paused),
        "{answer:?}"
    );
    let (statements, bytes) = counting.asked().await;
    assert_eq!(statements, 1, "a request on a paused lock");
    // It writes the row to be given it; a page that is written for the first time since a checkpoint goes along whole.
    assert!(bytes < 16 * 1024, "{bytes}");
}

const ONE_EACH: RoundTrips = RoundTrips {
    acquire: 1,
    refusal: 1,
    extend: 1,
    release: 1,
};

#[tokio::test]
async fn postgres_round_trips() {
    // And where a pooler stands between.
    for persistent in [true, false] {
        let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::Ours).await);
        let builder = place.builder(Via::Url).persistent_statements(persistent);
        let provider = builder.connect().await.expect("the database is there");
        let proxy = place.proxy.as_ref().expect("a server behind a proxy");
        let counted = RoundTrips::count(proxy, &provider).await;
        assert_eq!(counted, ONE_EACH, "prepared: {persistent}");
    }
}

#[tokio::test]
async fn mysql_round_trips() {
    let place: Place<sqlx::MySql> = server_or_skip!(Place::with(Table::Ours).await);
    let provider = place.builder(Via::Url).connect().await;
    let proxy = place.proxy.as_ref().expect("a server behind a proxy");
    let counted = RoundTrips::count(proxy, &provider.expect("the database is there")).await;
    assert_eq!(counted, ONE_EACH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_contenders_cost_a_thousand_statements() {
    let counting = server_or_skip!(CountingPostgres::start().await);
    let pool = sqlx::pool::PoolOptions::<sqlx::Postgres>::new()
        .max_connections(10)
        .test_before_acquire(false)
        .connect(&counting.url)
        .await
        .expect("the database is there");
    let provider = PostgresLockProvider::new(pool.clone());
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    counting.reset().await;
    let start = Arc::new(tokio::sync::Barrier::new(1_000));
    let contenders = (0..1_000).map(|_| {
        let (provider, start) = (provider.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            acquire(&provider, "stampede").await.is_some()
        })
    });
    let mut grants = 0;
    for contender in contenders.collect::<Vec<_>>() {
        grants += u32::from(contender.await.expect("no panic"));
    }
    assert_eq!(grants, 1);
    let (statements, _) = counting.asked().await;
    assert!(statements <= 1_000, "{statements} statements");
}

#[tokio::test]
async fn mysql_statements() {
    let server = server_or_skip!(MariaDb::start().await);
    let url = server.fresh_database().await;
    let provider = MySqlLockProvider::connect(&url)
        .await
        .expect("the database is there");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    cycle(&provider, "a").await;
    server
        .execute(
            &url,
            "SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON",
        )
        .await;
    let asked = async || {
        // The client's own questions are logged for root.
        let count = "SELECT COUNT(*) FROM mysql.general_log WHERE user_host LIKE 'shedlock%'; TRUNCATE mysql.general_log";
        let printed = server.execute(&url, count).await;
        printed.trim().parse::<u64>().expect("a number")
    };
    asked().await;
    cycle(&provider, "a").await;
    assert_eq!(asked().await, 2, "a granted cycle");
    let _held = acquire(&provider, "a").await.expect("the lock is free");
    asked().await;
    assert!(acquire(&provider, "a").await.is_none());
    assert_eq!(asked().await, 1, "a refusal");
}

#[tokio::test]
async fn a_refusal_by_sqlite_writes_nothing() {
    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    let provider = place.provider(Via::Url);
    // It changes whenever another connection has written.
    let version = async || {
        Sqlite::texts(
            &place.pool,
            "SELECT CAST(data_version AS TEXT) FROM pragma_data_version",
        )
        .await
    };
    let before = version().await;
    let _held = acquire(&provider, "a").await.expect("the lock is free");
    let held = version().await;
    assert_ne!(before, held);
    let fresh: SqliteLockProvider = place.provider(Via::Url);
    for provider in [&provider, &fresh] {
        let answer = provider.acquire(&request(provider, "a")).await;
        let Ok(Acquisition::Refused(refusal)) = answer else {
            panic!("the lock is held: {answer:?}");
        };
        assert!(refusal.node.is_some() && refusal.remaining.is_some());
    }
    assert_eq!(version().await, held);
}
