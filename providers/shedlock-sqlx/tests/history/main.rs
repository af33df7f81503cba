//! The history of runs on each database: how much of it is kept, what happens without its table or the right to it, and who enters a
//! crash.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[macro_use]
#[path = "../support/each_database.rs"]
mod each_database;
#[path = "../support/place.rs"]
mod place;

mod crashed;
mod failing;
mod kept;
mod names;
mod store;

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{HistoryOptions, LockConfiguration, RunHistory, RunOutcome, RunRecord};
use shedlock_runtime::{LockAdmin, LockProvider as _, LockProviderExt as _};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};

use place::{Place, Table, TestStore, Via};
use store::HistoryStore;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// A node that keeps a history.
fn node<DB: TestStore>(place: &Place<DB>, options: HistoryOptions) -> SqlxLockProvider<DB> {
    let builder = place.builder(Via::Url).history(options);
    builder.build().expect("the options are valid")
}

fn history<DB: SqlDatabase>(provider: &SqlxLockProvider<DB>) -> &dyn RunHistory {
    provider.run_history().expect("the builder asked for one")
}

/// The current time in whole seconds. An entry that ends at such a time also deletes old ones.
fn whole_now() -> SystemTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UNIX_EPOCH + Duration::from_secs(since.expect("after 1970").as_secs())
}

fn ever() -> Range<SystemTime> {
    UNIX_EPOCH..UNIX_EPOCH + DAY * 36_500
}

fn config(lock: &str) -> LockConfiguration {
    LockConfiguration::new(lock, MINUTE).expect("a legal configuration")
}

/// A run of a job that does nothing.
async fn run<DB: SqlDatabase>(provider: &SqlxLockProvider<DB>, lock: &str) {
    let held = provider.try_lock(config(lock)).await;
    let held = held.expect("locks work").expect("it is free");
    held.unlock().await.expect("locks work");
}

/// The runs of `lock`, as soon as there are as many.
async fn runs<DB: SqlDatabase>(
    provider: &SqlxLockProvider<DB>,
    lock: &str,
    count: usize,
) -> Vec<RunRecord> {
    let deadline = tokio::time::Instant::now() + MINUTE;
    loop {
        let runs = provider.history(lock, ever()).await;
        let runs = runs.expect("the history can be read");
        if runs.len() >= count {
            return runs;
        }
        assert!(tokio::time::Instant::now() < deadline, "{runs:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many entries the table has.
async fn entries<DB: TestStore>(place: &Place<DB>, condition: &str) -> usize {
    let count = format!("SELECT name FROM shedlock_history WHERE {condition}");
    DB::texts(&place.pool, &count).await.len()
}
