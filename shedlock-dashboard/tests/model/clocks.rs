//! The store's time, and how this node's clock differs from it.

use std::time::Duration;

use shedlock_dashboard::{ClockDifference, Snapshot, WarningKind};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{Capabilities, Expiry, LockInfo};

use crate::stores::{Scripted, held, now, snapshot};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_record_of_a_held_lock_tells_the_time_of_the_store() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    let mut observer = store.observer();

    store.lists([held("a", "web-1", now(&clock) + SECOND * 90, SECOND)]);
    let seen = snapshot(&mut observer).await;
    assert_eq!(
        seen.clock_difference,
        Some(ClockDifference::Ahead(SECOND * 90))
    );
    assert_eq!(seen.store_time(), Some(now(&clock) + SECOND * 90));
    assert_eq!(
        seen.locks[0].held_for,
        Some(SECOND * 60),
        "by the store's clock"
    );
    assert_eq!(
        seen.warnings[0].to_string(),
        "the store's clock is 1m 30s ahead of this machine's"
    );

    store.lists([held("a", "web-1", now(&clock) - SECOND * 90, SECOND)]);
    let seen = snapshot(&mut observer).await;
    let Some(ClockDifference::Behind(by)) = seen.clock_difference else {
        panic!("{seen:?}");
    };
    // Less what the question took by the clock of the machine.
    assert!(by <= SECOND * 90 && by > SECOND * 30, "{by:?}");
    assert!(matches!(
        seen.warnings[0].kind,
        WarningKind::ClockDiffers {
            is_ahead: false,
            ..
        }
    ));
}

#[tokio::test]
async fn the_latest_reading_of_the_clock_counts() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    // As in a store that is asked for one lock after the other.
    let early = now(&clock) - SECOND * 5;
    store.lists([
        held("a", "web-1", early, SECOND),
        held("b", "web-1", now(&clock), SECOND),
        held("c", "web-1", early, SECOND),
    ]);
    let seen = snapshot(&mut store.observer()).await;
    assert_eq!(
        seen.clock_difference,
        Some(ClockDifference::Ahead(Duration::ZERO))
    );
    assert_eq!(seen.warnings, []);
}

#[tokio::test]
async fn without_a_dated_record_of_a_held_lock_the_difference_is_not_known() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    let free = held("a", "web-1", now(&clock), Duration::ZERO);
    let undated = LockInfo::from_remaining("b", "web-1", SECOND);
    store.lists([free, undated]);
    let seen = snapshot(&mut store.observer()).await;
    assert_eq!(seen.clock_difference, None);
    assert_eq!(seen.store_time(), None);
    assert_eq!(seen.read_at, now(&clock));

    // Each node dates its records, so the record says only what this node's clock showed.
    let capabilities = Capabilities::new().with_expiry(Expiry::ByClientClock);
    let store = Scripted::with(&clock, capabilities, None);
    store.lists([held("a", "web-1", now(&clock), SECOND)]);
    let seen: Snapshot = snapshot(&mut store.observer()).await;
    assert_eq!(seen.clock_difference, None);
    assert_eq!(seen.locks[0].held_for, Some(SECOND * 60));
}

#[tokio::test]
async fn a_difference_below_a_second_is_no_warning() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    store.lists([held("a", "web-1", now(&clock) + SECOND, SECOND)]);
    assert_eq!(snapshot(&mut store.observer()).await.warnings, []);
    let more = SECOND + Duration::from_millis(1);
    store.lists([held("a", "web-1", now(&clock) + more, SECOND)]);
    assert_eq!(snapshot(&mut store.observer()).await.warnings.len(), 1);
}
