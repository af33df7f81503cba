//! Locks in a store that can compare and swap.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    Capabilities, Clock as _, LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _,
    LockRecord, ProviderInfo, RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
};

use super::wrappers::Records;

const MINUTE: Duration = Duration::from_secs(60);

/// A node whose clock was wrong when it took the lock, and has been set since.
#[tokio::test]
async fn a_release_goes_by_the_clock_as_it_is() {
    for at_least in [Duration::ZERO, 10 * MINUTE] {
        for (is_back, step) in [(true, 60 * MINUTE), (false, 60 * MINUTE)] {
            let clock = ManualClock::new();
            let records = Records::default();
            let info = ProviderInfo::new("records")
                .with_clock(clock.clone())
                // Times are kept as they are.
                .with_capabilities(Capabilities::new().with_grain(Duration::from_nanos(1)));
            let provider = RecordLockProvider::new(info, records.clone());
            let config = LockConfiguration::new("job", 120 * MINUTE).unwrap();
            let config = config.with_at_least(at_least).unwrap();
            let lock = provider.try_lock(config.clone()).await.unwrap().unwrap();
            clock.advance(MINUTE);
            let now = clock.utc();
            clock.step_utc(if is_back { now - step } else { now + step });
            lock.unlock().await.unwrap();

            let left = at_least.saturating_sub(MINUTE);
            let until = records.0.get("job").unwrap().lock_until;
            let held = until.duration_since(clock.utc()).unwrap_or_default();
            assert_eq!(held, left, "{at_least:?}, back: {is_back}");
            clock.advance(left);
            assert!(provider.try_lock(config).await.unwrap().is_some());
        }
    }
}

/// A store in which a deletion has left something in version 7; it notes what writes expect.
#[derive(Debug, Default)]
struct Deleted(Mutex<Vec<Option<u64>>>);

#[async_trait]
impl RecordStore for Deleted {
    type Version = u64;

    async fn read(&self, _name: &str) -> Result<Snapshot<u64>, LockError> {
        Ok(Snapshot::deleted(7))
    }

    async fn write(
        &self,
        _name: &str,
        _record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        self.0.lock().unwrap().push(expected.copied());
        Ok(Written::Done(8))
    }

    async fn delete(&self, _name: &str, _expected: &u64) -> Result<Written<()>, LockError> {
        panic!("there is nothing to delete")
    }

    async fn names(&self, _prefix: &str) -> Result<Vec<String>, LockError> {
        Ok(vec!["job".to_owned()])
    }
}

#[tokio::test]
async fn what_a_deletion_left_is_no_record_and_is_replaced() {
    let provider = RecordLockProvider::new(ProviderInfo::new("records"), Deleted::default());
    assert_eq!(provider.list().await.unwrap(), []);
    assert_eq!(provider.prune(Duration::ZERO).await.unwrap(), 0);
    assert!(!provider.force_release("job", "none").await.unwrap());
    let config = LockConfiguration::new("job", MINUTE).unwrap();
    let _lock = provider.try_lock(config).await.unwrap().unwrap();
    let tonight = SystemTime::now() + MINUTE;
    provider.pause("job", tonight, "moving").await.unwrap();
    let expected = provider.store().0.lock().unwrap().clone();
    assert_eq!(expected, [Some(7), Some(7)]);
}
