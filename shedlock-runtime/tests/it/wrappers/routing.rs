//! The wrapper that chooses a provider for each call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use shedlock_runtime::__private::{Job, assert_locked_by, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider, ManualClock};
use shedlock_runtime::{
    AcquireRequest, Acquisition, Clock as _, ErrorKind, InMemoryLockProvider, LockError,
    LockProvider, LockProviderExt as _, LockingTaskExecutor, NamespacedLockProvider, Operation,
    Ownership, ProviderInfo, RoutingLockProvider, SystemClock, TokioClock,
};

use super::{
    LONG, Records, SOON, config, is_free, leaves_nothing_wherever_it_is_dropped, over, store, take,
    until_free,
};
use crate::it::expansion::run;

/// A router on tokio's clock: the tenant stands before a colon.
fn router() -> RoutingLockProvider {
    RoutingLockProvider::with_info(info(), before_colon)
}

fn info() -> ProviderInfo {
    ProviderInfo::new("tenants").with_clock(TokioClock)
}

fn before_colon(name: &str) -> std::borrow::Cow<'_, str> {
    name.split_once(':').map_or("", |(tenant, _)| tenant).into()
}

#[tokio::test(start_paused = true)]
async fn each_tenant_has_its_store() {
    let ((a, in_a), (b, in_b)) = (store(), store());
    let provider = router();
    provider.insert("a", a).unwrap();
    provider.clone().insert("b", b).unwrap();
    assert_eq!(provider.tenants(), ["a", "b"]);
    let mut one = take(&provider, "a:job").await;
    let two = take(&provider, "b:job").await;
    assert_eq!(
        (in_a.taken(), in_b.taken()),
        (vec!["a:job".into()], vec!["b:job".into()])
    );
    assert!(!is_free(&provider, "a:job").await);
    tokio::time::sleep(LONG / 2).await;
    one.extend(LONG, "0s").await.unwrap();
    assert_eq!(two.unlock().await.unwrap(), Ownership::Ours);
    assert!(in_b.taken().is_empty());
    tokio::time::sleep(LONG * 2 / 3).await;
    assert_eq!(in_a.taken(), ["a:job"]);
    assert_eq!(one.unlock().await.unwrap(), Ownership::Ours);
    assert!(in_a.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_tenant_is_told_with_the_known_ones() {
    let provider = router();
    let error = provider.try_lock(config("a:job")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoProvider);
    assert!(!error.is_transient());
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `a:job` in tenants: no provider for tenant `a`; known are no tenants"
    );
    let error = provider.try_lock(config("job")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in tenants: the lock's name has no tenant in it"
    );

    let counted = FaultyProvider::new(store().0);
    for n in 0..20 {
        let name = format!("tenant-{n:02}-{}", "x".repeat(500));
        provider.insert(name, counted.clone()).unwrap();
    }
    let unknown = format!("{}:job", "🦀".repeat(200));
    let error = provider.try_lock(config(&unknown)).await.unwrap_err();
    let told = error.remedy().unwrap();
    assert!(told.starts_with("known are `tenant-00-xxx"), "{told}");
    assert!(told.ends_with("..`, 12 more"), "{told}");
    assert!(told.len() < 600, "{} bytes", told.len());
    assert_eq!(counted.calls(Operation::Acquire), 0);
}

#[test]
fn a_tenant_is_checked() {
    let provider = router();
    for (tenant, problem) in [
        ("", "a tenant's name cannot be empty"),
        (
            "a\0",
            "a tenant's name cannot contain control characters; found '\\0'",
        ),
    ] {
        let error = provider
            .insert(tenant, InMemoryLockProvider::new())
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Configuration, problem.into())
        );
    }
    assert!(provider.tenants().is_empty());
    assert!(!provider.remove("a"));
}

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

#[tokio::test(start_paused = true)]
async fn a_tenants_own_limits_hold_before_it_is_asked() {
    let counted = FaultyProvider::new(store().0);
    let provider = router();
    provider.insert("a", counted.clone()).unwrap();
    let error = provider
        .try_lock(config(&format!("a:{}", "x".repeat(63))))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    assert_eq!(error.provider(), Some("records"), "whose limit it is");
    assert!(
        error
            .to_string()
            .ends_with("a lock name can have at most 64 characters here; this one has 65")
    );
    assert_eq!(counted.calls(Operation::Acquire), 0);
}

#[tokio::test(start_paused = true)]
async fn errors_name_the_tenants_store() {
    let faulty = FaultyProvider::new(store().0);
    let provider = router();
    provider.insert("a", faulty.clone()).unwrap();
    faulty.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    let error = provider.try_lock(config("a:job")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `a:job` in records: a fault on demand"
    );
    let lock = take(&provider, "a:job").await;
    faulty.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
    let error = lock.unlock().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to release lock `a:job` in records: a fault on demand"
    );
}

#[tokio::test(start_paused = true)]
async fn another_clock_is_refused() {
    let clock = ManualClock::new();
    let by_hand = || InMemoryLockProvider::with_clock(clock.clone());
    let on_tokios = router();
    let error = on_tokios.insert("a", by_hand()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(
        error.to_string(),
        "memory, the provider of tenant `a`, goes by another clock than the router; \
         give `RoutingLockProvider::with_info` the clock that the tenants' providers use"
    );
    assert!(on_tokios.tenants().is_empty());
    let on_the_machines = RoutingLockProvider::by_prefix(':');
    assert!(
        on_the_machines
            .insert("a", InMemoryLockProvider::new())
            .is_err()
    );
    let machine = InMemoryLockProvider::with_clock(SystemClock);
    on_the_machines.insert("a", machine).unwrap();
    drop(take(&on_the_machines, "a:job").await);

    let info = ProviderInfo::new("tenants").with_clock(clock.clone());
    let by_the_same_hand = RoutingLockProvider::with_info(info, before_colon);
    by_the_same_hand.insert("a", by_hand()).unwrap();

    let making =
        router().with_factory(move |_| Ok(InMemoryLockProvider::with_clock(clock.clone())));
    let error = making.try_lock(config("a:job")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(making.tenants().is_empty());
}

#[tokio::test(start_paused = true)]
async fn tenants_are_made_when_they_are_first_needed() {
    let made = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&made);
    let records = Records::default();
    let stores = records.clone();
    let provider = router().with_factory(move |tenant| {
        counter.fetch_add(1, Ordering::Relaxed);
        if tenant == "nobody" {
            let problem = format!("`{tenant}` is no customer");
            return Err(LockError::new(ErrorKind::NoProvider, problem));
        }
        NamespacedLockProvider::new(over(&stores), tenant)
    });
    let one = take(&provider, "a:job").await;
    let two = take(&provider, "b:job").await;
    assert!(!is_free(&provider, "a:job").await);
    assert_eq!(made.load(Ordering::Relaxed), 2, "once for each");
    assert_eq!(records.taken(), ["a/a:job", "b/b:job"]);
    assert_eq!(provider.tenants(), ["a", "b"]);
    one.unlock().await.unwrap();
    two.unlock().await.unwrap();

    for _ in 0..2 {
        let error = provider.try_lock(config("nobody:job")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to acquire lock `nobody:job` in tenants: `nobody` is no customer"
        );
    }
    assert_eq!(made.load(Ordering::Relaxed), 4, "a failure is not kept");
    assert!(provider.remove("a"));
    drop(take(&provider, "a:job").await);
    assert_eq!(made.load(Ordering::Relaxed), 5);
}

#[test]
fn only_so_many_tenants_are_made() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let memory = InMemoryLockProvider::new();
        let provider = router().with_factory(move |_| Ok(memory.clone()));
        for n in 0..10_000 {
            assert!(is_free(&provider, &format!("{n}:job")).await);
        }
        let error = provider.try_lock(config("surplus:job")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error
                .to_string()
                .contains("tenant `surplus` is one too many"),
            "{error}"
        );
        assert!(
            is_free(&provider, "7:job").await,
            "those that are there stay"
        );
        provider.remove("7");
        assert!(is_free(&provider, "surplus:job").await);
    });
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

#[tokio::test(start_paused = true)]
async fn annotated_functions_run_under_their_tenants_lock() {
    let (a, in_a) = store();
    let provider = router();
    provider.insert("a", a).unwrap();
    let job = |tenant: &str| {
        Job::named_by(format!("{tenant}:job"))
            .at_most(LONG)
            .provider(provider.to_shared())
    };
    let body = async {
        assert_locked_by("a:job");
        // The routing may change while the task runs: a nested call of its lock still is one.
        provider.remove("a");
        let nested = LockingTaskExecutor::new(provider.clone());
        let nested = nested.execute(config("a:job"), async {});
        assert!(nested.await.unwrap().was_executed());
        Ok::<_, LockError>(Some(in_a.taken()))
    };
    let ran = run(job("a"), body, skip_value, error_value, |_| false).await;
    assert_eq!(ran.unwrap().unwrap(), ["a:job"]);
    assert!(in_a.taken().is_empty());
    let body = async { Ok::<_, LockError>(Some(())) };
    let error = run(job("b"), body, skip_value, error_value, |_| false)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoProvider);
    // Nobody would look at a job that never runs.
    let silent = tokio::spawn(run(job("b"), async {}, skip_value, error_value, |()| false));
    assert!(silent.await.unwrap_err().is_panic());
}

/// Tenants come and go under load: each call has the lock in the old store or the new, or an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_may_change_while_locks_are_taken() {
    let stores = [InMemoryLockProvider::new(), InMemoryLockProvider::new()];
    let provider = router();
    provider.insert("a", stores[0].clone()).unwrap();
    let settled = Arc::new(AtomicBool::new(false));
    let mut takers = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (provider, settled) = (provider.clone(), Arc::clone(&settled));
        takers.spawn(async move {
            let mut last = false;
            while !last {
                // The tenant that is there in the end grants the last call.
                last = settled.load(Ordering::SeqCst);
                match provider.try_lock(config(&format!("a:job-{n}"))).await {
                    Ok(Some(lock)) => {
                        tokio::task::yield_now().await;
                        assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
                    }
                    Ok(None) => panic!("nobody else asks for it"),
                    Err(error) => assert!(!last && error.kind() == ErrorKind::NoProvider),
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for n in 0..2_000 {
        match n % 3 {
            0 => drop(provider.remove("a")),
            n => provider.insert("a", stores[n - 1].clone()).unwrap(),
        }
        tokio::task::yield_now().await;
    }
    provider.insert("a", stores[0].clone()).unwrap();
    settled.store(true, Ordering::SeqCst);
    let limited = tokio::time::timeout(SOON * 30, takers.join_all()).await;
    limited.expect("each call has its answer");
    for store in stores {
        for n in 0..4 {
            assert!(is_free(&store, &format!("a:job-{n}")).await);
        }
    }
}
