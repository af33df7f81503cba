//! What a recorder of metrics is told: every name, every label, zero from the beginning, and a balance.
#![expect(
    clippy::float_cmp,
    reason = "counts, and seconds of paused time, are exact"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::__private::{Job, error_value, skip_value};
use shedlock_runtime::testing::{Fault, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockProvider as _, LockingTaskExecutor,
    Operation, lock,
};

use super::expansion::run as call;
use super::prometheus::Recorder;
use super::store::{AWAY, config, hold, run, seconds, store};

mod held;

/// The samples that are not zero, without the buckets and sums.
fn counts(recorder: &Recorder, lock: &str) -> Vec<(String, f64)> {
    let mut all = recorder.all(lock);
    all.retain(|series, value| {
        *value != 0.0
            && !series.contains("_bucket ")
            && !series.contains("_sum ")
            && !series.contains("_timestamp ")
    });
    let provider = |series: &str| {
        series
            .replace(" provider=records", "")
            .replace(" provider=memory", "")
    };
    all.iter()
        .map(|(series, value)| (provider(series), *value))
        .collect()
}

fn expect(recorder: &Recorder, lock: &str, expected: &[(&str, f64)]) {
    let found = counts(recorder, lock);
    let found: Vec<_> = found
        .iter()
        .map(|(series, value)| (series.as_str(), *value))
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_counted_and_timed() {
    let recorder = Recorder::start();
    let memory = InMemoryLockProvider::new();
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    run(&memory, config("m-run", "10m"), async {
        expect(
            &recorder,
            "m-run",
            &[
                ("shedlock_acquire_seconds_count", 1.0),
                ("shedlock_acquired", 1.0),
                ("shedlock_attempts", 1.0),
                ("shedlock_held", 1.0),
            ],
        );
        seconds(60).await;
    })
    .await
    .unwrap();
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    expect(
        &recorder,
        "m-run",
        &[
            ("shedlock_acquire_seconds_count", 1.0),
            ("shedlock_acquired", 1.0),
            ("shedlock_attempts", 1.0),
            ("shedlock_body_seconds_count outcome=completed", 1.0),
            ("shedlock_hold_seconds_count", 1.0),
            ("shedlock_releases ok=true", 1.0),
        ],
    );
    let all = recorder.all("m-run");
    assert_eq!(
        all["shedlock_body_seconds_sum outcome=completed provider=memory"],
        60.0
    );
    assert_eq!(all["shedlock_hold_seconds_sum provider=memory"], 60.0);
    let success = all["shedlock_last_success_timestamp provider=memory"];
    assert!(
        before.as_secs_f64() <= success && success <= after.as_secs_f64(),
        "{success}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_is_counted_as_that_and_is_no_success() {
    let recorder = Recorder::start();
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let task = async { Err::<(), _>("out of paper") };
    let ran = executor
        .execute_with_failure_check(config("m-failed", "10m"), task, Result::is_err)
        .await;
    assert_eq!(ran.unwrap().executed(), Some(Err("out of paper")));
    let all = recorder.all("m-failed");
    assert_eq!(
        all["shedlock_body_seconds_count outcome=failed provider=memory"],
        1.0
    );
    assert_eq!(
        all["shedlock_body_seconds_count outcome=completed provider=memory"],
        0.0
    );
    assert_eq!(all["shedlock_last_success_timestamp provider=memory"], 0.0);
}

/// The number of a step that failed is not shown, nor that of a text's only run.
#[tokio::test(start_paused = true)]
async fn the_last_step_that_was_done_is_shown() {
    let recorder = Recorder::start();
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let step = |n| config("m-step", "10m").with_step(n).unwrap();
    let shown = || {
        recorder
            .all("m-step")
            .get("shedlock_last_success_position provider=memory")
            .copied()
    };
    let fails = async { Err::<(), ()>(()) };
    let failed = executor.execute_with_failure_check(
        step(1).with_attempts(2).unwrap(),
        fails,
        Result::is_err,
    );
    assert!(failed.await.unwrap().was_executed());
    assert_eq!(shown(), None);
    let again = step(1).with_attempts(2).unwrap();
    assert!(
        executor
            .execute(again, async {})
            .await
            .unwrap()
            .was_executed()
    );
    assert_eq!(shown(), Some(1.0));
    assert!(
        executor
            .execute(step(2), async {})
            .await
            .unwrap()
            .was_executed()
    );
    assert_eq!(shown(), Some(2.0));
    let text = config("m-text", "10m").with_instant_text("a").unwrap();
    assert!(
        executor
            .execute(text, async {})
            .await
            .unwrap()
            .was_executed()
    );
    let shown = recorder.all("m-text");
    assert!(!shown.contains_key("shedlock_last_success_position provider=memory"));
}

/// A counter that appears with its first increment hides that increment from `increase()`.
#[tokio::test(start_paused = true)]
async fn every_series_of_a_lock_is_there_from_the_beginning() {
    let recorder = Recorder::start();
    let memory = InMemoryLockProvider::new();
    hold(&memory, "m-zero-1", "10m").await;
    let job = Job::formatted(format_args!("m-zero-{}", 1), "m-zero-{tenant}");
    let job = job.at_most(Duration::from_secs(60));
    with_provider(
        memory,
        call(job, async {}, skip_value::<()>, error_value, |()| None),
    )
    .await;
    let all = recorder.all("m-zero-{tenant}");
    let mut names: Vec<_> = all
        .keys()
        .filter(|series| !series.contains("_bucket "))
        .map(String::as_str)
        .collect();
    names.retain(|series| !series.starts_with("shedlock_errors "));
    let expected = "
        shedlock_acquire_seconds_count
        shedlock_acquire_seconds_sum
        shedlock_acquired
        shedlock_attempts
        shedlock_body_seconds_count outcome=completed
        shedlock_body_seconds_count outcome=dropped
        shedlock_body_seconds_count outcome=failed
        shedlock_body_seconds_count outcome=lost
        shedlock_body_seconds_count outcome=panicked
        shedlock_body_seconds_count outcome=shut_down
        shedlock_body_seconds_sum outcome=completed
        shedlock_body_seconds_sum outcome=dropped
        shedlock_body_seconds_sum outcome=failed
        shedlock_body_seconds_sum outcome=lost
        shedlock_body_seconds_sum outcome=panicked
        shedlock_body_seconds_sum outcome=shut_down
        shedlock_extension_delay_seconds_count
        shedlock_extension_delay_seconds_sum
        shedlock_extensions ok=false
        shedlock_extensions ok=true
        shedlock_held
        shedlock_hold_seconds_count
        shedlock_hold_seconds_sum
        shedlock_last_success_timestamp
        shedlock_losses reason=deadline
        shedlock_losses reason=stolen
        shedlock_overruns
        shedlock_releases ok=false
        shedlock_releases ok=true
        shedlock_skipped reason=contended
        shedlock_skipped reason=held
        shedlock_skipped reason=paused
        shedlock_skipped reason=shutting_down
        shedlock_takeovers";
    let expected: Vec<_> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(|series| series.replace(" provider=memory", ""))
        .collect();
    assert_eq!(names, expected);
    for kind in ["unavailable", "timeout", "indeterminate", "read_only"] {
        for op in ["acquire", "extend", "release"] {
            assert_eq!(
                all[&format!("shedlock_errors kind={kind} op={op} provider=memory")],
                0.0
            );
        }
    }
    expect(
        &recorder,
        "m-zero-{tenant}",
        &[
            ("shedlock_acquire_seconds_count", 1.0),
            ("shedlock_attempts", 1.0),
            ("shedlock_skipped reason=held", 1.0),
        ],
    );
    let text = recorder.text();
    assert!(
        !text.contains("tenant\",lock") && text.contains("lock=\"m-zero-{tenant}\""),
        "{text}"
    );
    assert!(
        text.contains("# HELP shedlock_skipped Calls that did not run, by reason"),
        "{text}"
    );
    assert!(
        text.contains("# TYPE shedlock_body_seconds histogram"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_counted_by_its_kind() {
    let recorder = Recorder::start();
    let (store, records) = store();
    store.next(Operation::Acquire, AWAY);
    run(&store, config("m-wrong", "10s"), async {})
        .await
        .unwrap_err();
    let kept = config("m-wrong", "10s").with_keep_alive().unwrap();
    store.next(Operation::Extend, AWAY);
    store.next(Operation::Release, Fault::Fail(ErrorKind::Schema));
    run(&store, kept.clone(), seconds(6)).await.unwrap();
    run(&store, config("m-wrong", "10s"), seconds(11))
        .await
        .unwrap();
    run(&store, kept, async {
        records.delete("m-wrong");
        seconds(60).await;
    })
    .await
    .unwrap_err();
    hold(&store, "m-wrong", "10s").await;
    seconds(11).await;
    run(&store, config("m-wrong", "10s"), async {})
        .await
        .unwrap();
    let found = counts(&recorder, "m-wrong");
    let is = |series: &str| {
        found
            .iter()
            .find(|(name, _)| name == series)
            .map_or(0.0, |(_, value)| *value)
    };
    for (series, expected) in [
        ("shedlock_attempts", 6.0),
        ("shedlock_acquired", 5.0),
        ("shedlock_errors kind=unavailable op=acquire", 1.0),
        ("shedlock_errors kind=unavailable op=extend", 1.0),
        ("shedlock_errors kind=schema op=release", 1.0),
        ("shedlock_extensions ok=false", 1.0),
        ("shedlock_extensions ok=true", 1.0),
        ("shedlock_extension_delay_seconds_count", 1.0),
        ("shedlock_releases ok=false", 1.0),
        ("shedlock_losses reason=deadline", 1.0),
        ("shedlock_losses reason=stolen", 1.0),
        ("shedlock_overruns", 1.0),
        ("shedlock_takeovers", 1.0),
        ("shedlock_body_seconds_count outcome=completed", 3.0),
        ("shedlock_body_seconds_count outcome=lost", 1.0),
        ("shedlock_held", 0.0),
    ] {
        assert_eq!(is(series), expected, "{series} in {found:?}");
    }
    // What was left when the lease without keep-alive was about to expire.
    assert_eq!(is("shedlock_lease_remaining_seconds"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn an_extension_by_hand_is_not_late() {
    let recorder = Recorder::start();
    let memory = InMemoryLockProvider::new();
    run(&memory, config("m-hand", "10s"), async {
        seconds(7).await;
        lock::extend("10s", "0s").await.unwrap();
    })
    .await
    .unwrap();
    let all = recorder.all("m-hand");
    assert_eq!(all["shedlock_extensions ok=true provider=memory"], 1.0);
    assert_eq!(
        all["shedlock_extension_delay_seconds_count provider=memory"],
        0.0
    );
    assert_eq!(all["shedlock_lease_remaining_seconds provider=memory"], 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_a_reason_of_its_own() {
    let recorder = Recorder::start();
    let memory = InMemoryLockProvider::new();
    let until = memory.info().clock().utc() + Duration::from_secs(60);
    memory.pause("m-paused", until, "why").await.unwrap();
    assert_eq!(
        run(&memory, config("m-paused", "10s"), async {})
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        recorder.all("m-paused")["shedlock_skipped provider=memory reason=paused"],
        1.0
    );
}

/// Whatever becomes of a lock, it is counted as held exactly while it is.
#[tokio::test(start_paused = true)]
async fn what_an_operator_does_to_a_lock_begins_no_series() {
    let recorder = Recorder::start();
    let memory = InMemoryLockProvider::new();
    let until = memory.info().clock().utc() + Duration::from_secs(60);
    memory.pause("m-sync-7", until, "why").await.unwrap();
    memory.resume("m-sync-7").await.unwrap();
    memory.pause("m-sync-7", until, "why").await.unwrap();
    memory.force_release("m-sync-7", "why").await.unwrap();
    assert_eq!(recorder.text(), "", "it is one of many locks of a template");
}
