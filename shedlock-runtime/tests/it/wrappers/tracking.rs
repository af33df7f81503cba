//! The wrapper that knows what this process holds.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::__private::{Job, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    AcquireRequest, Acquisition, Clock as _, ErrorKind, InMemoryLockProvider, LockAdmin as _,
    LockConfiguration, LockProvider, LockProviderExt as _, LockingTaskExecutor, Operation, Outcome,
    Ownership, TokioClock, TrackingLockProvider,
};
use tokio::time::sleep;

use super::{
    LONG, Store, config, drop_after, leaves_nothing_wherever_it_is_dropped, store, take, until_free,
};
use crate::it::expansion::run;

mod release_all;

const SHORT: Duration = Duration::from_millis(300);

fn names<P: LockProvider>(provider: &TrackingLockProvider<P>) -> Vec<String> {
    provider
        .held()
        .iter()
        .map(|held| held.name.to_string())
        .collect()
}

fn short(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, SHORT).unwrap()
}

fn faulty() -> (
    TrackingLockProvider<FaultyProvider<Store>>,
    FaultyProvider<Store>,
    super::Records,
) {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    (TrackingLockProvider::new(faulty.clone()), faulty, records)
}

#[tokio::test(start_paused = true)]
async fn knows_what_is_held_from_the_grant_to_the_release() {
    let (inner, _records) = store();
    let provider = TrackingLockProvider::new(inner);
    assert!(provider.held().is_empty());
    let begin = TokioClock.utc();
    let b = take(&provider, "b").await;
    sleep(Duration::from_secs(7)).await;
    let a = take(&provider.clone(), "a").await;
    assert!(provider.try_lock(config("a")).await.unwrap().is_none());

    let held = provider.held();
    assert_eq!(names(&provider), ["a", "b"]);
    assert_eq!(held[1].since, begin);
    assert_eq!(held[0].since, begin + Duration::from_secs(7));
    assert_eq!(held[1].remaining, Duration::from_secs(593));
    assert_eq!(held[0].fencing_token, a.fencing_token());
    assert!(held[0].fencing_token.is_some());

    b.unlock().await.unwrap();
    assert_eq!(names(&provider), ["a"]);
    drop(a);
    sleep(SHORT).await;
    assert!(provider.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_extension_keeps_it_and_an_end_drops_it() {
    for provider in [
        TrackingLockProvider::new(InMemoryLockProvider::new().to_shared()),
        TrackingLockProvider::new(store().0.to_shared()),
    ] {
        let mut kept = provider.try_lock(short("kept")).await.unwrap().unwrap();
        let _dies = provider.try_lock(short("dies")).await.unwrap().unwrap();
        assert_eq!(names(&provider), ["dies", "kept"]);
        sleep(SHORT * 2 / 3).await;
        kept.extend(LONG, "0s").await.unwrap();
        sleep(SHORT).await;
        assert_eq!(names(&provider), ["kept"]);
        let remaining = kept.remaining().unwrap();
        assert_eq!(provider.held()[0].remaining, remaining, "as the guard says");
        kept.extend(SHORT, "0s").await.unwrap();
        assert_eq!(provider.held()[0].remaining, SHORT);
        kept.unlock().await.unwrap();
        assert!(provider.held().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_without_an_answer_counts_as_the_guard_counts_it() {
    let (provider, faulty, _records) = faulty();
    let mut lock = take(&provider, "job").await;
    faulty.next(Operation::Extend, Fault::HangAfter);
    assert!(!drop_after(3, lock.extend("2m", "0s")).await);
    assert_eq!(provider.held()[0].remaining, lock.remaining().unwrap());
    assert_eq!(provider.held()[0].remaining, Duration::from_secs(120));
    faulty.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
    lock.extend("1h", "0s").await.unwrap_err();
    assert_eq!(provider.held()[0].remaining, lock.remaining().unwrap());
    lock.extend("1h", "0s").await.unwrap();
    assert_eq!(provider.held()[0].remaining, Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_not_held() {
    let memory = InMemoryLockProvider::new();
    let provider = TrackingLockProvider::new(memory.clone());
    let mut extended = take(&provider, "extended").await;
    let released = take(&provider, "released").await;
    for name in ["extended", "released"] {
        assert!(memory.force_release(name, "a test").await.unwrap());
    }
    assert_eq!(
        names(&provider),
        ["extended", "released"],
        "nobody has asked"
    );
    extended.extend(LONG, "0s").await.unwrap_err();
    assert_eq!(names(&provider), ["released"]);
    assert_eq!(released.unlock().await.unwrap(), Ownership::Lost);
    assert!(provider.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_late_holder_does_not_hide_the_next() {
    for provider in [
        TrackingLockProvider::new(InMemoryLockProvider::new().to_shared()),
        TrackingLockProvider::new(store().0.to_shared()),
    ] {
        // By hand: a guard would not extend any more.
        let request = AcquireRequest::new(short("job"), TokioClock.boot());
        let Acquisition::Granted(old) = provider.acquire(&request).await.unwrap() else {
            panic!("it is free");
        };
        sleep(SHORT).await;
        let new = take(&provider, "job").await;
        let held = provider.held();
        assert_eq!(held.len(), 1);
        assert_eq!(provider.extend(&old, LONG).await.unwrap(), Ownership::Lost);
        assert_eq!(provider.held(), held);
        assert_eq!(
            provider.release(&old, Duration::ZERO).await.unwrap(),
            Ownership::Lost
        );
        assert_eq!(provider.held(), held);
        assert_eq!(held[0].fencing_token, new.fencing_token());
        new.unlock().await.unwrap();
        assert!(provider.held().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_grant_does_not_hide_the_one_after() {
    let (provider, faulty, records) = faulty();
    faulty.next(
        Operation::Acquire,
        Fault::DelayReply(Duration::from_secs(3)),
    );
    let late = tokio::spawn({
        let provider = provider.clone();
        async move { provider.try_lock(config("job")).await.unwrap().unwrap() }
    });
    sleep(Duration::from_secs(1)).await;
    // An operator takes it away before its holder has heard of it, and it is granted again.
    records.0.remove("job");
    let new = take(&provider, "job").await;
    let late = late.await.unwrap();
    let tokens = |provider: &TrackingLockProvider<_>| {
        let held = provider.held();
        held.iter()
            .map(|held| held.fencing_token)
            .collect::<Vec<_>>()
    };
    assert!(tokens(&provider).contains(&new.fencing_token()));
    assert_eq!(late.unlock().await.unwrap(), Ownership::Lost);
    assert_eq!(tokens(&provider), [new.fencing_token()]);
}

#[tokio::test(start_paused = true)]
async fn no_grant_is_lost_wherever_a_call_is_dropped() {
    let (provider, faulty, records) = faulty();
    leaves_nothing_wherever_it_is_dropped(&provider, &records).await;
    assert!(provider.held().is_empty());

    // Also when the answer got as far as here: then it is known until it is given back.
    let deaf = FaultyProvider::new(provider.clone());
    deaf.next(Operation::Acquire, Fault::HangAfter);
    assert!(!drop_after(100, deaf.try_lock(config("job"))).await);
    assert_eq!(names(&provider), records.taken());
    until_free(&records).await;
    sleep(SHORT).await;
    assert!(provider.held().is_empty());

    // A release that was dropped is not known to have happened.
    let lock = take(&provider, "job").await;
    faulty.next(Operation::Release, Fault::Hang);
    let request = AcquireRequest::new(config("other"), TokioClock.boot());
    let Acquisition::Granted(lease) = provider.acquire(&request).await.unwrap() else {
        panic!("it is free");
    };
    assert!(!drop_after(3, provider.release(&lease, Duration::ZERO)).await);
    assert_eq!(names(&provider), ["job", "other"]);
    let report = provider.release_all().await;
    assert_eq!(
        (report.released, report.lost, report.failed.len()),
        (2, 0, 0)
    );
    assert!(records.taken().is_empty());
    drop(lock);
}

#[tokio::test(start_paused = true)]
async fn the_same_attempt_again_is_one_lock() {
    let (provider, _faulty, _records) = faulty();
    let request = AcquireRequest::new(config("job"), TokioClock.boot());
    for _ in 0..2 {
        assert!(
            provider
                .acquire(&request)
                .await
                .unwrap()
                .granted()
                .is_some()
        );
    }
    assert_eq!(provider.held().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_came_too_late_is_not_held() {
    let (provider, faulty, records) = faulty();
    let request = AcquireRequest::new(short("job"), TokioClock.boot());
    faulty.next(Operation::Acquire, Fault::DelayReply(SHORT));
    assert!(
        provider
            .acquire(&request)
            .await
            .unwrap()
            .granted()
            .is_some()
    );
    assert!(provider.held().is_empty());
    assert!(records.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn annotated_functions_are_known_while_they_run() {
    let (inner, _records) = store();
    let provider = TrackingLockProvider::new(inner.clone());
    assert!(
        provider.info().is_same(inner.info()),
        "they are the same locks"
    );
    let shared: Arc<dyn LockProvider> = provider.to_shared();
    let job = Job::named("job").at_most(LONG).provider(shared);
    let body = async {
        // A nested call through the provider itself is the same lock.
        let nested = LockingTaskExecutor::new(inner.clone());
        let nested = nested.execute(config("job"), async {});
        assert!(nested.await.unwrap().was_executed());
        Outcome::Executed(names(&provider))
    };
    let ran: Outcome<Vec<String>> = run(job, body, skip_value, error_value, |_| None).await;
    assert_eq!(ran.executed().unwrap(), ["job"]);
    assert!(provider.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_kept_lock_stays_known() {
    let provider = TrackingLockProvider::new(store().0);
    let job = Job::named("job")
        .at_most(SHORT)
        .keep_alive()
        .provider(provider.to_shared());
    let body = async {
        sleep(SHORT * 10).await;
        Outcome::Executed(names(&provider))
    };
    let ran: Outcome<Vec<String>> = run(job, body, skip_value, error_value, |_| None).await;
    assert_eq!(ran.executed().unwrap(), ["job"]);
    assert!(provider.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn operators_go_through_it() {
    let memory = InMemoryLockProvider::new();
    let provider = TrackingLockProvider::new(memory.clone());
    let _lock = take(&provider, "job").await;
    assert_eq!(provider.list().await.unwrap(), memory.list().await.unwrap());
    assert!(provider.get("job").await.unwrap().unwrap().is_held());
    assert!(provider.force_release("job", "a test").await.unwrap());
    let until = SystemTime::now() + LONG;
    provider.pause("job", until, "a test").await.unwrap();
    assert!(memory.get("job").await.unwrap().unwrap().paused);
    assert!(provider.resume("job").await.unwrap());
    assert_eq!(provider.prune(Duration::ZERO).await.unwrap(), 1);
}
