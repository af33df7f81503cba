//! Requests and leases stay with the provider that they went to first.

use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    AcquireRequest, Acquisition, Clock as _, ErrorKind, InMemoryLockProvider, LockProvider as _,
    LockProviderExt as _, NamespacedLockProvider, Operation, Ownership, RoutingLockProvider,
    TokioClock,
};

use super::super::{
    LONG, Records, config, is_free, leaves_nothing_wherever_it_is_dropped, over, store, take,
    until_free,
};
use super::{info, router};

#[tokio::test(start_paused = true)]
async fn a_lease_stays_where_it_was_granted() {
    let ((old, in_old), (new, in_new)) = (store(), store());
    let provider = router();
    provider.insert("a", old).unwrap();
    let mut moved = take(&provider, "a:moved").await;
    let dropped = take(&provider, "a:dropped").await;

    provider.insert("a", new.clone()).unwrap();
    let others = take(&new, "a:moved").await;
    tokio::time::sleep(LONG / 2).await;
    moved.extend(LONG, "0s").await.unwrap();
    drop(dropped);
    tokio::time::sleep(LONG / 4).await;
    assert_eq!(in_old.taken(), ["a:moved"]);

    assert!(provider.remove("a"));
    moved.extend(LONG, "0s").await.unwrap();
    assert_eq!(moved.unlock().await.unwrap(), Ownership::Ours);
    assert!(in_old.taken().is_empty());
    assert_eq!(in_new.taken(), ["a:moved"], "another's, and untouched");
    let error = provider.try_lock(config("a:moved")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoProvider);
    others.unlock().await.unwrap();
}

/// In memory the token is the owner, and two stores count alike.
#[tokio::test(start_paused = true)]
async fn a_lease_of_the_old_store_frees_nothing_in_the_new() {
    let (old, new) = (InMemoryLockProvider::new(), InMemoryLockProvider::new());
    let provider = router();
    provider.insert("a", old).unwrap();
    let mine = take(&provider, "a:job").await;
    provider.insert("a", new.clone()).unwrap();
    let others = take(&provider, "a:job").await;
    assert_eq!(mine.fencing_token(), others.fencing_token());
    assert_eq!(mine.unlock().await.unwrap(), Ownership::Ours);
    assert!(!is_free(&new, "a:job").await);
    others.unlock().await.unwrap();
    assert!(is_free(&new, "a:job").await);
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_answer_granted_is_given_back_where_it_was_asked_for() {
    let ((a, in_a), (b, in_b)) = (store(), store());
    let faulty = FaultyProvider::new(a);
    let provider = router();
    provider.insert("a", faulty.clone()).unwrap();
    faulty.next(Operation::Acquire, Fault::HangAfter);
    let asking = tokio::spawn({
        let provider = provider.clone();
        async move { provider.try_lock(config("a:job")).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(in_a.taken(), ["a:job"]);
    provider.insert("a", b.clone()).unwrap();
    let others = take(&b, "a:job").await;
    asking.abort();
    until_free(&in_a).await;
    assert_eq!(in_b.taken(), ["a:job"]);
    drop(others);

    let all = RoutingLockProvider::with_info(info(), |_| "all".into());
    let (inner, records) = store();
    all.insert("all", inner).unwrap();
    leaves_nothing_wherever_it_is_dropped(&all, &records).await;
}

/// So it is when a wrapper around the router gives the lock another name.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_finds_its_way_through_a_namespace_and_two_routers() {
    let records = Records::default();
    let faulty = FaultyProvider::new(over(&records));
    let inner = router();
    inner.insert("a", faulty.clone()).unwrap();
    let outer = router();
    outer
        .insert("a", NamespacedLockProvider::new(inner, "a:b").unwrap())
        .unwrap();
    for fault in [Fault::LoseReply, Fault::HangAfter] {
        faulty.next(Operation::Acquire, fault);
        assert!(outer.try_lock(config("a:job")).await.is_err());
        assert_eq!(records.taken(), ["a:b/a:job"]);
        until_free(&records).await;
    }
    let mut lock = take(&outer, "a:job").await;
    lock.extend(LONG, "0s").await.unwrap();
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(records.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_attempt_goes_to_the_same_store() {
    let ((a, in_a), (b, in_b)) = (store(), store());
    let provider = router();
    provider.insert("a", a).unwrap();
    let request = AcquireRequest::new(config("a:job"), TokioClock.boot());
    let first = provider.acquire(&request).await.unwrap().granted().unwrap();
    provider.insert("a", b).unwrap();
    let again = provider.acquire(&request).await.unwrap().granted().unwrap();
    assert_eq!(first.owner(), again.owner());
    assert_eq!((in_a.taken().len(), in_b.taken().len()), (1, 0));
    assert_eq!(
        provider.release(&again, Duration::ZERO).await.unwrap(),
        Ownership::Ours
    );
    assert!(in_a.taken().is_empty());
}

#[tokio::test]
async fn a_lease_of_another_provider_is_refused() {
    let memory = InMemoryLockProvider::new();
    let provider = router();
    provider.insert("a", memory.clone()).unwrap();
    let request = AcquireRequest::new(config("a:job"), TokioClock.boot());
    let Acquisition::Granted(lease) = memory.acquire(&request).await.unwrap() else {
        panic!("it is free");
    };
    let error = provider.extend(&lease, LONG).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lease was granted by another provider"
    );
    assert!(provider.release(&lease, Duration::ZERO).await.is_err());
    assert!(!is_free(&memory, "a:job").await);
}
