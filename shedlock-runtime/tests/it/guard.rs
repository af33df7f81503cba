use std::time::Duration;

use futures_util::FutureExt as _;
use shedlock_runtime::testing::{FaultyProvider, ManualClock};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockProvider as _,
    LockProviderExt as _, Operation, Ownership, lock,
};

fn config() -> LockConfiguration {
    LockConfiguration::new("mail", "5m").unwrap()
}

#[tokio::test]
async fn a_late_unlock_says_so_and_changes_nothing() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let stale = provider.try_lock(config()).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(300));
    let current = provider.try_lock(config()).await.unwrap().unwrap();
    assert_eq!(stale.unlock().await.unwrap(), Ownership::Lost);
    assert!(current.is_held());
    assert!(provider.try_lock(config()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_late_extension_says_lost_and_changes_nothing() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let mut stale = provider.try_lock(config()).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(300));
    assert!(!stale.is_held());
    assert_eq!(
        stale.extend("5m", "0s").await.unwrap_err().kind(),
        ErrorKind::Lost
    );
    assert!(provider.try_lock(config()).await.unwrap().is_some());
}

#[tokio::test]
async fn extensions_add_up_in_place() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let mut lock = provider.try_lock(config()).await.unwrap().unwrap();
    for _ in 0..10 {
        clock.advance(Duration::from_secs(299));
        lock.extend("5m", "0s").await.unwrap();
        assert_eq!(lock.remaining(), Some(Duration::from_secs(300)));
    }
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(provider.try_lock(config()).await.unwrap().is_some());
}

#[tokio::test]
async fn at_least_survives_extensions_and_grows_with_them() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let first = config().with_at_least("60s").unwrap();
    let mut lock = provider.try_lock(first).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(10));
    lock.extend("5m", "0s").await.unwrap();
    lock.unlock().await.unwrap();
    clock.advance(Duration::from_secs(49));
    assert!(
        provider.try_lock(config()).await.unwrap().is_none(),
        "the first promise stands"
    );
    clock.advance(Duration::from_secs(1));
    let mut lock = provider.try_lock(config()).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(10));
    lock.extend("5m", "60s").await.unwrap();
    lock.unlock().await.unwrap();
    clock.advance(Duration::from_secs(59));
    assert!(
        provider.try_lock(config()).await.unwrap().is_none(),
        "the new promise counts from the extension"
    );
    clock.advance(Duration::from_secs(1));
    assert!(provider.try_lock(config()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_guard_told_to_keeps_the_lockout() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let mut lock = provider.try_lock(config()).await.unwrap().unwrap();
    lock.release_on_drop(false);
    drop(lock);
    assert!(provider.try_lock(config()).await.unwrap().is_none());
    clock.advance(Duration::from_secs(300));
    assert!(provider.try_lock(config()).await.unwrap().is_some());
}

#[test]
fn a_guard_dropped_outside_its_runtime_is_released_on_it() {
    let provider = InMemoryLockProvider::with_clock(ManualClock::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let lock = runtime
        .block_on(provider.try_lock(config()))
        .unwrap()
        .unwrap();
    std::thread::spawn(move || drop(lock)).join().unwrap();
    let free = async {
        while provider.try_lock(config()).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(10), free).await })
        .unwrap();
}

#[test]
fn a_guard_that_outlives_its_runtime_is_dropped_without_a_panic() {
    let provider = InMemoryLockProvider::with_clock(ManualClock::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let lock = runtime
        .block_on(provider.try_lock(config()))
        .unwrap()
        .unwrap();
    drop(runtime);
    drop(lock);
}

#[test]
fn a_guard_that_was_taken_without_a_runtime_is_given_back_without_one() {
    let provider = InMemoryLockProvider::with_clock(ManualClock::new());
    let lock = || provider.try_lock(config()).now_or_never().unwrap();
    drop(lock().unwrap().unwrap());
    assert!(lock().unwrap().is_some());
}

#[tokio::test]
async fn fencing_tokens_grow_over_releases_and_expiries() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let mut last = 0;
    for round in 0..10 {
        let mut lock = provider.try_lock(config()).await.unwrap().unwrap();
        let token = lock.fencing_token().unwrap();
        assert!(token > last);
        last = token;
        if round % 2 == 0 {
            lock.unlock().await.unwrap();
        } else {
            lock.release_on_drop(false);
            clock.advance(Duration::from_secs(300));
        }
    }
}

#[tokio::test]
async fn names_made_from_data_do_not_fill_the_memory() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    for n in 0..100_000 {
        let config = LockConfiguration::new(format!("tenant-{n}"), "1s").unwrap();
        provider
            .try_lock(config)
            .await
            .unwrap()
            .unwrap()
            .unlock()
            .await
            .unwrap();
    }
    let printed = format!("{provider:?}").len();
    assert!(
        printed < 1_000_000,
        "{printed} bytes of records are left of 100,000 released names"
    );
}

#[tokio::test(start_paused = true)]
async fn an_extension_without_at_least_keeps_nothing_after_the_unlock() {
    use shedlock_runtime::Operation;
    use shedlock_runtime::testing::{Fault, FaultyProvider};

    let memory = InMemoryLockProvider::new();
    let provider = FaultyProvider::new(memory.clone());
    let slow = Fault::DelayReply(Duration::from_secs(1));
    provider.next(Operation::Acquire, slow);
    let mut lock = provider.try_lock(config()).await.unwrap().unwrap();
    lock.extend("5m", "0s").await.unwrap();
    lock.unlock().await.unwrap();
    assert!(memory.try_lock(config()).await.unwrap().is_some());
}

#[tokio::test]
async fn an_extension_by_zero_is_refused_before_the_store_is_asked() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let config = LockConfiguration::new("mail", "5m").unwrap();
    let mut lock = provider.try_lock(config).await.unwrap().unwrap();
    let error = lock.extend("0s", "0s").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to extend lock `mail` in memory: `at_most` cannot be zero; it is how long the lock is held if its node dies"
    );
    assert_eq!(provider.calls(Operation::Extend), 0);
    assert!(lock.remaining().unwrap() > Duration::from_secs(250));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_lock_is_one_line() {
    let provider = InMemoryLockProvider::new();
    let config = LockConfiguration::new("mail", "5m").unwrap();
    let lock = provider.try_lock(config).await.unwrap().unwrap();
    let line = async || provider.get("mail").await.unwrap().unwrap().to_string();
    let held = line().await;
    assert!(held.starts_with("mail: held since 20"), "{held}");
    assert!(held.ends_with("Z (5m left), token 1"), "{held}");
    lock.unlock().await.unwrap();
    let free = line().await;
    assert!(free.starts_with("mail: free since 20"), "{free}");
    let hour = provider.info().clock().utc() + Duration::from_secs(3600);
    provider.pause("mail", hour, "it moves").await.unwrap();
    let paused = line().await;
    assert!(paused.starts_with("mail: paused until 20"), "{paused}");
    assert!(
        paused.ends_with(" (1h left), token 1, it moves"),
        "{paused}"
    );
}

#[tokio::test]
async fn there_is_nothing_to_extend_outside_of_a_locked_function() {
    let error = lock::extend("1m", "0s").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost);
    assert_eq!(
        error.to_string(),
        "failed to extend a lock: this task holds no lock; call it in a locked function, or carry the lock into a spawned task \
         with `shedlock::lock::scope`"
    );
}
