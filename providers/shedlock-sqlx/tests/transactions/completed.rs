//! Runs that end in a transaction.

use shedlock_runtime::{ErrorKind, LockingTaskExecutor, Outcome};
use shedlock_sqlx::{LockInTransaction as _, complete_in, fence_in};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Via;

each_database! {
    the_work_and_its_mark_are_committed_together
    a_rollback_leaves_the_run_to_be_tried_again
    the_running_task_completes_its_own_lock
    a_lock_without_a_position_can_only_be_checked
    an_extended_lock_and_one_behind_a_wrapper_are_the_same_row
}

async fn the_work_and_its_mark_are_committed_together<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let provider = place.provider(Via::Url);
    let lock = begin(&provider, step(1, LONG)).await;
    let mut transaction = work(&place).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    // The guard is dropped as after a failure: the mark is in the database already.
    assert!(lock.unlock().await.is_ok());
    assert_eq!(committed(&place).await, 1);
    assert_eq!(
        reason(&provider, step(1, LONG)).await,
        SkipReason::AlreadyRan
    );
    drop(begin(&provider, step(2, LONG)).await);
}

/// As a server makes the first column of type TIMESTAMP where `explicit_defaults_for_timestamp` is off.
#[tokio::test]
async fn a_column_that_the_server_updates_keeps_the_end_of_the_lease() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    with_work(&place).await;
    let by_itself =
        "TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)";
    let change = format!("ALTER TABLE shedlock MODIFY lock_until {by_itself}");
    place.execute(&change).await;
    let provider = place.provider(Via::Url);
    let lock = begin(&provider, step(1, LONG)).await;
    let mut transaction = work(&place).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert_eq!(reason(&provider, step(2, LONG)).await, SkipReason::Held);
    assert!(lock.unlock().await.is_ok());
}

async fn a_rollback_leaves_the_run_to_be_tried_again<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let provider = place.provider(Via::Url);
    let lock = begin(&provider, step(1, LONG)).await;
    let mut transaction = work(&place).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.rollback().await.expect("it can be rolled back");
    assert!(lock.unlock().await.is_ok());
    assert_eq!(committed(&place).await, 0);
    let again = begin(&provider, step(1, LONG)).await;
    assert!(again.complete().await.is_ok());
}

async fn the_running_task_completes_its_own_lock<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let executor = LockingTaskExecutor::new(place.provider(Via::Pool));
    let run = async || {
        let mut transaction = work(&place).await;
        fence_in(&mut transaction).await?;
        complete_in(&mut transaction).await?;
        transaction.commit().await.expect("it can be committed");
        // The task fails after the commit, so its release does not mark the run as done.
        Err::<(), LockError>(LockError::new(ErrorKind::Other, "a later failure"))
    };
    let failed = executor.execute_with_failure_check(step(1, LONG), run(), Result::is_err);
    let failed = failed.await.expect("the database answers");
    assert!(matches!(failed, Outcome::Executed(Err(error)) if error.kind() == ErrorKind::Other));
    let skipped = executor.execute(step(1, LONG), run()).await;
    let skipped = skipped.expect("the database answers");
    assert!(matches!(skipped, Outcome::Skipped(SkipReason::AlreadyRan)));
    assert_eq!(committed(&place).await, 1);
    // Without a lock there is nothing to complete, and the work is the caller's to undo.
    let mut transaction = work(&place).await;
    let error = complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
}

async fn a_lock_without_a_position_can_only_be_checked<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let provider = place.provider(Via::Url);
    let config = LockConfiguration::new("report", LONG).expect("a legal configuration");
    let lock = begin(&provider, config).await;
    let mut transaction = work(&place).await;
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
    lock.fence_in(&mut transaction).await.expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 1);
}

async fn an_extended_lock_and_one_behind_a_wrapper_are_the_same_row<DB: TestStore>(
    place: Place<DB>,
) {
    with_work(&place).await;
    let provider = place.provider(Via::Url);
    let teams = shedlock_runtime::NamespacedLockProvider::new(provider.clone(), "team-a:");
    let teams = teams.expect("a legal prefix");
    let mut lock = begin(&teams, step(1, LONG)).await;
    for _ in 0..3 {
        lock.extend("2m", "0s").await.expect("it is held");
    }
    let mut transaction = work(&place).await;
    lock.fence_in(&mut transaction).await.expect("it is held");
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert!(lock.unlock().await.is_ok());
    assert_eq!(reason(&teams, step(1, LONG)).await, SkipReason::AlreadyRan);
    // The lock of that name without the prefix is another one.
    drop(begin(&provider, step(1, LONG)).await);
}
