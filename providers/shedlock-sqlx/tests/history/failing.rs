//! A history without its table, or without the right to it: the job runs, its lock is as ever, and an event says what helps.

use std::sync::mpsc::{Receiver, channel};

use shedlock_runtime::{EventKind, ListenerGuard, LockEvent, LockingTaskExecutor, SchedulerLock};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;

each_database! {
    a_table_that_is_missing_or_dropped
}

/// What the events say of entries of `lock` that could not be made.
fn failures(lock: &'static str) -> (ListenerGuard, Receiver<String>) {
    let (tell, told) = channel();
    let listener = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str() == lock
            && let EventKind::HistoryFailed { error, .. } = &event.kind
        {
            drop(tell.send(error.to_string()));
        }
    });
    (listener.expect("one can listen"), told)
}

/// A run whose entry fails: it runs, its lock is free at once, and this is what the event says.
async fn failing<DB: TestStore>(
    provider: &SqlxLockProvider<DB>,
    lock: &str,
    told: &Receiver<String>,
) -> String {
    let executor = LockingTaskExecutor::new(provider.clone());
    let ran = executor.execute(config(lock), async { 42 }).await;
    assert_eq!(ran.expect("locks work").executed(), Some(42));
    let record = provider.get(lock).await.expect("locks can be read");
    assert!(!record.expect("it was held").is_held());
    loop {
        if let Ok(said) = told.try_recv() {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_table_that_is_missing_or_dropped<DB: TestStore>(place: Place<DB>) {
    let lock: &'static str = match DB::NAME {
        "SQLite" => "missing-in-sqlite",
        "PostgreSQL" => "missing-in-postgres",
        _ => "missing-in-mysql",
    };
    let (_listening, told) = failures(lock);
    let plain = place.provider(Via::Url);
    plain.ensure_schema().await.expect("it can be made");
    let provider = node(&place, HistoryOptions::new());
    for _ in 0..2 {
        let said = failing(&provider, lock, &told).await;
        for part in [
            "`shedlock_history` for the history of runs does not exist",
            "call `ensure_schema()` or run: CREATE TABLE IF NOT EXISTS",
            "position_tries",
        ] {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
        // It works as soon as the table is there, without a restart.
        provider.ensure_schema().await.expect("it can be made");
        run(&provider, lock).await;
        assert_eq!(runs(&provider, lock, 1).await.len(), 1);
        place.execute("DROP TABLE shedlock_history").await;
    }
    let error = provider.history(lock, ever()).await.expect_err("no table");
    assert!(error.to_string().contains("CREATE TABLE"), "{error}");
}

/// A user who may use the table of locks, but not that of the history.
async fn without_the_right<DB: HistoryStore>(place: &Place<DB>, lock: &'static str) {
    place.make(Table::Ours).await;
    let url = DB::read_only_user(place).await.expect("a server");
    DB::grant(place, "SELECT, INSERT, UPDATE", "shedlock").await;
    let builder = SqlxLockProvider::<DB>::builder_from_url(&url);
    let provider = builder.history(HistoryOptions::new()).build();
    let provider = provider.expect("the options are valid");
    let (_listening, told) = failures(lock);
    let said = failing(&provider, lock, &told).await;
    for part in [
        "may not use the table `shedlock_history`",
        "run: GRANT SELECT, INSERT, DELETE ON",
    ] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    let checked = provider.check_schema().await.expect_err("no right");
    assert!(
        checked.to_string().contains("GRANT SELECT, INSERT, DELETE"),
        "{checked}"
    );
    // What the error says is enough.
    DB::grant(place, "SELECT, INSERT, DELETE", "shedlock_history").await;
    drop(provider.check_schema().await.expect("nothing is wrong"));
    let now = whole_now();
    let run = RunRecord::new(lock, "web-1", now..now, RunOutcome::Completed);
    let entered = history(&provider).append(&run).await;
    entered.expect("it is entered, and old ones may be deleted");
    assert_eq!(runs(&provider, lock, 1).await.len(), 1);
}

#[tokio::test]
async fn postgres_without_the_right_to_the_table() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    without_the_right(&place, "no-right-in-postgres").await;
}

#[tokio::test]
async fn mariadb_without_the_right_to_the_table() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    without_the_right(&place, "no-right-in-mysql").await;
}
