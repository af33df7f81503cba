//! Runs that a text names: each runs once, until its claim is forgotten.

use std::time::{Duration, SystemTime};

use shedlock_runtime::__private::{
    GivenInstant, IsText as _, IsTime as _, Job, assert_locked_by, error_value, skip_value,
};
use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore, with_provider};
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, InMemoryLockProvider, LockAdmin as _,
    LockConfiguration, LockError, LockProvider, LockProviderExt as _, LockingTaskExecutor,
    NamespacedLockProvider, Operation, ProviderInfo, RecordLockProvider, SkipReason,
};
use tokio::time::{advance, sleep};

use super::expansion::run as call;

const MINUTE: Duration = Duration::from_secs(60);

fn claim(text: &str) -> LockConfiguration {
    let config = LockConfiguration::new("mail", "10s").unwrap();
    let config = config.with_instant_text(text).unwrap();
    config.with_claims_kept_for(MINUTE).unwrap()
}

/// Runs for `config`, and says why not.
async fn skip(
    provider: &(impl LockProvider + Clone),
    config: LockConfiguration,
) -> Option<SkipReason> {
    let executor = LockingTaskExecutor::new(provider.clone());
    executor.execute(config, async {}).await.unwrap().skipped()
}

async fn each_text_runs_once(provider: impl LockProvider + Clone) {
    assert_eq!(skip(&provider, claim("a")).await, None);
    assert_eq!(skip(&provider, claim("b")).await, None);
    for _ in 0..2 {
        let again = skip(&provider, claim("a")).await;
        assert_eq!(again, Some(SkipReason::AlreadyRan));
    }
    // The lock itself is another one, and so are two runs at the same time.
    let plain = LockConfiguration::new("mail", "10s").unwrap();
    let held = provider.try_lock(plain).await.unwrap().unwrap();
    let one = provider.try_lock(claim("c")).await.unwrap().unwrap();
    assert_eq!(skip(&provider, claim("c")).await, Some(SkipReason::Held));
    assert_eq!(skip(&provider, claim("d")).await, None);
    drop((held, one));
}

#[tokio::test]
async fn each_text_runs_once_in_memory() {
    each_text_runs_once(InMemoryLockProvider::new()).await;
}

#[tokio::test]
async fn each_text_runs_once_in_a_store_that_compares() {
    let info = ProviderInfo::new("records")
        .with_capabilities(shedlock_runtime::Capabilities::new().with_positions());
    let store = RecordLockProvider::new(info, InMemoryRecordStore::new());
    each_text_runs_once(NamespacedLockProvider::new(store, "eu").unwrap()).await;
}

#[tokio::test]
async fn failed_runs_follow_the_attempts() {
    let provider = InMemoryLockProvider::new();
    let twice = || claim("a").with_attempts(2).unwrap();
    for _ in 0..2 {
        let failed = provider.try_lock(twice()).await.unwrap().unwrap();
        failed.unlock().await.unwrap();
    }
    let given_up = skip(&provider, twice()).await;
    assert_eq!(given_up, Some(SkipReason::Exhausted));
    let once = provider.try_lock(claim("b")).await.unwrap().unwrap();
    once.unlock().await.unwrap();
    let failed = skip(&provider, claim("b")).await;
    assert_eq!(failed, Some(SkipReason::AlreadyRan), "without `attempts`");
}

/// Whoever ends a run deletes the old claims beside it, and no others.
#[tokio::test(start_paused = true)]
async fn an_old_claim_is_forgotten_and_a_young_one_is_not() {
    let provider = InMemoryLockProvider::new();
    let names = async || {
        let locks = provider.list().await.unwrap();
        locks.into_iter().map(|lock| lock.name).collect::<Vec<_>>()
    };
    let other = LockConfiguration::new("mail@", "10s").unwrap();
    let other = other.with_instant_text("a").unwrap();
    for config in [
        claim("old"),
        other,
        LockConfiguration::new("mail", "1s").unwrap(),
    ] {
        assert_eq!(skip(&provider, config).await, None);
    }
    advance(MINUTE).await;
    assert_eq!(skip(&provider, claim("young")).await, None);
    sleep(Duration::from_millis(1)).await;
    let kept = ["mail", "mail@=young", "mail@@=a"];
    assert_eq!(names().await, kept);
    assert_eq!(
        skip(&provider, claim("old")).await,
        None,
        "it may run again"
    );
    let young = skip(&provider, claim("young")).await;
    assert_eq!(young, Some(SkipReason::AlreadyRan));

    // By hand, what no node ends a run of any more.
    let refused = provider.prune_claims("mail@", MINUTE / 2).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(provider.prune_claims("mail@", MINUTE).await.unwrap(), 1);
}

/// Longer than claims are kept, and the claim is still there when the message is delivered again.
#[tokio::test(start_paused = true)]
async fn a_claim_is_kept_from_the_end_of_its_run() {
    let provider = InMemoryLockProvider::new();
    let order = || claim("order-17").with_keep_alive().unwrap();
    let executor = LockingTaskExecutor::new(provider.clone());
    let ran = executor.execute(order(), sleep(2 * MINUTE)).await.unwrap();
    assert!(ran.was_executed());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(skip(&provider, order()).await, Some(SkipReason::AlreadyRan));
    let claim = provider.get("mail@=order-17").await.unwrap().unwrap();
    assert!(claim.to_string().contains(": free since "), "{claim}");
    let ran_for = claim.until.unwrap().duration_since(claim.since.unwrap());
    assert!(ran_for.unwrap() >= 2 * MINUTE, "{claim}");
    sleep(MINUTE).await;
    assert_eq!(provider.prune_claims("mail", MINUTE).await.unwrap(), 1);
}

/// A request that was made just before the lock was released, and arrives just after.
#[tokio::test(start_paused = true)]
async fn a_lock_that_was_released_is_free_for_a_request_from_before() {
    let provider = InMemoryLockProvider::new();
    let held = provider.try_lock(claim("a")).await.unwrap().unwrap();
    advance(Duration::from_secs(1)).await;
    let early = AcquireRequest::new(claim("a"), provider.info().clock().boot());
    advance(Duration::from_millis(1)).await;
    held.complete().await.unwrap();
    match provider.acquire(&early).await.unwrap() {
        Acquisition::Refused(refusal) => assert_eq!(refusal.reason, SkipReason::AlreadyRan),
        Acquisition::Granted(lease) => panic!("it has run: {lease:?}"),
    }
    let now = AcquireRequest::new(claim("a"), provider.info().clock().boot());
    assert!(matches!(
        provider.acquire(&now).await.unwrap(),
        Acquisition::Refused(refusal) if refusal.reason == SkipReason::AlreadyRan
    ));
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_that_fails_harms_nobody() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    for fault in [Fault::Fail(ErrorKind::Unavailable), Fault::Hang] {
        provider.next(Operation::Prune, fault);
        let began = tokio::time::Instant::now();
        assert_eq!(skip(&provider, claim(&format!("{fault:?}"))).await, None);
        assert_eq!(began.elapsed(), Duration::ZERO);
        sleep(MINUTE).await;
    }
    for text in ["a", "b", "c"] {
        assert_eq!(skip(&provider, claim(text)).await, None);
    }
    sleep(Duration::from_millis(1)).await;
    assert_eq!(provider.calls(Operation::Prune), 3, "once a minute");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let config = || LockConfiguration::new("mail", "10s").unwrap();
    let empty = config().with_instant_text("").unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Configuration);
    let short = claim("a").with_claims_kept_for("59s").unwrap_err();
    assert_eq!(short.kind(), ErrorKind::Configuration);
    let info = ProviderInfo::new("narrow").with_capabilities(
        shedlock_runtime::Capabilities::new()
            .with_positions()
            .with_max_name_chars(20),
    );
    let narrow = RecordLockProvider::new(info, InMemoryRecordStore::new());
    let long = config().with_instant_text("x".repeat(15)).unwrap();
    let refused = narrow.try_lock(long).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidName);
}

/// The function knows the name that it gave to its lock, and not that of each claim.
#[tokio::test]
async fn a_claim_is_asserted_by_the_name_of_its_lock() {
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let body = || async {
        assert_locked_by("mail");
        assert_locked_by("mail@=order-17");
        let other = |name| std::panic::catch_unwind(|| assert_locked_by(name));
        assert!(other("mail@=order-18").is_err());
        assert!(other("order-17").is_err());
    };
    let mail = LockConfiguration::new("mail", "1m").unwrap();
    let claim = mail.with_instant_text("order-17").unwrap();
    let ran = executor.execute(claim, body()).await.unwrap();
    assert!(ran.was_executed());
    // A lock whose name only looks like one.
    let named = LockConfiguration::new("mail@=order-17", "1m").unwrap();
    let body = async { std::panic::catch_unwind(|| assert_locked_by("mail")).is_err() };
    let ran = executor.execute(named, body).await.unwrap();
    assert_eq!(ran.executed(), Some(true));
}

/// As the attribute does: a text or a time, by its type.
#[tokio::test]
async fn an_attribute_takes_both() {
    let provider = InMemoryLockProvider::new();
    let runs = async |job: Job| -> Result<Option<()>, LockError> {
        let body = async { Ok(Some(())) };
        call(job, body, skip_value, error_value, |_| None).await
    };
    with_provider(provider.clone(), async {
        for (text, ran) in [("a", true), ("b", true), ("a", false)] {
            let job = Job::named("mail").at_most(MINUTE);
            let job = job.instant(GivenInstant(text.to_owned()).__shedlock_instant());
            assert_eq!(runs(job).await.unwrap().is_some(), ran, "{text}");
        }
        let noon = SystemTime::now();
        for ran in [true, false] {
            let job = Job::named("tick").at_most(MINUTE);
            let job = job.instant(GivenInstant(noon).__shedlock_instant());
            assert_eq!(runs(job).await.unwrap().is_some(), ran);
        }
    })
    .await;
    let locks = provider.list().await.unwrap();
    let names: Vec<_> = locks.iter().map(|lock| &*lock.name).collect();
    assert_eq!(names, ["mail@=a", "mail@=b", "tick"]);
}
