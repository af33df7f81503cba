//! The end of a run in the user's own transaction: the work and its mark are committed together, and a holder that has lost its lock
//! commits nothing.

#[path = "support/asking.rs"]
#[macro_use]
mod asking;
#[path = "support/place.rs"]
mod place;

use std::time::Duration;

use shedlock_postgres::tokio_postgres::{Client, NoTls, Transaction};
use shedlock_postgres::{LockInTransaction as _, PostgresLockProvider, complete_in, fence_in};
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockError, LockProvider, LockProviderExt as _,
    LockingTaskExecutor, Outcome, SkipReason,
};

use asking::{MINUTE, until};
use place::{Place, Table, Via};

tests! {
    the_work_and_its_mark_are_committed_together
    a_rollback_leaves_the_run_to_be_tried_again
    the_running_task_completes_its_own_lock
    a_lock_without_a_position_can_only_be_checked
    a_holder_whose_lease_has_ended_commits_nothing
    a_holder_whose_lock_was_taken_commits_nothing
    nobody_takes_the_lock_before_the_transaction_ends
    another_database_is_refused
}

#[cfg(feature = "deadpool")]
tests! {
    a_transaction_of_a_pool_can_be_passed
}

/// A call to the store may take no longer than the lease that it asks for, also on a busy machine.
const SHORT: Duration = Duration::from_secs(2);
const NAME: &str = "order-17";

/// A client of the user's, and a table of the user's.
async fn with_work(place: &Place) -> Client {
    place.execute("CREATE TABLE work (done INTEGER)").await;
    let connected = shedlock_postgres::tokio_postgres::connect(&place.direct, NoTls).await;
    let (client, connection) = connected.expect("the database is there");
    drop(tokio::spawn(connection));
    client
}

fn step(number: u64, at_most: Duration) -> LockConfiguration {
    let config = LockConfiguration::new(NAME, at_most).expect("a legal configuration");
    config.with_step(number).expect("a legal step")
}

/// The lock for a run that may begin.
async fn begin<P: LockProvider + Clone>(provider: &P, config: LockConfiguration) -> Lock {
    let lock = provider.try_lock(config).await.expect("it can be taken");
    lock.expect("the run may begin")
}

async fn reason(provider: &PostgresLockProvider, config: LockConfiguration) -> SkipReason {
    let lock = provider.lock(config).await.expect("the database answers");
    lock.expect_err("the run must not begin").reason
}

/// A transaction of the user's in which work was done.
async fn work(client: &mut Client) -> Transaction<'_> {
    let transaction = client.transaction().await.expect("a transaction begins");
    let done = transaction.execute("INSERT INTO work VALUES (1)", &[]);
    done.await.expect("the work can be done");
    transaction
}

/// How much work was committed.
async fn committed(place: &Place) -> usize {
    place.rows("SELECT done FROM work").await.len()
}

fn kind<T>(result: Result<T, LockError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

async fn the_work_and_its_mark_are_committed_together(place: Place) {
    let mut client = with_work(&place).await;
    let provider = place.provider(Via::Url).await;
    let mut lock = begin(&provider, step(1, MINUTE)).await;
    lock.extend(MINUTE * 2, Duration::ZERO)
        .await
        .expect("it is held");
    let mut transaction = work(&mut client).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    // The guard is dropped as after a failure: the mark is in the database already.
    assert!(lock.unlock().await.is_ok());
    assert_eq!(committed(&place).await, 1);
    let reason = reason(&provider, step(1, MINUTE)).await;
    assert_eq!(reason, SkipReason::AlreadyRan);
    drop(begin(&provider, step(2, MINUTE)).await);
}

async fn a_rollback_leaves_the_run_to_be_tried_again(place: Place) {
    let mut client = with_work(&place).await;
    let provider = place.provider(Via::Url).await;
    let lock = begin(&provider, step(1, MINUTE)).await;
    let mut transaction = work(&mut client).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.rollback().await.expect("it can be rolled back");
    assert!(lock.unlock().await.is_ok());
    assert_eq!(committed(&place).await, 0);
    let again = begin(&provider, step(1, MINUTE)).await;
    assert!(again.complete().await.is_ok());
}

async fn the_running_task_completes_its_own_lock(place: Place) {
    let mut client = with_work(&place).await;
    let executor = LockingTaskExecutor::new(place.provider(Via::Url).await);
    let run = async |client: &mut Client| {
        let mut transaction = work(client).await;
        fence_in(&mut transaction).await?;
        complete_in(&mut transaction).await?;
        transaction.commit().await.expect("it can be committed");
        // The task fails after the commit, so its release does not mark the run as done.
        Err::<(), LockError>(LockError::new(ErrorKind::Other, "a later failure"))
    };
    let failed =
        executor.execute_with_failure_check(step(1, MINUTE), run(&mut client), Result::is_err);
    let failed = failed.await.expect("the database answers");
    assert!(matches!(failed, Outcome::Executed(Err(error)) if error.kind() == ErrorKind::Other));
    let skipped = executor.execute(step(1, MINUTE), run(&mut client)).await;
    let skipped = skipped.expect("the database answers");
    assert!(matches!(skipped, Outcome::Skipped(SkipReason::AlreadyRan)));
    assert_eq!(committed(&place).await, 1);
    // Without a lock there is nothing to complete, and the work is the caller's to undo.
    let error = complete_in(&mut work(&mut client).await).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
}

async fn a_lock_without_a_position_can_only_be_checked(place: Place) {
    let mut client = with_work(&place).await;
    let provider = place.provider(Via::Url).await;
    let config = LockConfiguration::new("report", MINUTE).expect("a legal configuration");
    let lock = begin(&provider, config).await;
    let mut transaction = work(&mut client).await;
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
    lock.fence_in(&mut transaction).await.expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 1);
}

async fn a_holder_whose_lease_has_ended_commits_nothing(place: Place) {
    let mut client = with_work(&place).await;
    let provider = place.provider(Via::Url).await;
    let lock = begin(&provider, step(1, SHORT)).await;
    let mut transaction = work(&mut client).await;
    until("the lease has ended", async || {
        place.left_of(NAME).await < 0
    })
    .await;
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Lost));
    // The program ignores the error.
    drop(transaction.commit().await);
    assert_eq!(committed(&place).await, 0);
    drop(begin(&provider, step(1, MINUTE)).await);
}

async fn a_holder_whose_lock_was_taken_commits_nothing(place: Place) {
    let mut client = with_work(&place).await;
    let provider = place.provider(Via::Url).await;
    let rival = place.provider_past_proxy();
    let lock = begin(&provider, step(1, SHORT)).await;
    let mut transaction = work(&mut client).await;
    until("the lease has ended", async || {
        place.left_of(NAME).await < 0
    })
    .await;
    let taken = begin(&rival, step(1, MINUTE)).await;
    let error = lock.fence_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Lost));
    drop(transaction.commit().await);
    assert_eq!(committed(&place).await, 0);
    // The rival's lock is as it was.
    let mut transaction = work(&mut client).await;
    taken
        .complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 1);
    assert_eq!(reason(&rival, step(1, MINUTE)).await, SkipReason::Held);
}

/// And the other locks of the process go on meanwhile, over the same connection as the one that waits.
async fn nobody_takes_the_lock_before_the_transaction_ends(place: Place) {
    let mut client = with_work(&place).await;
    let provider = place.provider(Via::Url).await;
    let rival = place.provider_past_proxy();
    let lock = begin(&provider, step(1, Duration::from_secs(2))).await;
    let mut transaction = work(&mut client).await;
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    until("the lease has ended", async || {
        place.left_of(NAME).await < 0
    })
    .await;
    let asked = step(1, MINUTE).with_timeout("1s").expect("a legal limit");
    // The row is locked by the transaction, which is an error and no lock that somebody holds.
    let (refused, other) = tokio::join!(rival.try_lock(asked), asking::once(&rival, "other"));
    assert!(!matches!(refused, Ok(Some(_))), "{refused:?}");
    assert_eq!(other, asking::WORKS);
    transaction.commit().await.expect("it can be committed");
    assert_eq!(committed(&place).await, 1);
    assert_eq!(
        reason(&rival, step(1, MINUTE)).await,
        SkipReason::AlreadyRan
    );
    drop(begin(&rival, step(2, MINUTE)).await);
}

async fn another_database_is_refused(place: Place) {
    let lock = begin(&place.provider(Via::Url).await, step(1, MINUTE)).await;
    let other = Place::on(&place.server).await;
    let mut client = with_work(&other).await;
    let mut transaction = work(&mut client).await;
    let error = lock.fence_in(&mut transaction).await.expect_err("no table");
    let told = error.to_string();
    assert!(
        told.contains("begin the transaction in the database"),
        "{told}"
    );
    drop(transaction);
    other.make(Table::Ours).await;
    let mut transaction = work(&mut client).await;
    let error = lock.complete_in(&mut transaction).await;
    assert_eq!(kind(error), Some(ErrorKind::Configuration));
    drop(transaction.commit().await);
    assert_eq!(committed(&other).await, 0);
}

#[cfg(feature = "deadpool")]
async fn a_transaction_of_a_pool_can_be_passed(place: Place) {
    let pool = place::pool(&place.direct, 1);
    let lock = begin(&place.provider(Via::Url).await, step(1, MINUTE)).await;
    let mut client = pool.get().await.expect("the database is there");
    let mut transaction = client.transaction().await.expect("a transaction begins");
    lock.fence_in(&mut transaction).await.expect("it is held");
    lock.complete_in(&mut transaction)
        .await
        .expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert!(lock.unlock().await.is_ok());
    let reason = reason(&place.provider_past_proxy(), step(1, MINUTE)).await;
    assert_eq!(reason, SkipReason::AlreadyRan);
}
