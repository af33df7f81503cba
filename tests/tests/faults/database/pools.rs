//! D9: the job itself uses up the connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock::{ErrorKind, Outcome, lock};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
use shedlock_tests::holds::monotonic_nanos;
use sqlx::pool::PoolOptions;
use sqlx::{MySql, Pool, Postgres, Sqlite};

use super::{Crew, job, kept_job, must_run, until_extended, until_free};
use crate::support::{LATENESS, Locks, Place, cases, in_time, nanos};

cases! {
    d9_a_job_that_uses_up_the_locks_pool on sqlite postgres mariadb;
    d9_a_job_that_uses_up_its_own_pool on sqlite postgres mariadb;
    d9_a_pool_used_up_by_others on sqlite postgres mariadb;
}

const LEASE: Duration = Duration::from_secs(1);

/// Runs a test with a pool of one connection and the locks on it.
macro_rules! on_pool {
    ($place:ident, $test:ident) => {
        if $place.is_sqlite() {
            $test::<Sqlite>($place).await;
        } else if $place.is_mariadb() {
            $test::<MySql>($place).await;
        } else {
            $test::<Postgres>($place).await;
        }
    };
}

/// A pool as sqlx makes it, which waits half a minute for a connection, of one.
async fn pool_of_one<DB: SqlDatabase>(place: &Place) -> (Pool<DB>, Locks) {
    let pool = PoolOptions::<DB>::new().max_connections(1);
    let pool = pool.connect(&place.url).await.expect("it is there");
    let locks: Locks = Arc::new(SqlxLockProvider::new(pool.clone()));
    must_run(&locks).await;
    (pool, locks)
}

async fn d9_a_job_that_uses_up_the_locks_pool(place: Place) {
    on_pool!(place, shared);
}

/// Nothing is left to extend the lease with: the job is cancelled before another one runs, and the lock given back once it can
/// be.
async fn shared<DB: SqlDatabase>(place: Place) {
    let (pool, locks) = pool_of_one::<DB>(&place).await;
    let (crew, rivals) = (Crew::default(), place.nodes(2).await);
    let body = crew.work("holder".to_owned(), async {
        let _taken = pool.acquire().await.expect("it is idle");
        std::future::pending::<()>().await;
    });
    let scenario = async {
        let asked = monotonic_nanos();
        let answer: Result<Outcome<()>, _> = in_time(Box::pin(kept_job(&locks, LEASE, body))).await;
        let error = answer.expect_err("it was lost");
        assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        assert!(monotonic_nanos() < asked + nanos(LEASE * 3), "in time");
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
    until_free(&locks).await;
}

async fn d9_a_job_that_uses_up_its_own_pool(place: Place) {
    on_pool!(place, own);
}

/// Connections of the locks' own are none of the job's business.
async fn own<DB: SqlDatabase>(place: Place) {
    let (pool, _locks) = pool_of_one::<DB>(&place).await;
    let (holder, rivals) = (place.connect().await, place.nodes(2).await);
    let crew = Crew::default();
    let script = async {
        let taken = pool.acquire().await.expect("it is idle");
        for _ in 0..5 {
            until_extended(&place).await;
        }
        crew.until_skipped().await;
        assert!(lock::is_held());
        assert_eq!(crew.runs(), 0, "it was held all the time");
        drop(taken);
    };
    let scenario = async {
        crew.hold(&holder, LEASE * 2, script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}

async fn d9_a_pool_used_up_by_others(place: Place) {
    on_pool!(place, used_up);
}

/// The call fails by its own limit and says why, and the next one after it works.
async fn used_up<DB: SqlDatabase>(place: Place) {
    let (pool, locks) = pool_of_one::<DB>(&place).await;
    let taken = pool.acquire().await.expect("it is idle");
    let asked = Instant::now();
    let body = async { panic!("the lock is not held") };
    let answer: Result<Outcome<()>, _> = Box::pin(job(&locks, LEASE, body)).await;
    let error = answer.expect_err("there is no connection");
    let took = asked.elapsed();
    assert!(took < LEASE + LATENESS, "{took:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("connections of its own"),
        "{error}"
    );
    drop(taken);
    must_run(&locks).await;
}
