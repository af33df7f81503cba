//! Transactions in a database that does not keep the lock.

use shedlock_runtime::{ErrorKind, InMemoryLockProvider};
use shedlock_sqlx::LockInTransaction as _;
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Via;

each_database! {
    a_database_with_a_table_of_its_own_is_refused
    a_database_without_the_table_is_refused
    a_lock_that_no_database_keeps_is_refused
}

async fn a_database_with_a_table_of_its_own_is_refused<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let other: Place<DB> = server_or_skip!(Place::empty().await);
    with_work(&other).await;
    let lock = begin(&place.provider(Via::Url), step(1, LONG)).await;
    if is_one_server(&place) {
        let mut transaction = work(&other).await;
        lock.complete_in(&mut transaction)
            .await
            .expect("it is held");
        transaction.commit().await.expect("it can be committed");
        assert_eq!(committed(&other).await, 1);
        return;
    }
    // The other database knows a lock of this name, which is another one.
    for has_row in [false, true] {
        if has_row {
            drop(begin(&other.provider(Via::Url), step(1, LONG)).await);
        }
        let expected = if has_row {
            ErrorKind::Lost
        } else {
            ErrorKind::Configuration
        };
        let mut transaction = work(&other).await;
        let error = lock.complete_in(&mut transaction).await;
        assert_eq!(kind(error), Some(expected));
        drop(transaction.commit().await);
        assert_eq!(committed(&other).await, 0);
    }
    // The lock itself is as it was.
    let mut transaction = work(&place).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
}

/// Whether both databases are reached by one transaction, as those of one MySQL or MariaDB server are.
fn is_one_server<DB: TestStore>(place: &Place<DB>) -> bool {
    place.provider(Via::Url).info().name() == "mysql"
}

async fn a_database_without_the_table_is_refused<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let other: Place<DB> = server_or_skip!(Place::empty().await);
    let lock = begin(&place.provider(Via::Url), step(1, LONG)).await;
    let mut transaction = other.pool.begin().await.expect("a transaction begins");
    if is_one_server(&place) {
        return lock.fence_in(&mut transaction).await.expect("it is held");
    }
    let error = lock.fence_in(&mut transaction).await.expect_err("no table");
    let told = error.to_string();
    assert!(
        told.contains("begin the transaction in the database"),
        "{told}"
    );
}

async fn a_lock_that_no_database_keeps_is_refused<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let lock = begin(&InMemoryLockProvider::new(), step(1, LONG)).await;
    let mut transaction = work(&place).await;
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
}

/// In that zone the lease seems to last for hours yet, so that a holder whose lease has ended would commit.
#[tokio::test]
async fn a_transaction_in_another_zone_is_refused_where_times_depend_on_it() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    with_work(&place).await;
    let zoned = "ALTER TABLE shedlock ALTER COLUMN lock_until TYPE timestamptz, \
         ALTER COLUMN locked_at TYPE timestamptz";
    place.execute(zoned).await;
    let lock = begin(&place.provider(Via::Url), step(1, LONG)).await;
    place
        .execute("UPDATE shedlock SET lock_until = clock_timestamp()")
        .await;
    let mut transaction = work(&place).await;
    Postgres::run_in(&mut transaction, "SET LOCAL TIME ZONE 'Asia/Tokyo'")
        .await
        .expect("there is such a zone");
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
    drop(transaction.commit().await);
    assert_eq!(committed(&place).await, 0);
}

#[tokio::test]
async fn a_transaction_of_another_kind_of_database_is_refused() {
    let postgres: Place<Postgres> = server_or_skip!(Place::empty().await);
    let sqlite: Place<Sqlite> = server_or_skip!(Place::empty().await);
    with_work(&postgres).await;
    with_work(&sqlite).await;
    let lock = begin(&postgres.provider(Via::Url), step(1, LONG)).await;
    let mut transaction = work(&sqlite).await;
    let error = lock
        .complete_in(&mut transaction)
        .await
        .expect_err("SQLite");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("postgres"), "{error}");
}
