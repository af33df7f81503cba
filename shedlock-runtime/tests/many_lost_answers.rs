//! What many acquisitions without an answer do to the release of other locks: alone in a program, because all of a program's releases in
//! the background have one limit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore};
use shedlock_runtime::{
    Capabilities, LockConfiguration, LockProviderExt as _, Operation, ProviderInfo,
    RecordLockProvider, TokioClock,
};
use tokio::time::{Instant, sleep, timeout};

/// More than are looked for at the same time.
const UNANSWERED: usize = 3_000;
const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").unwrap()
}

/// After an outage, a store answers to each lost acquisition that nothing was granted. The search for these goes on, because the request
/// may still arrive, and takes no place from a lock that is held: the lock of a dropped guard, or one whose grant was not heard of.
#[tokio::test(start_paused = true)]
async fn what_was_not_granted_keeps_no_lock_from_its_release() {
    let info = ProviderInfo::new("records")
        .with_clock(TokioClock)
        .with_capabilities(Capabilities::new().with_grain(Duration::from_nanos(1)));
    let records = RecordLockProvider::new(info, InMemoryRecordStore::new());
    let faulty = FaultyProvider::new(records.clone());
    for number in 0..UNANSWERED {
        faulty.next(Operation::Acquire, Fault::DeliverLate(HOUR));
        let asking = faulty.try_lock(config(&format!("lost-{number}")));
        timeout(MOMENT, asking).await.unwrap_err();
        // The store answers.
        sleep(MOMENT).await;
    }
    let until_free = async |name: &str| {
        let start = Instant::now();
        while records.try_lock(config(name)).await.unwrap().is_none() {
            sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    };

    let guard = faulty.try_lock(config("dropped")).await.unwrap().unwrap();
    // Not at the first poll, as over any network.
    for _ in 0..UNANSWERED {
        faulty.next(Operation::Release, Fault::Delay(MOMENT));
    }
    drop(guard);
    let dropped = until_free("dropped").await;
    assert!(dropped < Duration::from_secs(2), "{dropped:?}");

    faulty.next(Operation::Acquire, Fault::LoseReply);
    faulty.try_lock(config("unheard")).await.unwrap_err();
    let unheard = until_free("unheard").await;
    assert!(unheard < Duration::from_secs(2), "{unheard:?}");
}
