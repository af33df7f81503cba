//! The whole length of a lease, of which a bar shows the rest.

use std::time::Duration;

use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{LockConfiguration, LockInfo, LockProviderExt as _};

use crate::stores::{Scripted, first, memory, observe};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_lease_of_a_long_run_is_what_an_extension_gives_it() {
    let clock = ManualClock::new();
    let provider = memory(&clock);
    let config = LockConfiguration::new("mail", "4m").unwrap();
    let mut lock = provider.try_lock(config).await.unwrap().unwrap();
    clock.advance(MINUTE);
    let mut observer = observe(provider);
    let row = first(&mut observer).await;
    assert_eq!(row.lease(), Some(MINUTE * 4));
    assert_eq!(row.held_for, Some(MINUTE));

    // Held for an hour, and extended every two minutes: never close to its end.
    for _ in 0..30 {
        clock.advance(MINUTE * 2);
        lock.extend("4m", "0s").await.unwrap();
        let row = first(&mut observer).await;
        assert_eq!(row.info.remaining, MINUTE * 4);
        assert_eq!(row.lease(), Some(MINUTE * 4));
    }
    clock.advance(MINUTE);
    let row = first(&mut observer).await;
    assert_eq!(row.lease(), Some(MINUTE * 4));
    assert_eq!(row.info.remaining, MINUTE * 3);
    assert_eq!(row.held_for, Some(MINUTE * 62));
}

#[tokio::test]
async fn the_next_holder_has_a_lease_of_its_own() {
    let clock = ManualClock::new();
    let provider = memory(&clock);
    let mut observer = observe(provider.clone());
    for at_most in ["4m", "1m"] {
        let config = LockConfiguration::new("mail", at_most).unwrap();
        let lock = provider.try_lock(config).await.unwrap().unwrap();
        let lease = first(&mut observer).await.lease().unwrap();
        assert_eq!(humantime::format_duration(lease).to_string(), at_most);
        lock.unlock().await.unwrap();
        clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn a_store_that_tells_no_times_tells_the_lease_once_it_was_seen_extended() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    let mut observer = store.observer();
    let mut lease = async |left: u32| {
        store.lists([LockInfo::from_remaining("a", "web-1", MINUTE * left)]);
        first(&mut observer).await.lease()
    };
    assert_eq!(lease(3).await, Some(MINUTE * 3));
    assert_eq!(lease(2).await, Some(MINUTE * 3));
    assert_eq!(lease(5).await, Some(MINUTE * 5));
    assert_eq!(lease(4).await, Some(MINUTE * 5));
}
