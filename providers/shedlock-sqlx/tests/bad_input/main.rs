//! What the provider says to input and tables that cannot work.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[macro_use]
#[path = "../support/each_database.rs"]
mod each_database;
#[path = "../support/place.rs"]
mod place;

use shedlock_runtime::{LockConfiguration, LockError, LockProvider, LockProviderExt as _};

mod names;
mod tables;
mod times;

/// The names in the table, whatever the provider says.
const DB_ROWS: &str = "SELECT name FROM shedlock";

fn config(name: &str, at_most: &str) -> LockConfiguration {
    LockConfiguration::new(name, at_most).expect("a legal configuration")
}

async fn must_fail<P: LockProvider + Clone>(provider: &P, name: &str, at_most: &str) -> LockError {
    match provider.try_lock(config(name, at_most)).await {
        Err(error) => error,
        Ok(outcome) => panic!("the lock was asked for with success: {outcome:?}"),
    }
}

async fn must_lock<P: LockProvider + Clone>(provider: &P, name: &str) {
    let lock = provider.try_lock(config(name, "1m")).await;
    let lock = lock
        .expect("the database answers")
        .expect("the lock is free");
    lock.unlock().await.expect("the database answers");
}
