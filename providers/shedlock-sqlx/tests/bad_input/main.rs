//! What the provider says to input and tables that cannot work.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[path = "../support/place.rs"]
mod place;

use shedlock_runtime::{LockConfiguration, LockError, LockProvider, LockProviderExt as _};

/// Calls a generic test for each database.
macro_rules! each_database {
    ($($test:ident)*) => {$(
        mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test::<super::Sqlite>(super::server_or_skip!(super::Place::<super::Sqlite>::empty().await)).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$test::<super::Postgres>(super::server_or_skip!(super::Place::<super::Postgres>::empty().await)).await;
            }

            #[tokio::test]
            async fn mysql() {
                super::$test::<super::MySql>(super::server_or_skip!(super::Place::<super::MySql>::empty().await)).await;
            }
        }
    )*};
}

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
