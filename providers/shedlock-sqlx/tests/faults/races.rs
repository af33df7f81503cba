//! Nodes that ask for the same lock at the same moment.

use std::sync::Arc;

use shedlock_runtime::{Acquisition, LockProvider as _};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::pool::PoolOptions;
use sqlx::{Executor as _, MySql};

use super::place::{Place, Table, Via};
use super::{config, request};

/// Contenders on many names at once: each name is granted once, and nobody sees an error.
pub(crate) async fn race<DB: SqlDatabase>(
    provider: impl Fn(usize) -> SqlxLockProvider<DB>,
    names: usize,
) {
    const CONTENDERS: usize = 16;
    let start = Arc::new(tokio::sync::Barrier::new(CONTENDERS));
    let contenders = (0..CONTENDERS).map(|number| {
        let (provider, start) = (provider(number), Arc::clone(&start));
        tokio::spawn(async move {
            let mut won = 0;
            start.wait().await;
            for name in 0..names {
                let request = request(&provider, config(&format!("race-{name}")));
                match provider.acquire(&request).await {
                    Ok(Acquisition::Granted(_)) => won += 1,
                    Ok(Acquisition::Refused(_)) => {}
                    Err(error) => panic!("contention is no error: {error:?}"),
                }
            }
            won
        })
    });
    let mut won = 0;
    for contender in contenders.collect::<Vec<_>>() {
        won += contender.await.expect("no panic");
    }
    assert_eq!(won, names, "each name is granted once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_grants_each_name_once() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    race(|_| place.provider(Via::Url), 120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_grants_each_name_once_without_tokens() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::ShedLocks).await);
    race(|_| place.provider(Via::Url), 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolation_levels_change_nothing_in_mysql() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
        let pool = PoolOptions::<MySql>::new()
            .max_connections(16)
            .after_connect(move |connection, _| {
                let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
                Box::pin(
                    async move { connection.execute(sqlx::AssertSqlSafe(set)).await.map(drop) },
                )
            });
        let pool = pool.connect_lazy(&place.direct).expect("a valid URL");
        race(|_| SqlxLockProvider::new(pool.clone()), 40).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolation_levels_change_nothing_in_postgres() {
    for level in ["repeatable read", "serializable"] {
        let place: Place<sqlx::Postgres> = server_or_skip!(Place::with(Table::Ours).await);
        let options: sqlx::postgres::PgConnectOptions = place.direct.parse().expect("a valid URL");
        let options = options.options([("default_transaction_isolation", level)]);
        let pool = PoolOptions::<sqlx::Postgres>::new()
            .max_connections(16)
            .connect_lazy_with(options);
        race(|_| SqlxLockProvider::new(pool.clone()), 40).await;
    }
}
