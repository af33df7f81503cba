//! Locks in a store that can compare and swap.

use std::time::Duration;

use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    Capabilities, Clock as _, LockConfiguration, LockProviderExt as _, ProviderInfo,
    RecordLockProvider,
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
