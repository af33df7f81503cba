//! Servers that stop, stand still or end a connection.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockProvider as _, LockProviderExt as _, Ownership};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Kind, MariaDb, Postgres, Server};
use sqlx::{Executor as _, MySql};

use super::place::{Place, Table, Via};
use super::{PATIENCE, config, is_free, request};

/// A server of the test's own is killed and comes back while a lock is held.
async fn survives_a_restart<DB: SqlDatabase, K: Kind>(server: Server<K>, url: String) {
    let connect = || SqlxLockProvider::<DB>::connect(&url);
    let (one, two) = (
        connect().await.expect("there"),
        connect().await.expect("there"),
    );
    one.ensure_schema().await.expect("the table can be made");
    let first = request(&one, config("a"));
    let lease = one
        .acquire(&first)
        .await
        .expect("there")
        .granted()
        .expect("free");
    assert!(!is_free(&two, "a").await);
    for _ in 0..2 {
        server.kill().await.expect("it can be killed");
        let error = two
            .try_lock(config("a"))
            .await
            .expect_err("there is no server");
        assert!(error.is_transient(), "{error:?}");
        server.restart().await.expect("it comes back");
        assert!(!is_free(&two, "a").await, "the lock is still held");
        let extended = one
            .extend(&lease, Duration::from_mins(1))
            .await
            .expect("it is back");
        assert_eq!(extended, Ownership::Ours);
    }
    server.restart().await.expect("it comes back");
    assert_eq!(
        one.release(&lease, Duration::ZERO)
            .await
            .expect("it is back"),
        Ownership::Ours
    );
    let again = request(&two, config("a"));
    let next = two
        .acquire(&again)
        .await
        .expect("there")
        .granted()
        .expect("free");
    assert!(next.fencing_token() > lease.fencing_token());
}

#[tokio::test]
async fn postgres_comes_back() {
    let server = server_or_skip!(Postgres::start().await);
    let url = server.fresh_database().await;
    survives_a_restart::<sqlx::Postgres, _>(server, url).await;
}

#[tokio::test]
async fn mariadb_comes_back() {
    let server = server_or_skip!(MariaDb::start().await);
    let url = server.fresh_database().await;
    survives_a_restart::<MySql, _>(server, url).await;
}

/// A server that stands still costs no more than the time limit, and nothing stays behind.
async fn survives_a_standstill<DB: SqlDatabase, K: Kind>(server: Server<K>, url: String) {
    let connect = || SqlxLockProvider::<DB>::connect(&url);
    let (one, two) = (
        connect().await.expect("there"),
        connect().await.expect("there"),
    );
    one.ensure_schema().await.expect("the table can be made");
    assert!(is_free(&one, "a").await);
    server.pause().await.expect("it can be stopped");
    // A kept connection, and one that must be made.
    let fresh = SqlxLockProvider::<DB>::builder_from_url(&url)
        .build()
        .expect("a valid URL");
    for provider in [&one, &fresh] {
        let asked = Instant::now();
        let limited = config("a")
            .with_timeout("400ms")
            .expect("a legal time limit");
        let error = provider
            .try_lock(limited)
            .await
            .expect_err("the server stands still");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "{:?}",
            asked.elapsed()
        );
    }
    server.resume().await.expect("it can go on");
    // What it grants now, nobody waits for; it is given back in the background.
    let freed = async {
        while !is_free(&two, "a").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed)
        .await
        .expect("the orphan is given back");
    assert!(is_free(&one, "a").await);
}

#[tokio::test]
async fn postgres_stands_still() {
    let server = server_or_skip!(Postgres::start().await);
    let url = server.fresh_database().await;
    survives_a_standstill::<sqlx::Postgres, _>(server, url).await;
}

#[tokio::test]
async fn mariadb_stands_still() {
    let server = server_or_skip!(MariaDb::start().await);
    let url = server.fresh_database().await;
    survives_a_standstill::<MySql, _>(server, url).await;
}

/// The connection is killed while its statement waits for a row; the call goes on with another one.
#[tokio::test]
async fn a_connection_killed_in_the_middle_of_a_statement() {
    let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let server = server_or_skip!(Postgres::shared().await);
    let provider = place
        .builder(Via::Url)
        .connect()
        .await
        .expect("the database is there");
    assert!(is_free(&provider, "a").await);
    let mut other = place.pool.begin().await.expect("a transaction");
    let lock_row = "SELECT name FROM shedlock WHERE name = 'a' FOR UPDATE";
    other.execute(lock_row).await.expect("the row is there");
    let asking = {
        let provider = provider.clone();
        tokio::spawn(async move { provider.try_lock(config("a")).await })
    };
    let waiting =
        "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let until_waiting = async |times: usize| {
        let mut killed = 0;
        while killed < times {
            let kill = format!("SELECT pg_terminate_backend(pid) {waiting}");
            killed += server.execute(&place.direct, &kill).await.lines().count();
        }
    };
    tokio::time::timeout(PATIENCE, until_waiting(1))
        .await
        .expect("it waits for the row");
    other.rollback().await.expect("the database answers");
    let lock = tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("an answer")
        .expect("no panic");
    // The first connection had been idle, so a new one was tried.
    let lock = lock
        .expect("the second connection works")
        .expect("the lock is free");
    assert!(!is_free(&provider, "a").await);
    lock.unlock().await.expect("the database answers");
    assert!(is_free(&provider, "a").await);
}
