//! The ends of time: 1970, 2038, and the year 9999.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock::testing::ManualClock;
use shedlock::{ErrorKind, LockProviderExt as _};
use shedlock_sqlx::{LockClock, MySqlLockProvider, PostgresLockProvider, SqliteLockProvider};
use shedlock_testkit::server_or_skip;

use super::Shifted;
use super::precision::make_columns;
use crate::support::{Locks, Place, cases, config, is_free, take};

cases! {
    of crate::time::Shifted:
    c6_server_at_the_ends_of_time on postgres mariadb;
    c6_server_at_the_end_of_its_columns on mariadb;
}

cases! {
    c6_client_at_the_ends_of_time on sqlite postgres mariadb;
    c6_lease_of_a_hundred_years on sqlite postgres mariadb;
}

const MINUTE: Duration = Duration::from_mins(1);
const YEAR_2038: i64 = i32::MAX as i64;
const YEAR_9999: i64 = 253_402_300_799;

/// Leases across the last second that 32 bits can count, and in the first days of all.
async fn c6_server_at_the_ends_of_time(shifted: Shifted) {
    let locks = shifted.place.connect().await;
    let moments = [86_400, YEAR_2038 - 30, YEAR_2038 + 30, YEAR_9999 - 30];
    // MariaDB 10.11 itself does not live to see the last one.
    let seen = if shifted.place.is_mariadb() { 3 } else { 4 };
    for moment in moments.into_iter().take(seen) {
        shifted.time.set_to(moment);
        let name = format!("job-{moment}");
        let (mut lock, _) = take(&locks, &name, MINUTE).await;
        assert!(!is_free(&locks, &name).await, "{moment}");
        lock.extend("2m", "0s").await.expect("it is held");
        shifted.time.set_to(moment + 90);
        assert!(!is_free(&locks, &name).await, "{moment}");
        lock.unlock().await.expect("the store answers");
        assert!(is_free(&locks, &name).await, "{moment}");
    }
}

/// ShedLock's own table has columns that end in 2038. What they cannot keep is refused, and not cut.
async fn c6_server_at_the_end_of_its_columns(shifted: Shifted) {
    make_columns(&shifted.place, "TIMESTAMP(3)").await;
    let locks = shifted.place.connect().await;
    shifted.time.set_to(YEAR_2038 - 90);
    let (lock, _) = take(&locks, "job", MINUTE).await;
    assert!(!is_free(&locks, "job").await);
    lock.unlock().await.expect("the store answers");
    for moment in [YEAR_2038 - 30, YEAR_2038 + 30] {
        shifted.time.set_to(moment);
        let answer = locks.try_lock(config("job", MINUTE)).await;
        let error = answer.expect_err("it cannot be kept");
        assert_eq!(error.kind(), ErrorKind::InvalidDuration, "{error}");
    }
}

/// A provider that dates locks by a client's clock that stands at `now`.
fn dated(place: &Place, now: SystemTime) -> Locks {
    macro_rules! dated {
        ($provider:ty) => {{
            let provider = <$provider>::builder_from_url(&place.url).clock(LockClock::Client);
            let provider = provider.time_source(ManualClock::at(now));
            Arc::new(provider.build().expect("legal options"))
        }};
    }
    match place.url.split_once(':').expect("a URL").0 {
        "sqlite" => dated!(SqliteLockProvider),
        "mysql" => dated!(MySqlLockProvider),
        _ => dated!(PostgresLockProvider),
    }
}

/// What cannot be kept is refused with a word for it; what is kept, excludes.
async fn c6_client_at_the_ends_of_time(place: Place) {
    let second = Duration::from_secs(1);
    let after =
        |seconds: i64| UNIX_EPOCH + second * u32::try_from(seconds / 1_000).expect("small") * 1_000;
    let moments = [
        ("before 1970", UNIX_EPOCH - MINUTE),
        ("1970", UNIX_EPOCH),
        ("2038", after(YEAR_2038)),
        ("9999", after(YEAR_9999)),
        ("10000", after(YEAR_9999) + MINUTE * 60),
    ];
    for (name, now) in moments {
        let locks = dated(&place, now);
        match locks.try_lock(config(name, MINUTE)).await {
            Ok(Some(lock)) => {
                assert!(!is_free(&locks, name).await, "{name}");
                lock.unlock().await.expect("the store answers");
                assert!(is_free(&locks, name).await, "{name}");
            }
            Ok(None) => panic!("{name}: nobody holds it"),
            Err(error) => {
                println!("{name}: {error}");
                assert_eq!(error.kind(), ErrorKind::InvalidDuration, "{name}: {error}");
            }
        }
    }
}

/// The longest lease there is, from today: past 2038 everywhere.
async fn c6_lease_of_a_hundred_years(place: Place) {
    let locks = place.connect().await;
    let century = config("job", Duration::from_hours(36_500 * 24));
    let lock = locks.try_lock(century).await.expect("it can be kept");
    let mut lock = lock.expect("it is free");
    assert!(!is_free(&locks, "job").await);
    lock.extend("36500d", "0s").await.expect("it is held");
    lock.unlock().await.expect("the store answers");
    assert!(is_free(&locks, "job").await);
}

/// What the cases rest on: a client's clock does decide if it is asked to.
#[tokio::test]
async fn the_clients_clock_decides() {
    let place = server_or_skip!(Place::postgres().await);
    let now = SystemTime::now();
    let (lock, _) = take(&dated(&place, now), "job", MINUTE).await;
    assert!(!is_free(&dated(&place, now + MINUTE / 2), "job").await);
    assert!(is_free(&dated(&place, now + MINUTE * 2), "job").await);
    drop(lock);
}
