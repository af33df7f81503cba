//! Columns that keep less than microseconds, and transactions that stop the clock.

use std::time::Duration;

use shedlock::{LockConfiguration, LockProviderExt as _};
use shedlock_sqlx::{MySqlLockProvider, PostgresLockProvider};
use shedlock_tests::holds::monotonic_nanos;
use tokio::time::sleep;

use crate::support::{Place, cases, config, in_time, nanos, take, until};

cases! {
    c7_columns_that_keep_milliseconds on postgres mariadb;
    c7_columns_that_keep_whole_seconds on postgres mariadb;
    c8_a_transaction_that_makes_an_acquisition_wait on postgres mariadb;
}

const MINUTE: Duration = Duration::from_mins(1);

/// Makes the table anew, as ShedLock has it, with columns `of` that type.
pub(super) async fn make_columns(place: &Place, of: &str) {
    place
        .execute(&format!(
            "DROP TABLE shedlock;
             CREATE TABLE shedlock (name VARCHAR(64) NOT NULL PRIMARY KEY, lock_until {of} NOT NULL,
                                    locked_at {of} NOT NULL, locked_by VARCHAR(255) NOT NULL);
             {}",
            if place.is_mariadb() {
                ""
            } else {
                "ALTER TABLE shedlock OWNER TO shedlock;"
            }
        ))
        .await;
}

/// The end of a lease is rounded, by a millisecond at most, and the holder does not outlast it by more.
async fn c7_columns_that_keep_milliseconds(place: Place) {
    let lease = Duration::from_secs(1);
    let types = if place.is_mariadb() {
        ["TIMESTAMP(3)", "DATETIME(3)"]
    } else {
        ["TIMESTAMP(3)", "TIMESTAMP"]
    };
    for of in types {
        make_columns(&place, of).await;
        let locks = place.connect().await;
        for _ in 0..3 {
            let asked = monotonic_nanos();
            let (mut dead, _) = take(&locks, "job", lease).await;
            dead.release_on_drop(false);
            drop(dead);
            let (heir, granted) = take(&locks, "job", lease).await;
            let millisecond = nanos(Duration::from_millis(1));
            assert!(
                granted + millisecond >= asked + nanos(lease),
                "{of}: too early"
            );
            heir.unlock().await.expect("the store answers");
        }
    }
}

/// No lease ends early in a column of whole seconds: it is given a second more, and `check_schema()` says so.
async fn c7_columns_that_keep_whole_seconds(place: Place) {
    make_columns(&place, "TIMESTAMP(0)").await;
    let report = if place.is_mariadb() {
        let provider = MySqlLockProvider::connect(&place.url).await;
        provider.expect("it is there").check_schema().await
    } else {
        let provider = PostgresLockProvider::connect(&place.url).await;
        provider.expect("it is there").check_schema().await
    };
    let told = report.expect("locks work").warnings().join("\n");
    assert!(told.contains("it keeps whole seconds"), "{told}");
    let (locks, other) = (place.connect().await, place.connect().await);
    for tenths in [13, 15, 17, 19] {
        let lease = Duration::from_millis(tenths * 100);
        let (lock, _) = take(&locks, "coarse", lease).await;
        while let Some(left) = lock.remaining() {
            let config = LockConfiguration::new("coarse", lease).expect("a legal configuration");
            let asked = other.try_lock(config).await.expect("the store answers");
            let overlap = asked.is_some() && lock.is_held();
            assert!(!overlap, "granted with {left:?} of {lease:?} left");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        lock.unlock().await.expect("the store answers");
        // A release in whole seconds may be rounded up.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Another session's transaction has the row: the lease is counted from the request by its holder, and from the grant by
/// the store, whose end is the later one.
async fn c8_a_transaction_that_makes_an_acquisition_wait(place: Place) {
    let locks = place.connect().await;
    let (lock, _) = take(&locks, "job", MINUTE).await;
    lock.unlock().await.expect("the store answers");
    let (begin, wait) = if place.is_mariadb() {
        ("START TRANSACTION", "DO SLEEP(1.5)")
    } else {
        ("BEGIN", "SELECT pg_sleep(1.5)")
    };
    let transaction = format!(
        "{begin}; SELECT name FROM shedlock WHERE name = 'job' FOR UPDATE; {wait}; COMMIT;"
    );
    let transaction = place.execute(&transaction);
    let asking = async {
        until(async || is_waited_for(&place).await.then_some(())).await;
        let asked = monotonic_nanos();
        let wanted = config("job", MINUTE);
        let lock = locks.try_lock(wanted).await.expect("the store answers");
        (asked, lock.expect("nobody holds it"))
    };
    let (_, (asked, lock)) = in_time(async { tokio::join!(transaction, asking) }).await;
    let waited = Duration::from_nanos(monotonic_nanos() - asked);
    assert!(
        waited > Duration::from_millis(500),
        "it waited {waited:?} for the row"
    );
    let left = lock.remaining().expect("it is held");
    let counted_from = MINUTE + Duration::from_millis(100);
    assert!(
        left + waited <= counted_from,
        "counted from the request: {left:?}"
    );
    let millis = if place.is_mariadb() {
        "SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), lock_until) DIV 1000 FROM shedlock"
    } else {
        "SELECT CAST(date_part('epoch', lock_until - timezone('utc', clock_timestamp())) * 1000 AS bigint) FROM shedlock"
    };
    let (before, stored) = (lock.remaining(), place.execute(millis).await);
    let stored = Duration::from_millis(stored.parse().expect("a number"));
    // Asked in this order, the store's answer is the older by the way it took.
    assert!(
        stored + Duration::from_secs(1) > before.expect("it is held"),
        "{stored:?} {before:?}"
    );
    sleep(Duration::from_millis(1)).await;
    lock.unlock().await.expect("the store answers");
}

/// Whether a session holds the row locked in a transaction that sleeps.
async fn is_waited_for(place: &Place) -> bool {
    let sleeping = if place.is_mariadb() {
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'"
    } else {
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    };
    place.execute(sleeping).await != "0"
}
