use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use shedlock_runtime::__private::Job;
use shedlock_runtime::testing::{ManualClock, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, LockingTaskExecutor,
    lock,
};

use crate::it::expansion::run;

/// Runs `body` under a one-second lock with `on_lost = "cancel"`.
async fn cancelled<T>(
    provider: InMemoryLockProvider,
    body: impl Future<Output = T>,
) -> Result<T, ErrorKind> {
    let job = Job::named("job")
        .at_most(Duration::from_secs(1))
        .on_lost_cancel();
    let body = async { Ok(body.await) };
    with_provider(
        provider,
        run(
            job,
            body,
            |_| panic!("free"),
            |error| Err(error.kind()),
            |_| None,
        ),
    )
    .await
}

#[tokio::test]
async fn after_a_pause_longer_than_the_lease_there_is_no_further_poll() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let polls = Arc::new(AtomicUsize::new(0));
    let body = {
        let polls = Arc::clone(&polls);
        std::future::poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            // As if the process were stopped here and continued an hour later.
            clock.advance(Duration::from_secs(3600));
            cx.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        })
    };
    assert_eq!(cancelled(provider, body).await, Err(ErrorKind::Lost));
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_sleeps_is_cancelled_when_its_lease_ends() {
    let start = tokio::time::Instant::now();
    let body = tokio::time::sleep(Duration::from_secs(3600));
    assert_eq!(
        cancelled(InMemoryLockProvider::new(), body).await,
        Err(ErrorKind::Lost)
    );
    assert!(
        start.elapsed() >= Duration::from_secs(1) && start.elapsed() < Duration::from_millis(1_010)
    );
}

#[tokio::test(start_paused = true)]
async fn an_extension_moves_the_end_of_a_body_that_sleeps() {
    let body = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(900)).await;
            lock::extend("1s", "0s").await.unwrap();
        }
    };
    assert_eq!(cancelled(InMemoryLockProvider::new(), body).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn destructors_of_a_cancelled_body_run_before_the_lock_is_released() {
    struct Probe(InMemoryLockProvider, Arc<AtomicUsize>);
    impl Drop for Probe {
        fn drop(&mut self) {
            // Extended by the test, so still taken although the holder's own deadline has passed.
            let config = LockConfiguration::new("job", "1s").unwrap();
            let attempt = futures_util::FutureExt::now_or_never(self.0.try_lock(config));
            self.1.store(
                1 + usize::from(attempt.unwrap().unwrap().is_some()),
                Ordering::Relaxed,
            );
        }
    }
    let provider = InMemoryLockProvider::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let executor = LockingTaskExecutor::new(provider.clone());
    let task = executor.execute(LockConfiguration::new("job", "1m").unwrap(), {
        let probe = Probe(provider.clone(), Arc::clone(&seen));
        async move {
            std::future::pending::<()>().await;
            drop(probe);
        }
    });
    drop(tokio::time::timeout(Duration::from_secs(1), task).await);
    assert_eq!(seen.load(Ordering::Relaxed), 1, "1: taken, 2: free");
}

#[tokio::test(start_paused = true)]
async fn with_notify_the_body_goes_on_and_is_told() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let outcome = executor
        .execute(LockConfiguration::new("job", "1s").unwrap(), async {
            lock::lost().await;
            let taken = provider
                .try_lock(LockConfiguration::new("job", "1m").unwrap())
                .await
                .unwrap();
            (lock::is_held(), taken.is_some())
        })
        .await
        .unwrap();
    assert_eq!(outcome.executed(), Some((false, true)));
}

#[tokio::test(start_paused = true)]
async fn lost_is_told_to_a_task_that_carries_the_lock() {
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let start = tokio::time::Instant::now();
    let outcome = executor
        .execute(LockConfiguration::new("job", "1s").unwrap(), async {
            tokio::spawn(lock::scope(async { lock::lost().await }))
                .await
                .unwrap();
        })
        .await
        .unwrap();
    assert!(outcome.was_executed());
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_release_wakes_no_task_that_is_over() {
    let count = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let config = LockConfiguration::new("job", "10m").unwrap();
    let mut waits_once = false;
    let body = poll_fn(|cx| {
        if mem::replace(&mut waits_once, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let mut call = pin!(executor.execute(config, body));
    assert!(call.as_mut().poll(&mut cx).is_pending());
    assert!(call.as_mut().poll(&mut cx).is_ready());
    assert_eq!(count.0.load(Ordering::Relaxed), 1, "the body's own");
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
