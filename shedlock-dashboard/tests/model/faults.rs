//! A store or a history that fails, is slow, or has much to tell.

use std::time::{Duration, SystemTime};

use shedlock_dashboard::WarningKind;
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{ErrorKind, LockInfo, RunOutcome, RunRecord};

use crate::stores::{Scripted, first, held, now, snapshot};

const SECOND: Duration = Duration::from_secs(1);

fn run(lock: &str, began: SystemTime) -> RunRecord {
    RunRecord::new(lock, "web-1", began..began + SECOND, RunOutcome::Completed)
}

#[tokio::test]
async fn a_store_that_fails_is_asked_again() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    let mut observer = store.observer();
    store.lists([held("a", "web-1", now(&clock), SECOND)]);
    store.fails(Some(ErrorKind::Unavailable));
    let error = observer.snapshot().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    store.fails(None);
    assert_eq!(first(&mut observer).await.info.name, "a");
}

#[tokio::test]
async fn a_history_that_fails_leaves_the_locks_and_the_runs_that_were_read() {
    let clock = ManualClock::new();
    let store = Scripted::with_history(&clock);
    let mut observer = store.observer();
    store.lists([held("a", "web-1", now(&clock), SECOND)]);
    store.ran([run("a", now(&clock) - SECOND * 9)]);
    assert_eq!(first(&mut observer).await.runs.len(), 1);

    store.breaks_history_of(Some("a"));
    let seen = snapshot(&mut observer).await;
    assert_eq!(seen.locks[0].runs.len(), 1);
    assert!(
        matches!(&seen.warnings[0].kind, WarningKind::HistoryUnreadable { problem } if problem.contains("the table has gone")),
        "{:?}",
        seen.warnings
    );
    store.breaks_history_of(None);
    assert_eq!(snapshot(&mut observer).await.warnings, []);
}

#[tokio::test]
async fn one_history_that_fails_does_not_keep_the_others_from_being_read() {
    let clock = ManualClock::new();
    let store = Scripted::with_history(&clock);
    let mut observer = store.observer();
    let names: Vec<String> = (0..100).map(|n| format!("{n:03}")).collect();
    store.lists(
        names
            .iter()
            .map(|name| held(name, "web-1", now(&clock), SECOND)),
    );
    store.ran(names.iter().map(|name| run(name, now(&clock) - SECOND)));
    store.breaks_history_of(Some("000"));
    for _ in 0..20 {
        clock.advance(SECOND);
        snapshot(&mut observer).await;
    }
    let seen = snapshot(&mut observer).await;
    let without: Vec<_> = seen
        .locks
        .iter()
        .filter(|row| row.runs.is_empty())
        .map(|row| row.info.name.as_str())
        .collect();
    assert_eq!(without, ["000"]);
}

#[tokio::test]
async fn a_snapshot_reads_few_histories_and_only_those_that_may_have_changed() {
    let clock = ManualClock::new();
    let store = Scripted::with_history(&clock);
    let mut observer = store.observer();
    let locks = |n: usize| (0..n).map(|n| held(&format!("{n:05}"), "web-1", now(&clock), SECOND));
    store.lists(locks(1_000));
    snapshot(&mut observer).await;
    assert_eq!(store.reads().len(), 32);

    store.lists(locks(10));
    for _ in 0..3 {
        snapshot(&mut observer).await;
    }
    store.reads();
    snapshot(&mut observer).await;
    assert_eq!(store.reads(), [], "nothing has changed");

    // The end of a run under an `at_least` is a change, too: not of the holder, but of its owner.
    let kept = locks(1).next().unwrap().with_released(Some(true));
    store.lists([kept]);
    snapshot(&mut observer).await;
    assert_eq!(store.reads().len(), 1);

    snapshot(&mut observer).await;
    store.reads();
    clock.advance(SECOND * 61);
    snapshot(&mut observer).await;
    assert_eq!(store.reads().len(), 1, "after a minute in any case");
}

#[tokio::test]
async fn of_a_long_history_the_last_fifty_runs_are_kept_and_only_new_ones_read() {
    let clock = ManualClock::new();
    let store = Scripted::with_history(&clock);
    let mut observer = store.observer();
    let began = |n: u32| now(&clock) - SECOND * 1_000 + SECOND * n;
    store.lists([held("a", "web-1", now(&clock), SECOND)]);
    store.ran((0..300).map(|n| run("a", began(n))));
    let row = first(&mut observer).await;
    assert_eq!(row.runs.len(), 50);
    assert_eq!(row.runs[0].began, began(299), "the latest first");
    assert_eq!(store.reads(), [("a".to_owned(), SystemTime::UNIX_EPOCH)]);

    store.ran([run("a", began(300))]);
    let row = first(&mut observer).await;
    assert_eq!(row.runs.len(), 50);
    assert_eq!(row.runs[0].began, began(300));
    assert_eq!(store.reads(), [("a".to_owned(), began(250))]);
}

#[tokio::test]
async fn a_name_that_no_lock_can_have_has_no_history() {
    let clock = ManualClock::new();
    let store = Scripted::with_history(&clock);
    store.lists([LockInfo::from_remaining("a\nb", "web-1", SECOND)]);
    let seen = snapshot(&mut store.observer()).await;
    assert_eq!(store.reads(), []);
    assert_eq!(seen.warnings.len(), 1, "{:?}", seen.warnings);
    assert!(matches!(
        seen.warnings[0].kind,
        WarningKind::Unreadable { .. }
    ));
}
