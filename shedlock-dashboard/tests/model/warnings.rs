//! What looks wrong.

use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    LockAdmin as _, LockConfiguration, LockingTaskExecutor, RunOutcome, RunRecord,
};

use crate::stores::{Scripted, held, memory, now, observe, snapshot};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The runs of `mail`, one a minute, the last one ended a minute before `now`; each took ten seconds.
fn runs(now: SystemTime, outcomes: &[RunOutcome]) -> Vec<RunRecord> {
    let ages = (1..=outcomes.len()).rev();
    let runs = outcomes.iter().zip(ages).map(|(outcome, age)| {
        let ended = now - MINUTE * u32::try_from(age).unwrap();
        RunRecord::new("mail", "web-1", ended - SECOND * 10..ended, *outcome)
    });
    runs.collect()
}

/// The warnings about a free lock with these runs, the latest last.
async fn warned(outcomes: &[RunOutcome]) -> Vec<String> {
    let clock = ManualClock::new();
    let store = Scripted::with_history(&clock);
    store.lists([held("mail", "app", now(&clock), Duration::ZERO)]);
    store.ran(runs(now(&clock), outcomes));
    lines(&store).await
}

async fn lines(store: &Scripted) -> Vec<String> {
    let seen = snapshot(&mut store.observer()).await;
    seen.warnings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn runs_that_complete_are_no_warning() {
    use RunOutcome::{Completed, Failed, ShutDown};
    assert_eq!(warned(&[]).await, [""; 0]);
    assert_eq!(warned(&[Failed, Completed]).await, [""; 0]);
    assert_eq!(
        warned(&[Completed, ShutDown]).await,
        [""; 0],
        "a shutdown is no failure of the job"
    );
}

#[tokio::test]
async fn runs_that_do_not_complete_are_counted_up_to_the_last_that_did() {
    use RunOutcome::{Completed, Crashed, Dropped, Failed, Lost, Panicked, ShutDown};
    assert_eq!(
        warned(&[Completed, Failed]).await,
        ["mail: the last run failed"]
    );
    assert_eq!(
        warned(&[Failed, Completed, Panicked, ShutDown, Dropped]).await,
        ["mail: the last 2 runs did not complete; the last one was dropped"]
    );
    assert_eq!(
        warned(&[Completed, Failed, Crashed, Lost]).await,
        [
            "mail: crashed on web-1 2m ago",
            "mail: the last 3 runs did not complete; the last one lost its lock"
        ]
    );
}

#[tokio::test]
async fn a_crash_is_told_for_an_hour_after_another_node_took_over() {
    use RunOutcome::{Completed, Crashed};
    assert_eq!(
        warned(&[Crashed, Completed]).await,
        ["mail: crashed on web-1 2m ago"]
    );
    let mut later = vec![Crashed];
    later.extend([Completed; 60]);
    assert_eq!(warned(&later).await, [""; 0]);
}

#[tokio::test]
async fn a_lock_is_held_long_when_no_run_took_a_third_of_it() {
    let clock = ManualClock::new();
    let now = now(&clock);
    // Held for a minute, by `held`.
    for (count, took, expected) in [
        (
            5,
            19,
            Some("mail: held for 1m; the longest of its last runs took 19s"),
        ),
        (5, 20, None),
        (4, 1, None),
    ] {
        let store = Scripted::with_history(&clock);
        store.lists([held("mail", "app", now, MINUTE)]);
        store.ran((1..=count).map(|n| {
            let began = now - MINUTE * 10 * n;
            let ran = began..began + SECOND * took;
            RunRecord::new("mail", "web-1", ran, RunOutcome::Completed)
        }));
        assert_eq!(lines(&store).await, Vec::from_iter(expected));
    }
}

#[tokio::test]
async fn what_an_at_least_keeps_is_not_held_long() {
    let clock = ManualClock::new();
    let now = now(&clock);
    let store = Scripted::with_history(&clock);
    store.lists([held("mail", "app", now, MINUTE).with_released(Some(true))]);
    store.ran(runs(now, &[RunOutcome::Completed; 9]));
    assert_eq!(lines(&store).await, [""; 0]);
}

#[tokio::test]
async fn the_worst_is_first() {
    use RunOutcome::{Crashed, Failed};
    let clock = ManualClock::new();
    let now = now(&clock);
    let store = Scripted::with_history(&clock);
    let broken = held("z", "app", now, Duration::ZERO).with_problem("the end is NULL");
    store.lists([held("mail", "app", now + MINUTE * 5, SECOND), broken]);
    store.ran(runs(now, &[Crashed, Failed]));
    assert_eq!(
        lines(&store).await,
        [
            "z: the record is broken: the end is NULL",
            "mail: crashed on web-1 7m ago",
            "mail: the last 2 runs did not complete; the last one failed",
            "the store's clock is 5m ahead of this machine's",
        ]
    );
}

#[tokio::test]
async fn the_runs_of_a_real_provider_are_seen() {
    let clock = ManualClock::new();
    let provider = memory(&clock);
    let executor = LockingTaskExecutor::new(provider.clone());
    let mut observer = observe(provider.clone());
    let config = LockConfiguration::new("mail", "5m").unwrap();
    let failing = async { Err::<(), _>("out of paper") };
    let ran = executor.execute_with_failure_check(config, failing, Result::is_err);
    assert!(ran.await.unwrap().was_executed());
    // The entry is written in the background.
    let since_ever = || SystemTime::UNIX_EPOCH..now(&clock) + MINUTE;
    while provider
        .history("mail", since_ever())
        .await
        .unwrap()
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    let seen = snapshot(&mut observer).await;
    assert!(seen.keeps_history);
    assert_eq!(seen.locks[0].runs[0].outcome, RunOutcome::Failed);
    assert_eq!(seen.warnings[0].to_string(), "mail: the last run failed");
}
