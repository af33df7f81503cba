//! A day on which everything happens, on a database.

use std::sync::LazyLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use shedlock::testing::{Fault, FaultyProvider, with_provider};
use shedlock::{
    ErrorKind, HistoryOptions, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockError,
    LockingTaskExecutor, Operation, Outcome, SkipReason, lock, lock_assert, scheduler_lock,
};
use shedlock_sqlx::SqliteLockProvider;

use crate::exported::Exported;

static EXPORTED: LazyLock<Exported> = LazyLock::new(|| {
    // On a thread without a runtime, whichever test comes first.
    let day = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(everything())
    });
    Exported::new(day.join().unwrap())
});

/// What the exporter says at the end of that day.
pub(crate) fn exported() -> &'static Exported {
    &EXPORTED
}

#[scheduler_lock(name = "sync-{tenant}", at_most = "10s")]
async fn sync(tenant: &str) -> Result<Option<()>, LockError> {
    lock_assert!();
    Ok(Some(()))
}

#[scheduler_lock(name = "hourly", at_most = "10s", once_per = "1h")]
async fn hourly() -> Result<Option<()>, LockError> {
    Ok(Some(()))
}

#[scheduler_lock(name = "import", at_most = "3s", keep_alive = "200ms")]
async fn import() -> Result<Option<()>, LockError> {
    // Long enough for an extension that fails and one that does not.
    let start = tokio::time::Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(Some(()))
}

/// Runs past its lease.
#[scheduler_lock(name = "slow", at_most = "300ms")]
async fn slow() -> Result<Option<()>, LockError> {
    lock::lost().await;
    Ok(Some(()))
}

/// A step whose attempts are used up, with a history and a clean-up that fail.
async fn given_up() {
    let memory = InMemoryLockProvider::new().with_history(HistoryOptions::new());
    let store = FaultyProvider::new(memory);
    let executor = LockingTaskExecutor::new(store.clone());
    let once = LockConfiguration::new("message", "10s").unwrap();
    let once = once
        .with_instant_text("a")
        .unwrap()
        .with_attempts(1)
        .unwrap();
    store.next(Operation::History, Fault::Fail(ErrorKind::Schema));
    store.next(Operation::Prune, Fault::Fail(ErrorKind::Unavailable));
    let fails = async { Err::<(), ()>(()) };
    let failed = executor.execute_with_failure_check(once.clone(), fails, Result::is_err);
    assert!(failed.await.unwrap().was_executed());
    let skipped = executor.execute(once, async {}).await.unwrap();
    assert_eq!(skipped, Outcome::Skipped(SkipReason::Exhausted));
    // The failures of what is done in the background.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn everything() -> String {
    let histograms = Matcher::Prefix("shedlock".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(histograms, &[0.001, 0.1, 1.0]);
    let handle = builder.unwrap().install_recorder().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("locks.db").display()
    );
    let sqlite = SqliteLockProvider::connect(&url).await.unwrap();
    sqlite.ensure_schema().await.unwrap();
    let store = FaultyProvider::new(sqlite);

    with_provider(store.clone(), async {
        assert_eq!(sync("a7").await.unwrap(), Some(()));
        assert_eq!(sync("b8").await.unwrap(), Some(()));
        assert_eq!(hourly().await.unwrap(), Some(()));
        for kind in [ErrorKind::Unavailable, ErrorKind::Schema] {
            store.next(Operation::Acquire, Fault::Fail(kind));
            sync("a7").await.unwrap_err();
        }
        store.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
        store.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
        assert_eq!(import().await.unwrap(), Some(()));
        assert_eq!(slow().await.unwrap(), Some(()));
    })
    .await;

    let memory = InMemoryLockProvider::new();
    let in_an_hour = std::time::SystemTime::now() + Duration::from_hours(1);
    memory.pause("report", in_an_hour, "a test").await.unwrap();
    let executor = LockingTaskExecutor::new(memory);
    let report = LockConfiguration::new("report", "10s").unwrap();
    let paused = executor.execute(report, async {}).await.unwrap();
    assert!(!paused.was_executed());
    given_up().await;
    handle.run_upkeep();
    handle.render()
}
