//! A holder that has lost its lock before its transaction ends.

use shedlock_runtime::{ErrorKind, LockAdmin};
use shedlock_sqlx::LockInTransaction as _;
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Via;

each_database! {
    a_holder_whose_lease_has_ended_commits_nothing
    a_holder_whose_lock_was_taken_commits_nothing
    nobody_takes_the_lock_before_the_transaction_ends
}

/// A call to the store may take no longer than the lease that it asks for, also on a busy machine.
const SHORT: Duration = Duration::from_secs(2);

/// Waits until the lease of the lock has ended by the database's clock.
async fn until_ended(provider: &impl LockAdmin) {
    let deadline = tokio::time::Instant::now() + LONG;
    loop {
        let lock = provider.get("order-17").await;
        let lock = lock.expect("the table can be read").expect("it was taken");
        if !lock.is_held() {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{lock}");
        tokio::time::sleep(lock.remaining).await;
    }
}

async fn a_holder_whose_lease_has_ended_commits_nothing<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let provider = place.provider(Via::Url);
    let lock = begin(&provider, step(1, SHORT)).await;
    let mut transaction = work(&place).await;
    until_ended(&provider).await;
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Lost));
    // The program ignores the error.
    drop(transaction.commit().await);
    assert_eq!(committed(&place).await, 0);
    drop(begin(&provider, step(1, LONG)).await);
}

async fn a_holder_whose_lock_was_taken_commits_nothing<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let (provider, rival) = (place.provider(Via::Url), place.provider(Via::Url));
    let lock = begin(&provider, step(1, SHORT)).await;
    // In SQLite a transaction that has written lets nobody else write, so the work comes later there.
    let mut transaction = place.pool.begin().await.expect("a transaction begins");
    until_ended(&provider).await;
    let taken = begin(&rival, step(1, LONG)).await;
    DB::run_in(&mut transaction, "INSERT INTO work VALUES (1)")
        .await
        .expect("the work can be done");
    let error = lock.fence_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Lost));
    drop(transaction.commit().await);
    assert_eq!(committed(&place).await, 0);
    // The rival's lock is as it was.
    let mut transaction = work(&place).await;
    taken
        .complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 1);
    assert_eq!(reason(&rival, step(1, LONG)).await, SkipReason::Held);
}

/// SQLite has no transaction that cannot write, so a program must not go on after the error there.
async fn what_a_holder_does_after_its_loss_is_not_committed<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let provider = place.provider(Via::Url);
    let lock = begin(&provider, step(1, SHORT)).await;
    let mut transaction = place.pool.begin().await.expect("a transaction begins");
    until_ended(&provider).await;
    let error = lock.fence_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Lost));
    drop(DB::run_in(&mut transaction, "INSERT INTO work VALUES (1)").await);
    drop(transaction.commit().await);
    assert_eq!(committed(&place).await, 0);
}

#[tokio::test]
async fn what_a_holder_does_after_its_loss_is_not_committed_in_postgres() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    what_a_holder_does_after_its_loss_is_not_committed(place).await;
}

#[tokio::test]
async fn what_a_holder_does_after_its_loss_is_not_committed_in_mariadb() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    what_a_holder_does_after_its_loss_is_not_committed(place).await;
}

/// The server undoes the statement alone that waited in vain for a row, and not its transaction.
#[tokio::test]
async fn a_check_that_fails_undoes_the_work_too_in_mariadb() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    with_work(&place).await;
    let (provider, rival) = (place.provider(Via::Url), place.provider(Via::Url));
    let lock = begin(&provider, step(1, SHORT)).await;
    until_ended(&provider).await;
    let taken = begin(&rival, step(1, LONG)).await;
    let mut first = place.pool.begin().await.expect("a transaction begins");
    taken.complete_in(&mut first).await.expect("it is held");

    let mut late = work(&place).await;
    let soon = "SET innodb_lock_wait_timeout = 1";
    MySql::run_in(&mut late, soon).await.expect("a setting");
    let error = lock.complete_in(&mut late).await;
    assert_ne!(kind(error), None);
    drop(late.commit().await);
    first.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 0);
}

async fn nobody_takes_the_lock_before_the_transaction_ends<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let (provider, rival) = (place.provider(Via::Url), place.provider(Via::Url));
    let lock = begin(&provider, step(1, Duration::from_secs(2))).await;
    let mut transaction = work(&place).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    until_ended(&provider).await;
    let asked = step(1, LONG).with_timeout("1s").expect("a legal limit");
    // The row is locked by the transaction, which is an error and no lock that somebody holds.
    let refused = rival.try_lock(asked).await;
    assert!(!matches!(refused, Ok(Some(_))), "{refused:?}");
    transaction.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 1);
    assert_eq!(reason(&rival, step(1, LONG)).await, SkipReason::AlreadyRan);
    drop(begin(&rival, step(2, LONG)).await);
}
