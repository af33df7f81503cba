//! `Lock::keep_alive` is a part of the work under a guard, in whatever the task does besides.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use shedlock_runtime::__private::{Job, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, LockingTaskExecutor,
    Operation, lock,
};
use tokio::time::{Instant, timeout};

use crate::it::expansion::run;

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10s").unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_part_is_not_the_end_of_the_run() {
    let provider = InMemoryLockProvider::new();
    let step = || config("order").with_step(1).unwrap();
    let mut failed = provider.try_lock(step()).await.unwrap().unwrap();
    let charged = failed.keep_alive(async { Err::<(), _>("no money") });
    charged.await.unwrap().unwrap_err();
    failed.unlock().await.unwrap();
    let again = provider.try_lock(step()).await.unwrap();
    let mut again = again.expect("the step was not completed, so it is due");
    again.keep_alive(async {}).await.unwrap();
    again.complete().await.unwrap();
    assert!(provider.try_lock(step()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_locks_around_are_held_in_it_too() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let outcome = executor.execute(config("outer"), async {
        let inner = provider.try_lock(config("inner")).await.unwrap();
        let nested = async {
            let body = async { Some(()) };
            let job = Job::named("outer").at_most(Duration::from_secs(10));
            let called = run(job, body, skip_value, error_value, |_| None);
            with_provider(provider.clone(), called).await
        };
        inner.unwrap().keep_alive(nested).await.unwrap()
    });
    let ran = outcome.await.unwrap().executed().unwrap();
    assert_eq!(ran, Some(()), "a nested call of a held lock runs directly");
}

#[tokio::test(start_paused = true)]
async fn a_long_extension_before_it_does_not_put_off_the_next_one() {
    let provider = InMemoryLockProvider::new();
    let mut guard = provider.try_lock(config("job")).await.unwrap().unwrap();
    guard.extend("1h", "0s").await.unwrap();
    let work = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lock::extend("10s", "0s").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    guard.keep_alive(work).await.unwrap();
    assert!(guard.is_held());
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_nobody_polls_holds_up_others_for_a_while_only() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let executor = LockingTaskExecutor::new(provider.clone());
    let minutes = LockConfiguration::new("job", "10m").unwrap();
    let outcome = executor.execute(minutes, async {
        provider.next(Operation::Extend, Fault::Hang);
        let mut left_alone = pin!(lock::extend("10m", "0s"));
        let is_on_its_way = poll_fn(|cx| Poll::Ready(left_alone.as_mut().poll(cx).is_pending()));
        assert!(is_on_its_way.await);
        let begun = Instant::now();
        let second = timeout(Duration::from_secs(60), lock::extend("10m", "0s"));
        let error = second.await.expect("it has a limit").unwrap_err();
        (error.kind(), begun.elapsed())
    });
    let (kind, took) = outcome.await.unwrap().executed().unwrap();
    assert_eq!(kind, ErrorKind::Timeout);
    assert_eq!(took, Duration::from_secs(5), "the limit of one question");
}
