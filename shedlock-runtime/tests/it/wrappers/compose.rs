//! Wrappers around wrappers.

use std::time::Duration;

use shedlock_runtime::__private::{Job, assert_locked_by, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockError, LockProvider, LockProviderExt as _,
    LockingTaskExecutor, NamespacedLockProvider, Operation, Outcome, Ownership, ProviderInfo,
    RoutingLockProvider, SkipReason, TimeoutLockProvider, TokioClock, TrackingLockProvider,
};

use super::{
    LONG, Records, Store, config, leaves_nothing_wherever_it_is_dropped, store, take, until_free,
};
use crate::it::expansion::run;

type Tracked = TrackingLockProvider<TimeoutLockProvider<FaultyProvider<Store>>>;

struct Stack {
    provider: NamespacedLockProvider<Tracked>,
    faulty: FaultyProvider<Store>,
    records: Records,
}

/// A namespace over tracking over a time limit.
fn stack() -> Stack {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    let limited = TimeoutLockProvider::new(faulty.clone(), "2s").unwrap();
    let tracked = TrackingLockProvider::new(limited);
    let provider = NamespacedLockProvider::new(tracked, "staging").unwrap();
    Stack {
        provider,
        faulty,
        records,
    }
}

fn held<P: LockProvider>(provider: &TrackingLockProvider<P>) -> Vec<String> {
    let held = provider.held();
    held.iter().map(|held| held.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_annotated_function_runs_under_a_stack() {
    let Stack {
        provider, records, ..
    } = stack();
    let job = || {
        Job::named("job")
            .at_most(LONG)
            .keep_alive()
            .provider(provider.to_shared())
    };
    let body = async {
        assert_locked_by("job");
        tokio::time::sleep(LONG * 3).await;
        let skipped: Outcome<()> = tokio::spawn(run(
            job(),
            async { Outcome::Executed(()) },
            skip_value,
            error_value,
            |_| None,
        ))
        .await
        .unwrap();
        assert_eq!(skipped.skipped(), Some(SkipReason::Held));
        Outcome::Executed((held(provider.inner()), records.taken()))
    };
    let ran: Outcome<(Vec<String>, Vec<String>)> =
        run(job(), body, skip_value, error_value, |_| None).await;
    let (tracked, taken) = ran.executed().unwrap();
    assert_eq!(tracked, ["staging/job"]);
    assert_eq!(taken, tracked);
    assert!(records.taken().is_empty() && held(provider.inner()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_under_a_stack_leaves_nothing() {
    let Stack {
        provider,
        faulty,
        records,
    } = stack();
    for fault in [Fault::Hang, Fault::HangAfter, Fault::LoseReply] {
        faulty.next(Operation::Acquire, fault);
        let begin = tokio::time::Instant::now();
        let outcome = LockingTaskExecutor::new(provider.clone())
            .execute(config("job"), async { panic!("no lock") as () })
            .await;
        let error = outcome.unwrap_err();
        assert!(error.kind().is_ambiguous(), "{error}");
        assert!(begin.elapsed() <= Duration::from_secs(2));
        assert_eq!(error.lock(), Some("job"));
        assert_eq!(error.provider(), Some("records"));
        until_free(&records).await;
    }
    leaves_nothing_wherever_it_is_dropped(&provider, &records).await;
    assert!(held(provider.inner()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_is_given_back_from_the_middle_of_a_stack() {
    let Stack {
        provider, records, ..
    } = stack();
    let locks = [take(&provider, "a").await, take(&provider, "b").await];
    assert_eq!(provider.inner().release_all().await.released, 2);
    assert!(records.taken().is_empty());
    for mut lock in locks {
        let error = lock.extend(LONG, "0s").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lost, "the holder is told");
        assert_eq!(error.lock(), lock.name().as_str().into());
    }
}

/// The other way round: what the program calls its locks is what is tracked.
#[tokio::test(start_paused = true)]
async fn the_order_is_free() {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    let info = ProviderInfo::new("tenants").with_clock(TokioClock);
    let router = RoutingLockProvider::with_info(info, |name| {
        name.split('/').next().unwrap_or_default().into()
    });
    router.insert("staging", faulty.clone()).unwrap();
    let named = NamespacedLockProvider::new(router.clone(), "staging").unwrap();
    let tracked = TrackingLockProvider::new(named);
    let provider = TimeoutLockProvider::new(tracked.clone(), "2s").unwrap();

    let mut lock = take(&provider, "job").await;
    assert_eq!(held(&tracked), ["job"]);
    assert_eq!(records.taken(), ["staging/job"]);
    router.remove("staging");
    lock.extend(LONG * 2, "0s").await.unwrap();
    tokio::time::sleep(LONG).await;
    assert_eq!(held(&tracked), ["job"]);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(records.taken().is_empty() && held(&tracked).is_empty());

    router.insert("staging", faulty.clone()).unwrap();
    faulty.next(Operation::Acquire, Fault::HangAfter);
    let error: LockError = provider.try_lock(config("job")).await.unwrap_err();
    assert_eq!(error.lock(), Some("job"));
    until_free(&records).await;
    leaves_nothing_wherever_it_is_dropped(&provider, &records).await;
    assert!(held(&tracked).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operator_goes_through_a_stack() {
    let memory = InMemoryLockProvider::new();
    let limited = TimeoutLockProvider::new(memory.clone(), "2s").unwrap();
    let tracked = TrackingLockProvider::new(limited);
    let provider = NamespacedLockProvider::new(tracked.clone(), "staging").unwrap();
    let _lock = take(&provider, "job").await;
    assert_eq!(provider.list().await.unwrap()[0].name, "job");
    assert_eq!(tracked.list().await.unwrap()[0].name, "staging/job");
    assert!(provider.force_release("job", "a test").await.unwrap());
    assert!(!memory.get("staging/job").await.unwrap().unwrap().is_held());
}
