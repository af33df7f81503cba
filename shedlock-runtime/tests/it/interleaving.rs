//! Extensions, releases and the end of a body, each in the middle of another.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider, ManualClock};
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, InMemoryLockProvider, Lease, LockConfiguration,
    LockError, LockProvider, LockProviderExt as _, LockingTaskExecutor, OnLost, Operation,
    Ownership, ProviderInfo, async_trait, lock,
};
use tokio::time::{Instant, sleep};

/// A store at the other end of a network: an extension that was sent is carried out, whether or not somebody still waits
/// for the answer.
#[derive(Debug, Clone)]
struct Remote {
    store: InMemoryLockProvider,
    /// How long each extension is on its way; the last ones arrive at once.
    delays: Arc<Mutex<VecDeque<Duration>>>,
}

impl Remote {
    fn new(store: &InMemoryLockProvider, delays: &[u64]) -> Self {
        let delays = delays.iter().copied().map(Duration::from_millis).collect();
        Self {
            store: store.clone(),
            delays: Arc::new(Mutex::new(delays)),
        }
    }
}

#[async_trait]
impl LockProvider for Remote {
    fn info(&self) -> &ProviderInfo {
        self.store.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        self.store.acquire(request).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let (remote, lease) = (self.clone(), lease.clone());
        let sent = tokio::spawn(async move {
            let delay = remote.delays.lock().unwrap().pop_front();
            if let Some(delay) = delay {
                sleep(delay).await;
            }
            remote.store.extend(&lease, at_most).await
        });
        sent.await.unwrap()
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.store.release(lease, keep_for).await
    }
}

fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new("job", at_most).unwrap()
}

fn kept(at_most: &str) -> LockConfiguration {
    config(at_most).with_keep_alive().unwrap()
}

async fn free_after(store: &InMemoryLockProvider, since: Instant) -> Duration {
    while store.try_lock(config("1s")).await.unwrap().is_none() {
        sleep(Duration::from_millis(10)).await;
    }
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn an_extension_on_its_way_does_not_move_the_end_that_a_release_gave_the_lock() {
    let store = InMemoryLockProvider::new();
    for dropped in [false, true] {
        for (at_least, expected) in [("8s", 8), ("40s", 40)] {
            let executor = LockingTaskExecutor::new(Remote::new(&store, &[500]));
            let begun = Instant::now();
            let config = kept("10s").with_at_least(at_least).unwrap();
            // The extension begins after five seconds.
            let call = executor.execute(config, sleep(Duration::from_millis(5_200)));
            if dropped {
                let limit = Duration::from_millis(5_100);
                tokio::time::timeout(limit, call).await.unwrap_err();
            } else {
                assert!(call.await.unwrap().was_executed());
            }
            let free = free_after(&store, begun).await;
            let late = free.saturating_sub(Duration::from_secs(expected));
            assert!(
                free.as_secs() >= expected && late < Duration::from_millis(100),
                "at_least {at_least}, dropped {dropped}: {free:?}"
            );
            sleep(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_of_a_keeper_does_not_shorten_a_later_one_by_hand() {
    let store = InMemoryLockProvider::new();
    let remote = Remote::new(&store, &[500]);
    let mut guard = remote.try_lock(config("10s")).await.unwrap().unwrap();
    guard
        .keep_alive(sleep(Duration::from_millis(5_200)))
        .await
        .unwrap();
    guard.extend("1h", "0s").await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(guard.is_held());
    assert!(store.try_lock(config("1s")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn keep_alive_does_not_shorten_a_lease_that_was_extended_by_hand() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let executor = LockingTaskExecutor::new(provider.clone());
    let body = async {
        sleep(Duration::from_secs(1)).await;
        lock::extend("1h", "0s").await.unwrap();
        sleep(Duration::from_secs(1_800)).await;
        assert!(lock::remaining().unwrap() >= Duration::from_secs(1_799));
        assert_eq!(provider.calls(Operation::Extend), 1);
        sleep(Duration::from_secs(3_600)).await;
        lock::is_held()
    };
    let held = executor.execute(kept("10s"), body).await.unwrap();
    assert_eq!(held.executed(), Some(true), "and keeps it after that");
}

#[tokio::test(start_paused = true)]
async fn keep_alive_does_not_shorten_a_lease_that_is_extended_by_hand_at_the_same_time() {
    let store = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(Remote::new(&store, &[500]));
    let hour_left = executor.execute(kept("10s"), async {
        // On its way when the other is due.
        sleep(Duration::from_millis(4_800)).await;
        lock::extend("1h", "0s").await.unwrap();
        sleep(Duration::from_secs(5)).await;
        lock::remaining().unwrap() > Duration::from_secs(3_500)
    });
    assert_eq!(hour_left.await.unwrap().executed(), Some(true));

    let provider = FaultyProvider::new(store);
    let executor = LockingTaskExecutor::new(provider.clone());
    provider.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
    let hour_left = executor.execute(kept("10s"), async {
        // The other has failed, and is to be tried again.
        sleep(Duration::from_millis(5_001)).await;
        lock::extend("1h", "0s").await.unwrap();
        sleep(Duration::from_secs(5)).await;
        lock::remaining().unwrap() > Duration::from_secs(3_500)
    });
    assert_eq!(hour_left.await.unwrap().executed(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_shortened_elsewhere_ends_on_time_for_all() {
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let begun = Instant::now();
    let outcome = executor.execute(config("10m"), async {
        tokio::spawn(lock::scope(async {
            sleep(Duration::from_secs(1)).await;
            lock::extend("2s", "0s").await.unwrap();
        }));
        lock::lost().await;
        begun.elapsed()
    });
    let told = outcome.await.unwrap().executed().unwrap();
    assert!(told < Duration::from_millis(3_010), "{told:?}");

    let begun = Instant::now();
    let cancelled = executor.execute(config("10m").with_on_lost(OnLost::Cancel), async {
        tokio::spawn(lock::scope(async {
            sleep(Duration::from_secs(1)).await;
            lock::extend("2s", "0s").await.unwrap();
        }));
        std::future::pending::<()>().await;
    });
    assert_eq!(cancelled.await.unwrap_err().kind(), ErrorKind::Lost);
    let told = begun.elapsed();
    assert!(told < Duration::from_millis(3_010), "{told:?}");
}

/// On a thread of its own, because what this looks for is a poll that never returns.
#[test]
fn a_kept_body_that_was_stopped_past_its_lease_ends_without_tokios_budget() {
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let clock = ManualClock::new();
        let executor = LockingTaskExecutor::new(InMemoryLockProvider::with_clock(clock.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let call = executor.execute(kept("10s"), async {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(3_600));
            tokio::task::yield_now().await;
        });
        let answer = runtime.block_on(tokio::task::unconstrained(call));
        sender.send(answer.unwrap_err().kind()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    assert_eq!(ended.unwrap(), ErrorKind::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_for_an_extension_that_hangs_no_longer_than_that_may_take() {
    let store = InMemoryLockProvider::new();
    let remote = Remote::new(&store, &[3_600_000]);
    let executor = LockingTaskExecutor::new(remote);
    let begun = Instant::now();
    let ran = executor.execute(kept("10s"), sleep(Duration::from_millis(5_200)));
    assert!(ran.await.unwrap().was_executed());
    assert!(
        begun.elapsed() < Duration::from_secs(7),
        "a sixth of the lease"
    );
    assert!(store.try_lock(config("1s")).await.unwrap().is_some());
}

#[test]
fn a_period_finer_than_stores_count_is_refused() {
    let refused = config("10s").with_keep_alive_every("1ns").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
}
