//! The wrapper that gives each environment its own names.

use std::time::{Duration, SystemTime};

use shedlock_runtime::__private::{Job, assert_locked_by, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockProvider,
    LockProviderExt as _, LockingTaskExecutor, NamespacedLockProvider, Operation, Outcome,
    Ownership, SkipReason,
};

use super::{
    LONG, config, is_free, leaves_nothing_wherever_it_is_dropped, store, take, until_free,
};
use crate::it::expansion::run;

#[tokio::test(start_paused = true)]
async fn the_store_keeps_the_whole_name_and_the_program_sees_its_own() {
    let (inner, records) = store();
    let staging = NamespacedLockProvider::new(inner, "staging").unwrap();
    let mut lock = take(&staging, "job").await;
    assert_eq!(lock.name().as_str(), "job");
    assert_eq!(records.taken(), ["staging/job"]);
    assert!(!is_free(&staging, "job").await);

    tokio::time::sleep(LONG / 2).await;
    lock.extend(LONG, "0s").await.unwrap();
    tokio::time::sleep(LONG / 2).await;
    assert_eq!(records.taken(), ["staging/job"]);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(records.taken().is_empty());
    assert!(lock_is_known_as(&staging, "staging"));
}

fn lock_is_known_as<P: LockProvider>(provider: &NamespacedLockProvider<P>, name: &str) -> bool {
    provider.namespace() == name && provider.info().name() == provider.inner().info().name()
}

#[tokio::test(start_paused = true)]
async fn namespaces_do_not_meet() {
    let (inner, records) = store();
    // Pairs that careless joining would take for one another.
    let mut held = Vec::new();
    for (namespace, name) in [
        ("a", "b"),
        ("a", "b/c"),
        ("ab", "c"),
        ("a", "bc"),
        ("b", "a/b"),
        ("a-b", "c"),
        ("a", "-b/c"),
    ] {
        let provider = NamespacedLockProvider::new(inner.clone(), namespace).unwrap();
        held.push(take(&provider, name).await);
    }
    assert_eq!(records.taken().len(), held.len());
    // A namespace is a folder: whoever knows the whole name can name the lock.
    assert!(!is_free(&inner, "a/b/c").await);
    let outer = NamespacedLockProvider::new(inner, "a").unwrap();
    let nested = NamespacedLockProvider::new(outer, "b").unwrap();
    assert!(!is_free(&nested, "c").await);
}

#[test]
fn a_namespace_is_checked() {
    let refused = |namespace: &str| {
        let error = NamespacedLockProvider::new(store().0, namespace).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.to_string()
    };
    assert_eq!(refused(""), "a namespace cannot be empty");
    assert_eq!(
        refused("a\n"),
        "a namespace cannot contain control characters; found '\\n'"
    );
    assert_eq!(
        refused("a/b"),
        "namespace `a/b` contains `/`; put one namespace into the other instead"
    );
    assert_eq!(
        refused(&"é".repeat(63)),
        "the namespace leaves no room for names in records; choose a shorter one"
    );
    assert!(NamespacedLockProvider::new(store().0, "é".repeat(62)).is_ok());
    let unlimited = || InMemoryLockProvider::new();
    assert!(NamespacedLockProvider::new(unlimited(), "x".repeat(1023)).is_err());
    assert!(NamespacedLockProvider::new(unlimited(), "x".repeat(1022)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leaves_no_room_never_reaches_the_store() {
    let counted = FaultyProvider::new(store().0);
    let staging = NamespacedLockProvider::new(counted.clone(), "staging").unwrap();
    let error = staging.try_lock(config(&"é".repeat(57))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    let message = error.to_string();
    assert!(
        message.ends_with("a lock name can have at most 56 characters here; this one has 57"),
        "{message}"
    );
    assert_eq!(counted.calls(Operation::Acquire), 0);
    drop(take(&staging, &"é".repeat(56)).await);

    let counted = FaultyProvider::new(InMemoryLockProvider::new());
    let staging = NamespacedLockProvider::new(counted.clone(), "staging").unwrap();
    let error = staging
        .try_lock(config(&"x".repeat(1024)))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.ends_with("a lock name can have at most 1016 bytes here; this one has 1024"),
        "{message}"
    );
    assert_eq!(counted.calls(Operation::Acquire), 0);
}

#[tokio::test(start_paused = true)]
async fn errors_tell_the_programs_name() {
    let (inner, _records) = store();
    let faulty = FaultyProvider::new(inner);
    // A router below names the lock itself, as it knows it.
    let info = faulty.info().wrapped_by("routing");
    let router = shedlock_runtime::RoutingLockProvider::with_info(info, |_| "only".into());
    router.insert("only", faulty.clone()).unwrap();
    let staging = NamespacedLockProvider::new(router, "staging").unwrap();

    faulty.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    let error = staging.try_lock(config("job")).await.unwrap_err();
    assert_eq!(error.lock(), Some("job"));
    let mut lock = take(&staging, "job").await;
    faulty.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
    let error = lock.extend("1m", "0s").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to extend lock `job` in records: a fault on demand"
    );
    faulty.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
    let error = lock.unlock().await.unwrap_err();
    assert_eq!(error.lock(), Some("job"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_given_back_under_the_stored_name() {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    let staging = NamespacedLockProvider::new(faulty.clone(), "staging").unwrap();
    for fault in [Fault::HangAfter, Fault::LoseReply] {
        faulty.next(Operation::Acquire, fault);
        assert!(staging.try_lock(config("job")).await.is_err());
        assert_eq!(records.taken(), ["staging/job"]);
        until_free(&records).await;
    }
    // The answer may also be lost on this side.
    let deaf = FaultyProvider::new(staging.clone());
    deaf.next(Operation::Acquire, Fault::HangAfter);
    assert!(deaf.try_lock(config("job")).await.is_err());
    until_free(&records).await;
    leaves_nothing_wherever_it_is_dropped(&staging, &records).await;
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_runs_in_its_own_namespace_only() {
    let (inner, records) = store();
    let staging = NamespacedLockProvider::new(inner.clone(), "staging").unwrap();
    let production = NamespacedLockProvider::new(inner, "production").unwrap();
    let in_clone = LockingTaskExecutor::new(staging.clone());
    let elsewhere = LockingTaskExecutor::new(production);
    let body = async {
        assert_locked_by("job");
        let nested = in_clone.execute(config("job"), async { records.taken() });
        let nested = nested.await.unwrap().executed();
        assert_eq!(nested.unwrap(), ["staging/job"], "the lock is held already");
        let other = elsewhere.execute(config("job"), async { records.taken() });
        let other = other.await.unwrap().executed();
        assert_eq!(other.unwrap(), ["production/job", "staging/job"]);
    };
    let outcome = LockingTaskExecutor::new(staging.clone())
        .execute(config("job"), body)
        .await;
    assert!(outcome.unwrap().was_executed());
    assert!(records.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_annotated_function_can_use_it() {
    let (inner, records) = store();
    let staging = NamespacedLockProvider::new(inner.clone(), "staging").unwrap();
    let job = || {
        Job::named("job")
            .at_most(LONG)
            .provider(staging.to_shared())
    };
    let body = async {
        assert_locked_by("job");
        Outcome::Executed(records.taken())
    };
    let ran: Outcome<Vec<String>> = run(job(), body, skip_value, error_value, |_| None).await;
    assert_eq!(ran.executed().unwrap(), ["staging/job"]);
    let _held = take(&inner, "staging/job").await;
    let body = async { Outcome::Executed(()) };
    let skipped: Outcome<()> = run(job(), body, skip_value, error_value, |_| None).await;
    assert_eq!(skipped.skipped(), Some(SkipReason::Held));
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_and_steers_its_own_locks_only() {
    let store = InMemoryLockProvider::new();
    let staging = NamespacedLockProvider::new(store.clone(), "staging").unwrap();
    let production = NamespacedLockProvider::new(store.clone(), "production").unwrap();
    let _one = take(&staging, "b").await;
    let _two = take(&staging, "a").await;
    let _other = take(&production, "a").await;
    let _outside = take(&store, "stagingx").await;
    let names = |infos: Vec<shedlock_runtime::LockInfo>| {
        infos.into_iter().map(|info| info.name).collect::<Vec<_>>()
    };
    assert_eq!(names(staging.list().await.unwrap()), ["a", "b"]);
    assert_eq!(names(production.list().await.unwrap()), ["a"]);

    let info = staging.get("a").await.unwrap().unwrap();
    assert_eq!(info.name, "a");
    assert!(info.is_held());
    assert_eq!(staging.get("stagingx").await.unwrap(), None);

    assert!(staging.force_release("a", "stuck").await.unwrap());
    assert!(is_free(&staging, "a").await);
    assert!(!is_free(&production, "a").await);

    let until = shedlock_runtime::Clock::utc(&shedlock_runtime::TokioClock) + LONG;
    staging.pause("a", until, "a test").await.unwrap();
    let held = LockingTaskExecutor::new(staging.clone())
        .execute(config("a"), async {})
        .await;
    assert_eq!(held.unwrap().skipped(), Some(SkipReason::Paused));
    assert!(!production.get("a").await.unwrap().unwrap().paused);
    assert!(staging.resume("a").await.unwrap());
    assert!(!production.resume("a").await.unwrap());
    assert!(is_free(&staging, "a").await);
}

#[tokio::test(start_paused = true)]
async fn an_operators_mistakes_are_typed() {
    let store = InMemoryLockProvider::new();
    let staging = NamespacedLockProvider::new(store.clone(), "staging").unwrap();
    let long = "x".repeat(1020);
    for error in [
        staging.get("").await.unwrap_err(),
        staging.get(&long).await.unwrap_err(),
        staging.force_release("a\n", "").await.unwrap_err(),
        staging.resume(&long).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{error}");
        assert!(error.operation().is_some(), "{error}");
    }
    let past = SystemTime::UNIX_EPOCH;
    let error = staging.pause("job", past, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidDuration);
    assert_eq!(error.lock(), Some("job"), "not the stored name");

    drop(take(&staging, "old").await);
    for prefix in ["a\n", &long] {
        let pruned = staging.prune_prefix(prefix, Duration::ZERO).await;
        let error = pruned.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{error}");
        assert_eq!(error.operation(), Some(Operation::Prune), "{error}");
    }
    assert_eq!(store.list().await.unwrap().len(), 1, "nothing is deleted");
}

#[tokio::test(start_paused = true)]
async fn an_operator_prunes_its_own_locks_only() {
    let store = InMemoryLockProvider::new();
    let within = |namespace: &str| NamespacedLockProvider::new(store.clone(), namespace).unwrap();
    let prod = within("prod");
    let nested = NamespacedLockProvider::new(prod.clone(), "eu").unwrap();
    drop(take(&prod, "old").await);
    drop(take(&nested, "old").await);
    drop(take(&nested, "older").await);
    let held = take(&prod, "held").await;
    // What careless joining or comparing would take for the same.
    for other in ["PROD", "prod2", "pro", "eu"] {
        drop(take(&within(other), "old").await);
    }
    drop(take(&store, "prod").await);
    drop(take(&store, "old").await);
    let left = async || {
        let infos = store.list().await.unwrap().into_iter();
        infos.map(|info| info.name).collect::<Vec<_>>()
    };
    assert_eq!(prod.prune(LONG).await.unwrap(), 0, "they are fresh");
    let pruned = nested.prune_prefix("olde", Duration::ZERO).await;
    assert_eq!(pruned.unwrap(), 1);
    assert_eq!(nested.prune(Duration::ZERO).await.unwrap(), 1);
    assert!(prod.get("old").await.unwrap().is_some());
    assert_eq!(prod.prune(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(
        left().await,
        [
            "PROD/old",
            "eu/old",
            "old",
            "pro/old",
            "prod",
            "prod/held",
            "prod2/old"
        ]
    );

    // A namespace has those inside of it.
    held.unlock().await.unwrap();
    drop(take(&nested, "old").await);
    assert_eq!(prod.prune(Duration::ZERO).await.unwrap(), 2);
    // And what was forgotten can be taken as ever.
    drop(take(&nested, "old").await);
    assert_eq!(store.prune(Duration::ZERO).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_short_lease_ends_under_either_name() {
    let (inner, records) = store();
    let staging = NamespacedLockProvider::new(inner, "staging").unwrap();
    let short = LockConfiguration::new("job", "300ms").unwrap();
    let mut old = staging.try_lock(short).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(301)).await;
    let new = take(&staging, "job").await;
    assert_eq!(
        old.extend("1m", "0s").await.unwrap_err().kind(),
        ErrorKind::Lost
    );
    assert_eq!(old.unlock().await.unwrap(), Ownership::Lost);
    assert_eq!(records.taken(), ["staging/job"]);
    assert_eq!(new.unlock().await.unwrap(), Ownership::Ours);
}
