//! The history of runs: what is entered, what is not, and that it harms nobody.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore};
use shedlock_runtime::{
    ErrorKind, HistoryOptions, InMemoryLockProvider, LockAdmin, LockConfiguration, LockProvider,
    LockProviderExt as _, LockingTaskExecutor, NamespacedLockProvider, Operation, ProviderInfo,
    RecordLockProvider, RunOutcome, RunRecord, TimeoutLockProvider, TrackingLockProvider,
};
use tokio::time::{advance, sleep};

fn memory() -> InMemoryLockProvider {
    InMemoryLockProvider::new().with_history(HistoryOptions::new())
}

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10s").unwrap()
}

fn ever() -> Range<SystemTime> {
    SystemTime::UNIX_EPOCH..SystemTime::now() + Duration::from_secs(86_400)
}

/// The runs that are in the history once everything in the background is over.
async fn runs(provider: &impl LockAdmin, name: &str) -> Vec<RunRecord> {
    sleep(Duration::from_millis(1)).await;
    provider.history(name, ever()).await.unwrap()
}

async fn outcomes(provider: &impl LockAdmin, name: &str) -> Vec<RunOutcome> {
    let runs = runs(provider, name).await;
    runs.iter().rev().map(|run| run.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn each_run_is_entered_with_its_end_and_a_skip_is_not() {
    let provider = memory();
    let executor = LockingTaskExecutor::new(provider.clone());
    let task = async { sleep(Duration::from_secs(2)).await };
    let ran = executor.execute(config("job"), task).await;
    assert!(ran.unwrap().was_executed());
    let failing = async { Err::<(), ()>(()) };
    let failed = executor.execute_with_failure_check(config("job"), failing, Result::is_err);
    failed.await.unwrap().executed().unwrap().unwrap_err();
    let executor_of_panic = executor.clone();
    let panics = tokio::spawn(async move {
        let task = async { panic!("on purpose") };
        executor_of_panic.execute(config("job"), task).await
    });
    panics.await.unwrap_err();
    let dropped = executor.execute(config("job"), std::future::pending::<()>());
    tokio::time::timeout(Duration::from_secs(1), dropped)
        .await
        .unwrap_err();
    let lost = config("job").with_on_lost(shedlock_runtime::OnLost::Cancel);
    executor
        .execute(lost, std::future::pending::<()>())
        .await
        .unwrap_err();
    let held = provider.try_lock(config("job")).await.unwrap().unwrap();
    assert!(provider.try_lock(config("job")).await.unwrap().is_none());
    held.unlock().await.unwrap();

    let expected = [
        RunOutcome::Completed,
        RunOutcome::Failed,
        RunOutcome::Panicked,
        RunOutcome::Dropped,
        RunOutcome::Lost,
        RunOutcome::Completed,
    ];
    assert_eq!(outcomes(&provider, "job").await, expected);
    let all = runs(&provider, "job").await;
    let first = all.last().unwrap();
    assert!(first.fencing_token.is_some());
    assert_eq!(&*first.node, &**provider.info().node_name());
    assert_eq!(first.position, None);
}

#[tokio::test(start_paused = true)]
async fn attempts_for_a_step_are_told_apart() {
    let provider = memory();
    let step = || config("chain").with_step(1).unwrap();
    let failed = provider.try_lock(step()).await.unwrap().unwrap();
    drop(failed);
    let done = provider.try_lock(step()).await.unwrap().unwrap();
    done.complete().await.unwrap();
    let runs = runs(&provider, "chain").await;
    let positions: Vec<_> = runs.iter().filter_map(|run| run.position).collect();
    let told: Vec<_> = positions
        .iter()
        .map(|it| (it.number, it.tries, it.is_done))
        .collect();
    assert_eq!(told, [(1, 2, true), (1, 1, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_entered_by_whoever_takes_over() {
    let provider = memory();
    let mut crashed = provider.try_lock(config("job")).await.unwrap().unwrap();
    let token = crashed.fencing_token();
    crashed.release_on_drop(false);
    drop(crashed);
    advance(Duration::from_secs(11)).await;
    let next = provider.try_lock(config("job")).await.unwrap().unwrap();
    let runs = runs(&provider, "job").await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, RunOutcome::Crashed);
    assert_eq!(runs[0].fencing_token, token);
    assert_eq!(runs[0].took(), Duration::from_secs(10));
    next.unlock().await.unwrap();
    let expected = [RunOutcome::Crashed, RunOutcome::Completed];
    assert_eq!(outcomes(&provider, "job").await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_fails_or_hangs_touches_neither_lock_nor_job() {
    let provider = FaultyProvider::new(memory());
    let executor = LockingTaskExecutor::new(provider.clone());
    for fault in [
        Fault::Fail(ErrorKind::Unavailable),
        Fault::Hang,
        Fault::Delay(Duration::from_secs(1)),
    ] {
        provider.next(Operation::History, fault);
        let began = tokio::time::Instant::now();
        let ran = executor.execute(config("job"), async { 7 }).await.unwrap();
        assert_eq!(ran.executed(), Some(7));
        assert_eq!(began.elapsed(), Duration::ZERO, "{fault:?}");
        let free = provider.try_lock(config("other")).await.unwrap().unwrap();
        free.unlock().await.unwrap();
        sleep(Duration::from_secs(6)).await;
    }
    let history = provider.run_history().unwrap();
    let job = shedlock_runtime::LockName::new("job").unwrap();
    let runs = history.runs(&job, ever()).await.unwrap();
    assert_eq!(runs.len(), 1, "the one that was late");
    assert_eq!(
        provider.calls(Operation::History),
        6,
        "one call for each run"
    );
}

#[tokio::test]
async fn a_provider_without_a_history_says_so() {
    let provider = InMemoryLockProvider::new();
    let refused = provider.history("job", ever()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(
        refused.to_string().contains("keeps no history"),
        "{refused}"
    );
    let records = RecordLockProvider::new(ProviderInfo::new("records"), InMemoryRecordStore::new());
    assert!(records.run_history().is_none());
    assert!(TrackingLockProvider::new(provider).run_history().is_none());
}

#[tokio::test]
async fn wrappers_pass_the_history_on() {
    let store = memory();
    let inner = TrackingLockProvider::new(store.clone());
    let inner = TimeoutLockProvider::new(inner, "1s").unwrap();
    let provider = NamespacedLockProvider::new(inner, "eu").unwrap();
    let lock = provider.try_lock(config("job")).await.unwrap().unwrap();
    lock.unlock().await.unwrap();
    let inside = runs(&provider, "job").await;
    assert_eq!(inside.len(), 1);
    assert_eq!(inside[0].lock, "job");
    let outside = runs(&store, "eu/job").await;
    assert_eq!(outside.len(), 1);
    assert_eq!(outside[0].lock, "eu/job");
    assert_eq!(runs(&store, "job").await, []);
}

#[tokio::test]
async fn the_error_of_a_run_that_failed_is_entered() {
    let entered = async |options| {
        let provider = InMemoryLockProvider::new().with_history(options);
        let executor = LockingTaskExecutor::new(provider.clone());
        let task = async { Err::<(), _>("out of\npaper") };
        let ran = executor.execute_with_error(config("job"), task, |printed| {
            printed.as_ref().err().map(|error| error as _)
        });
        assert!(ran.await.unwrap().was_executed());
        let mut runs = runs(&provider, "job").await;
        assert_eq!(runs[0].outcome, RunOutcome::Failed);
        runs.remove(0).error
    };
    let options = HistoryOptions::new();
    assert_eq!(entered(options).await.as_deref(), Some("out of\\npaper"));
    assert_eq!(entered(options.without_error_texts()).await, None);
}
