//! What `check_schema()` says of tables and sessions: what works is not reported as broken, what does not is called by its
//! name, and a statement that it advises mends what it is about.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[macro_use]
#[path = "../support/each_database.rs"]
mod each_database;
#[path = "../support/place.rs"]
mod place;

mod collations;
mod columns;
mod crashes;
mod kinds;
mod positions;
mod rights;
mod sessions;
mod writes;

use shedlock_runtime::{LockConfiguration, LockError, LockProviderExt as _};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Executor as _, Pool};

use place::{Place, TestStore, Via, warnings};

/// A provider on a table of this name.
fn on<DB: TestStore>(place: &Place<DB>, table: &str) -> SqlxLockProvider<DB> {
    let builder = place.builder(Via::Url).table_name(table);
    builder.build().expect("the name is valid")
}

/// A pool of one session, on which this was run.
async fn session<DB: TestStore>(url: &str, statements: &[&str]) -> Pool<DB> {
    let pool = PoolOptions::new().max_connections(1).connect(url).await;
    let pool = pool.expect("the database is there");
    for statement in statements {
        let done = DB::run(&pool, statement).await;
        done.unwrap_or_else(|error| panic!("failed to run `{statement}`: {error}"));
    }
    pool
}

/// What is odd about a table that works: nothing, or what contains all of `parts`.
async fn expect_warnings<DB: SqlDatabase>(
    provider: &SqlxLockProvider<DB>,
    parts: &[&str],
) -> String {
    let report = provider.check_schema().await;
    let report = report.unwrap_or_else(|error| panic!("it is no problem: {error}"));
    let told = warnings(&report).join("\n");
    assert_eq!(told.is_empty(), parts.is_empty(), "{told}");
    for part in parts {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    told
}

/// What is wrong with a table, which contains all of `parts`.
async fn expect_problem<DB: SqlDatabase>(
    provider: &SqlxLockProvider<DB>,
    parts: &[&str],
) -> LockError {
    let error = match provider.check_schema().await {
        Err(error) => error,
        Ok(report) => panic!("it is a problem: {report:?}"),
    };
    for part in parts {
        let told = error.to_string();
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    error
}

/// Takes a lock and gives it back; `lock` is held by nobody.
async fn must_lock<DB: SqlDatabase>(provider: &SqlxLockProvider<DB>, lock: &str) {
    let config = LockConfiguration::new(lock, "1m").expect("a legal configuration");
    let taken = provider.try_lock(config).await.expect("locks can be taken");
    let taken = taken.expect("nobody holds it");
    taken.unlock().await.expect("locks can be released");
}

/// Whether `lock` is free, which it stays.
async fn is_free<DB: SqlDatabase>(
    provider: &SqlxLockProvider<DB>,
    lock: &str,
) -> Result<bool, LockError> {
    let config = LockConfiguration::new(lock, "1m").expect("a legal configuration");
    match provider.try_lock(config).await? {
        Some(taken) => taken.unlock().await.map(|_| true),
        None => Ok(false),
    }
}

/// The statements that a text advises to run.
fn advice(told: &str) -> Vec<String> {
    let mut pieces = told.split("run: ");
    pieces.next();
    let statements = pieces.map(|piece| {
        let end = piece
            .find("; ")
            .or_else(|| piece.find('\n'))
            .unwrap_or(piece.len());
        piece[..end].to_owned()
    });
    statements.collect()
}

/// Runs what a text advises, word for word.
async fn follow<DB: TestStore>(place: &Place<DB>, told: &str) {
    let statements = advice(told);
    assert!(!statements.is_empty(), "there is nothing to run in: {told}");
    for statement in statements {
        place.execute(&statement).await;
    }
}

/// Runs statements on one session of a pool.
async fn run<DB: TestStore>(place: &Place<DB>, statements: &[&str]) {
    for statement in statements {
        place.execute(statement).await;
    }
}

/// As [`run`], as somebody who may do everything.
async fn as_admin(place: &Place<sqlx::Postgres>, statements: &str) {
    let server = shedlock_testkit::servers::Postgres::shared().await;
    let server = server.expect("it has been there");
    server.execute(&place.direct, statements).await;
}
