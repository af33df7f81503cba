//! The end of a run in the user's own transaction, on each database: the work and its mark are committed together, and a holder that
//! has lost its lock commits nothing.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[macro_use]
#[path = "../support/each_database.rs"]
mod each_database;
#[path = "../support/place.rs"]
mod place;

mod completed;
mod elsewhere;
mod lost;
#[cfg(unix)]
mod stopped;

use std::time::Duration;

use shedlock_runtime::{
    Lock, LockConfiguration, LockError, LockProvider, LockProviderExt as _, SkipReason,
};
use sqlx::Transaction;

use place::{Place, Table, TestStore};

const LONG: Duration = Duration::from_mins(1);

/// A place with the table of locks, and a table of the user's.
async fn with_work<DB: TestStore>(place: &Place<DB>) {
    place.make(Table::Ours).await;
    place.execute("CREATE TABLE work (done INTEGER)").await;
}

fn step(number: u64, at_most: Duration) -> LockConfiguration {
    let config = LockConfiguration::new("order-17", at_most).expect("a legal configuration");
    config.with_step(number).expect("a legal step")
}

/// The lock for a run that may begin.
async fn begin<P: LockProvider + Clone>(provider: &P, config: LockConfiguration) -> Lock {
    let lock = provider.try_lock(config).await.expect("it can be taken");
    lock.expect("the run may begin")
}

async fn reason<P: LockProvider + Clone>(provider: &P, config: LockConfiguration) -> SkipReason {
    let lock = provider.lock(config).await.expect("the database answers");
    lock.expect_err("the run must not begin").reason
}

/// A transaction of the user's in which work was done.
async fn work<DB: TestStore>(place: &Place<DB>) -> Transaction<'static, DB> {
    let mut transaction = place.pool.begin().await.expect("a transaction begins");
    DB::run_in(&mut transaction, "INSERT INTO work VALUES (1)")
        .await
        .expect("the work can be done");
    transaction
}

/// How much work was committed.
async fn committed<DB: TestStore>(place: &Place<DB>) -> usize {
    let rows = DB::texts(&place.pool, "SELECT CAST(done AS CHAR(9)) FROM work").await;
    rows.len()
}

fn kind<T>(result: Result<T, LockError>) -> Option<shedlock_runtime::ErrorKind> {
    result.err().map(|error| error.kind())
}
