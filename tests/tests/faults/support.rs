//! What the tests of all groups share.

mod child;
mod events;
mod fake_time;
mod notes;
mod place;
mod rate_clock;

use std::time::Duration;

use shedlock::{Lock, LockConfiguration, LockProviderExt as _};
use shedlock_tests::holds::monotonic_nanos;

pub(crate) use self::child::{Child, RATE, Scenario};
pub(crate) use self::events::Events;
pub(crate) use self::fake_time::FakeTime;
pub(crate) use self::notes::{Note, Notes};
pub(crate) use self::place::{Locks, Place, connect};
pub(crate) use self::rate_clock::RateClock;

/// No wait of a test is longer: what has not happened by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// How much later than it is due something may happen on a busy machine.
pub(crate) const LATENESS: Duration = Duration::from_secs(2);

/// Makes a module of each case, with a test for each store it is to be run on. `of` a type, the case gets one of that type
/// in the store's place.
macro_rules! cases {
    (of $place:ty: $($case:ident on $($store:ident)+;)+) => {$(
        mod $case {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $store() {
                let place = shedlock_testkit::server_or_skip!(<$place>::$store().await);
                $crate::support::in_time(super::$case(place)).await;
            }
        )+}
    )+};
    ($($cases:tt)+) => {
        $crate::support::cases! { of $crate::support::Place: $($cases)+ }
    };
}
pub(crate) use cases;

/// The result of `test`, which is to have one before long.
pub(crate) async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, test)
        .await
        .expect("it takes no longer than the longest wait of a test")
}

/// Waits until `condition` gives something, asking every few milliseconds.
pub(crate) async fn until<T>(mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    in_time(async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    })
    .await
}

/// A request for `name` that is as patient as the tests are.
pub(crate) fn config(name: &str, at_most: Duration) -> LockConfiguration {
    LockConfiguration::new(name, at_most).expect("a legal request")
}

/// Asks for the lock until it is granted. Gives its guard and the moment of the answer.
///
/// A short lease is also the limit of each call, so that on a busy machine an answer may come too late: no grant, and asked
/// again.
pub(crate) async fn take(locks: &Locks, name: &str, at_most: Duration) -> (Lock, u64) {
    in_time(async {
        loop {
            let answer = locks.try_lock(config(name, at_most)).await;
            match answer {
                Ok(Some(lock)) => return (lock, monotonic_nanos()),
                Err(error) => assert!(error.is_transient(), "{error}"),
                Ok(None) => {}
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    })
    .await
}

/// Whether somebody else could have the lock now. Who finds it free has held it for a moment.
pub(crate) async fn is_free(locks: &Locks, name: &str) -> bool {
    let asked = config(name, Duration::from_mins(1));
    let answer = locks.try_lock(asked).await.expect("the store answers");
    let Some(lock) = answer else { return false };
    lock.unlock().await.expect("the store answers");
    true
}

/// `time` in the unit of the notes.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a few seconds")
}
