//! The wrapper that chooses a provider for each call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use shedlock_runtime::__private::{Job, assert_locked_by, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider, ManualClock};
use shedlock_runtime::{
    Capabilities, ErrorKind, InMemoryLockProvider, LockAdmin as _, LockError, LockProviderExt as _,
    LockingTaskExecutor, NamespacedLockProvider, Operation, Ownership, ProviderInfo,
    RoutingLockProvider, SystemClock, TokioClock,
};

use super::{LONG, Records, SOON, config, is_free, over, store, take};
use crate::it::expansion::run;

mod leases;

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

/// A text comes from anywhere, such as from a customer's message.
#[tokio::test(start_paused = true)]
async fn the_text_of_a_claim_names_no_tenant() {
    let (a, b) = (InMemoryLockProvider::new(), InMemoryLockProvider::new());
    let info = info().with_capabilities(Capabilities::new().with_positions());
    let provider = RoutingLockProvider::with_info(info, |name| {
        name.rsplit_once(':')
            .map_or("", |(_, tenant)| tenant)
            .into()
    });
    provider.insert("a", a.clone()).unwrap();
    provider.insert("b", b.clone()).unwrap();
    let claim = config("mail:a").with_instant_text("order:b").unwrap();
    assert!(provider.try_lock(claim).await.unwrap().is_some());
    assert_eq!(a.list().await.unwrap()[0].name, "mail:a@=order:b");
    assert!(b.list().await.unwrap().is_empty());
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
    let ran = run(job("a"), body, skip_value, error_value, |_| None).await;
    assert_eq!(ran.unwrap().unwrap(), ["a:job"]);
    assert!(in_a.taken().is_empty());
    let body = async { Ok::<_, LockError>(Some(())) };
    let error = run(job("b"), body, skip_value, error_value, |_| None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoProvider);
    // Nobody would look at a job that never runs.
    let silent = tokio::spawn(run(job("b"), async {}, skip_value, error_value, |()| None));
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
