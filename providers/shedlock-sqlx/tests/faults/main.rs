//! What happens when the database, the network or another session misbehaves.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

mod outages;
#[path = "../support/place.rs"]
mod place;
mod races;

use std::time::{Duration, Instant};

use shedlock_runtime::{
    AcquireRequest, ErrorKind, LockConfiguration, LockProvider, LockProviderExt as _, Ownership,
};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::MariaDb;
use sqlx::pool::PoolOptions;
use sqlx::{Connection as _, Executor as _, MySql, Sqlite};

use place::{Place, Table, TestStore, Via};
use races::race;

/// What hangs longer than this hangs for ever.
const PATIENCE: Duration = Duration::from_mins(1);

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

fn request(provider: &impl LockProvider, config: LockConfiguration) -> AcquireRequest {
    AcquireRequest::new(config, provider.info().clock().boot())
}

async fn is_free<P: LockProvider + Clone>(provider: &P, name: &str) -> bool {
    match provider
        .try_lock(config(name))
        .await
        .expect("the database answers")
    {
        Some(lock) => {
            lock.unlock().await.expect("the database answers");
            true
        }
        None => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_per_statement_behind_a_pooler() {
    let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let provider = |_| {
        let builder = place.builder(Via::Url).persistent_statements(false);
        builder.build().expect("legal options")
    };
    race(provider, 20).await;
    let provider = provider(0);
    for name in [
        "'; DROP TABLE shedlock; --",
        "\\'; DROP TABLE shedlock; --",
        "$1",
        "E'\\\\",
    ] {
        let lock = provider
            .try_lock(config(name))
            .await
            .expect("the database answers");
        let mut lock = lock.expect("the lock is free");
        assert!(lock.fencing_token().is_some());
        assert!(!is_free(&place.provider(Via::Url), name).await, "{name}");
        lock.extend("5m", "0s").await.expect("the lease is live");
        assert_eq!(
            lock.unlock().await.expect("the database answers"),
            Ownership::Ours
        );
    }
}

/// Another session has the row of a held lock locked: a refusal must not wait for it.
#[tokio::test]
async fn a_refusal_waits_for_no_row() {
    async fn check<DB: TestStore>(place: Place<DB>, hold: &'static str)
    where
        for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
    {
        let provider = place.provider(Via::Url);
        let lock = provider
            .try_lock(config("a"))
            .await
            .expect("the database answers");
        let lock = lock.expect("the lock is free");
        let mut other = DB::Connection::connect(&place.direct)
            .await
            .expect("the database is there");
        let mut other = other.begin().await.expect("a transaction");
        (&mut *other)
            .execute(sqlx::raw_sql(hold))
            .await
            .expect("the row is there");
        let fresh = place.provider(Via::Url);
        let refused = tokio::time::timeout(PATIENCE, async {
            let strict = config("a").with_timeout("3s").expect("a legal time limit");
            fresh.try_lock(strict).await
        });
        assert!(
            refused
                .await
                .expect("an answer")
                .expect("the database answers")
                .is_none()
        );
        other.rollback().await.expect("the database answers");
        lock.unlock().await.expect("the database answers");
    }
    let hold = "SELECT name FROM shedlock WHERE name = 'a' FOR UPDATE";
    check::<MySql>(server_or_skip!(Place::with(Table::Ours).await), hold).await;
    check::<sqlx::Postgres>(server_or_skip!(Place::with(Table::Ours).await), hold).await;
}

#[tokio::test]
async fn an_exhausted_pool_is_told_in_time() {
    let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let pool = PoolOptions::<sqlx::Postgres>::new().max_connections(1);
    let pool = pool
        .connect(&place.direct)
        .await
        .expect("the database is there");
    let provider = SqlxLockProvider::new(pool.clone());
    let taken = pool.acquire().await.expect("the first connection");
    let asked = Instant::now();
    let limited = config("a")
        .with_timeout("500ms")
        .expect("a legal time limit");
    let error = provider
        .try_lock(limited)
        .await
        .expect_err("no connection is left");
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "the pool's own limit is 30 s"
    );
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_transient());
    let told = "all connections are in use; give the lock provider connections of its own, or the pool more";
    assert!(error.to_string().ends_with(told), "{error}");
    drop(taken);
    assert!(is_free(&provider, "a").await);
}

#[tokio::test]
async fn a_database_that_takes_no_writes() {
    let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let options: sqlx::postgres::PgConnectOptions = place.direct.parse().expect("a valid URL");
    let options = options.options([("default_transaction_read_only", "on")]);
    let pool = sqlx::PgPool::connect_lazy_with(options);
    takes_no_writes(SqlxLockProvider::new(pool), "takes no writes at present").await;

    let server = server_or_skip!(MariaDb::start().await);
    let url = server.fresh_database().await;
    let provider = SqlxLockProvider::<MySql>::connect(&url)
        .await
        .expect("it is there");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    server.execute(&url, "SET GLOBAL read_only = ON").await;
    takes_no_writes(provider.clone(), "takes no writes at present").await;
    server.execute(&url, "SET GLOBAL read_only = OFF").await;
    assert!(is_free(&provider, "a").await);

    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    let url = format!("{}?mode=ro", place.url);
    let provider = SqlxLockProvider::<Sqlite>::connect(&url).await;
    takes_no_writes(
        provider.expect("it is there"),
        "may not write the database's file",
    )
    .await;
}

async fn takes_no_writes<DB: SqlDatabase>(provider: SqlxLockProvider<DB>, words: &str) {
    let error = provider.try_lock(config("a")).await.expect_err("no writes");
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error:?}");
    assert!(error.is_transient());
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn sqlite_waits_for_a_writer_as_long_as_there_is_time() {
    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    let provider = place
        .builder(Via::Url)
        .connect()
        .await
        .expect("the file is there");
    assert!(is_free(&provider, "a").await);
    let mut writer = place.pool.acquire().await.expect("a connection");
    writer
        .execute("BEGIN IMMEDIATE")
        .await
        .expect("nobody else writes");
    // No time left: somebody is writing, which says nothing about the lock.
    let limited = config("a")
        .with_timeout("600ms")
        .expect("a legal time limit");
    let asked = Instant::now();
    let answer = provider.acquire(&request(&provider, limited)).await;
    let error = answer.expect_err("the database is busy");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(asked.elapsed() < Duration::from_secs(5));
    let asking = {
        let provider = provider.clone();
        tokio::spawn(async move { provider.try_lock(config("a")).await })
    };
    // Longer than one step of waiting.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!asking.is_finished(), "it waits for the writer");
    writer.execute("COMMIT").await.expect("the file is there");
    let lock = tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("an answer")
        .expect("no panic");
    assert!(lock.expect("the writer is gone").is_some());
}

#[tokio::test]
async fn a_column_added_later_is_used_after_a_look() {
    let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::ShedLocks).await);
    let provider = place.provider(Via::Url);
    let token = async || {
        let lock = provider
            .try_lock(config("a"))
            .await
            .expect("the database answers");
        let lock = lock.expect("the lock is free");
        let token = lock.fencing_token();
        lock.unlock().await.expect("the database answers");
        token
    };
    assert_eq!(token().await, None);
    place
        .execute("ALTER TABLE shedlock ADD COLUMN fencing_token BIGINT NOT NULL DEFAULT 0")
        .await;
    assert_eq!(token().await, None);
    provider.ensure_schema().await.expect("the table is there");
    assert!(token().await.is_some());
}
