//! Each line says what, who, until when and what now; a normal day is silent at INFO.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use shedlock_runtime::__private::{Job, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockProvider as _, LockProviderExt as _,
    OnLost, Operation, Ownership, host_node_name, lock,
};
use tracing::Level;

use super::capture::{Seen, line, lines, names, start};
use super::expansion::run as call;
use super::store::{AWAY, config, hold, run, seconds, store};

/// What every line has.
pub(crate) fn check(line: &Seen, level: Level, lock: &str, provider: &str) {
    assert_eq!(line.level, level, "{line:?}");
    assert_eq!(line.target, "shedlock");
    assert_eq!(line.field("event"), line.name);
    assert_eq!(line.field("lock.name"), lock);
    assert_eq!(line.field("lock.provider"), provider);
    assert!(line.message().contains(&format!("`{lock}`")), "{line:?}");
}

/// Whether the message has these parts, in order.
pub(crate) fn says(line: &Seen, parts: &[&str]) {
    let mut rest = line.message();
    for part in parts {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("no `{part}` in `{}`", line.message()));
        rest = &rest[at + part.len()..];
    }
}

pub(crate) fn loud(lock: &str) -> Vec<&'static str> {
    let lines = lines(lock);
    let loud = lines.iter().filter(|line| line.level <= Level::INFO);
    loud.map(|line| line.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_normal_run_and_a_normal_skip_are_silent_at_info() {
    start();
    let (store, _records) = store();
    let other = store.clone();
    let ran = run(&store, config("silent", "10m"), async {
        seconds(60).await;
        // In a task of its own, or it would be the same holder.
        let second = async move { run(&other, config("silent", "10m"), async {}).await };
        tokio::spawn(second).await.unwrap().unwrap()
    });
    let second = ran.await.unwrap().unwrap();
    assert_eq!(second, None, "it is held");
    let expected = ["lock.acquired", "lock.skipped", "lock.released"];
    assert_eq!(names("silent"), expected);
    assert_eq!(loud("silent"), [""; 0]);

    let node = &*host_node_name();
    let acquired = line("silent", "lock.acquired");
    check(&acquired, Level::DEBUG, "silent", "records");
    assert_eq!(acquired.field("lock.node"), node);
    assert!(acquired.field("lock.fencing_token").parse::<u64>().unwrap() > 0);
    says(
        &acquired,
        &["acquired `silent`: held until 20", "Z (in 10m) at most"],
    );
    let skipped = line("silent", "lock.skipped");
    check(&skipped, Level::DEBUG, "silent", "records");
    assert_eq!(skipped.field("lock.node"), node);
    assert_eq!(skipped.field("lock.outcome"), "held");
    let parts = [
        "skipped `silent`: held by ",
        node,
        " until 20",
        "Z (in 9m); the next tick asks again",
    ];
    says(&skipped, &parts);
    let released = line("silent", "lock.released");
    check(&released, Level::DEBUG, "silent", "records");
    assert_eq!(released.message(), "released `silent`");
}

#[tokio::test(start_paused = true)]
async fn a_lock_kept_for_its_at_least_is_released_from_then() {
    start();
    let (store, _records) = store();
    let config = config("floor", "10m").with_at_least("14m").unwrap();
    run(&store, config, seconds(60)).await.unwrap();
    says(
        &line("floor", "lock.released"),
        &["released `floor`: free from 20", "Z (in 13m)"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_never_came_back_is_named_once() {
    start();
    let (store, _records) = store();
    hold(&store, "dead", "10m").await;
    seconds(601).await;
    run(&store, config("dead", "10m"), async {}).await.unwrap();
    run(&store, config("dead", "10m"), async {}).await.unwrap();
    let expected = [
        "lock.acquired",
        "lock.taken_over",
        "lock.acquired",
        "lock.released",
        "lock.acquired",
        "lock.released",
    ];
    assert_eq!(names("dead"), expected);
    assert_eq!(loud("dead"), ["lock.taken_over"]);

    let node = &*host_node_name();
    let told = line("dead", "lock.taken_over");
    check(&told, Level::WARN, "dead", "records");
    assert_eq!(told.field("lock.node"), node);
    assert_eq!(told.field("predecessor.node"), node);
    assert!(told.field("predecessor.since").starts_with("20"));
    assert!(
        told.field("predecessor.fencing_token")
            .parse::<u64>()
            .unwrap()
            > 0
    );
    let parts = [
        node,
        " took over `dead` from ",
        node,
        ", which had it since 20",
        "Z and did not give it back until its lease ended at 20",
        "Z: that node crashed, lost the store, or ran past its lease; look whether its work is complete",
    ];
    says(&told, &parts);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_does_is_said_at_info() {
    start();
    let memory = InMemoryLockProvider::new();
    let until = memory.info().clock().utc() + Duration::from_secs(3600);
    memory
        .pause("admin", until, "moving the mail server")
        .await
        .unwrap();
    run(&memory, config("admin", "10m"), async {})
        .await
        .unwrap();
    memory.resume("admin").await.unwrap();
    hold(&memory, "admin", "10m").await;
    memory.force_release("admin", "it hangs").await.unwrap();
    let expected = [
        "lock.paused",
        "lock.skipped",
        "lock.resumed",
        "lock.acquired",
        "lock.force_released",
    ];
    assert_eq!(names("admin"), expected);
    let end = humantime::format_rfc3339_seconds(until);
    let paused = format!("an operator has paused `admin` until {end}: moving the mail server");
    for (name, message) in [
        ("lock.paused", paused.as_str()),
        ("lock.resumed", "an operator has resumed `admin`"),
        (
            "lock.force_released",
            "an operator has force-released `admin`: it hangs",
        ),
    ] {
        let line = line("admin", name);
        check(&line, Level::INFO, "admin", "memory");
        assert_eq!(line.message(), message);
    }
    let skipped = line("admin", "lock.skipped");
    check(&skipped, Level::INFO, "admin", "memory");
    assert_eq!(skipped.field("lock.outcome"), "paused");
    says(
        &skipped,
        &[
            "skipped `admin`: paused until 20",
            "(in 1h)",
            "; `LockAdmin` says why and can resume it",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_said_once_a_minute_however_often_the_job_is_due() {
    start();
    let memory = InMemoryLockProvider::new();
    let until = memory.info().clock().utc() + Duration::from_secs(3600);
    memory.pause("ticking", until, "a test").await.unwrap();
    for _ in 0..90 {
        run(&memory, config("ticking", "10m"), async {})
            .await
            .unwrap();
        seconds(1).await;
    }
    let skips = names("ticking").len() - 1;
    assert_eq!(skips, 90, "each is said at DEBUG");
    assert_eq!(
        loud("ticking"),
        ["lock.paused", "lock.skipped", "lock.skipped"]
    );
}

#[tokio::test(start_paused = true)]
async fn errors_that_no_caller_sees_are_said_once_a_minute() {
    start();
    let (store, _records) = store();
    for _ in 0..4 {
        store.next(Operation::Acquire, AWAY);
    }
    with_provider(store, async {
        for _ in 0..4 {
            let job = Job::named("away").at_most(Duration::from_secs(600));
            call::<(), _>(
                job,
                async { panic!("no lock") },
                skip_value,
                error_value,
                |()| false,
            )
            .await;
            seconds(25).await;
        }
    })
    .await;
    let lines = lines("away");
    assert_eq!(lines.len(), 2, "at 0 and 75 s, not at 25 and 50: {lines:?}");
    for line in &lines {
        assert_eq!((line.name, line.level), ("lock.error", Level::ERROR));
        assert_eq!(line.field("event"), "lock.error");
        assert_eq!(line.field("lock.provider"), "records");
        assert_eq!(line.field("error.type"), "unavailable");
        assert_eq!(line.field("error.transient"), "true");
        says(
            line,
            &["did not run: failed to acquire lock `away` in records: a fault on demand"],
        );
    }
    says(&lines[1], &["; errors since the last line: 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_in_one_store_does_not_hide_that_in_another() {
    start();
    for _ in 0..2 {
        let (store, _records) = store();
        for _ in 0..2 {
            store.next(Operation::Acquire, AWAY);
        }
        with_provider(store, async {
            for _ in 0..2 {
                let job = Job::named("away-everywhere");
                call(job, async {}, skip_value, error_value, |()| false).await;
            }
        })
        .await;
    }
    let expected = ["lock.error", "lock.error"];
    assert_eq!(names("away-everywhere"), expected, "one of each store");
}

#[tokio::test(start_paused = true)]
async fn attempts_that_are_used_up_are_an_error_once_a_minute() {
    start();
    let memory = InMemoryLockProvider::new();
    let once = config("exhausted", "10s").with_once_per("300d").unwrap();
    let once = once.with_attempts(1).unwrap();
    // A run that does not say that it is done.
    drop(memory.try_lock(once.clone()).await.unwrap().unwrap());
    for _ in 0..3 {
        assert!(memory.try_lock(once.clone()).await.unwrap().is_none());
    }
    let mut told = lines("exhausted");
    told.retain(|line| line.level == Level::ERROR);
    assert_eq!(told.len(), 1, "{told:?}");
    check(&told[0], Level::ERROR, "exhausted", "memory");
    says(
        &told[0],
        &[
            "skipped `exhausted`: all attempts are used up",
            "look at its errors",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_in_one_store_does_not_hide_that_in_another() {
    start();
    let until = std::time::SystemTime::now() + Duration::from_secs(3600);
    for _ in 0..2 {
        let store = InMemoryLockProvider::new();
        store.pause("paused-everywhere", until, "").await.unwrap();
        for _ in 0..2 {
            run(&store, config("paused-everywhere", "10m"), async {})
                .await
                .unwrap();
        }
    }
    let lines = lines("paused-everywhere");
    let paused = lines.iter().find(|line| line.name == "lock.paused");
    let message = paused.expect("the operator's line").message();
    let end = humantime::format_rfc3339_seconds(until);
    assert_eq!(
        message,
        format!("an operator has paused `paused-everywhere` until {end}")
    );
    let loud = ["lock.paused", "lock.skipped"].repeat(2);
    assert_eq!(self::loud("paused-everywhere"), loud, "one of each store");
}

#[tokio::test(start_paused = true)]
async fn extensions_are_traced_and_failed_ones_warn() {
    start();
    let (store, _records) = store();
    store.next(Operation::Extend, AWAY);
    let config = config("extended", "10s").with_keep_alive().unwrap();
    run(&store, config, seconds(12)).await.unwrap();
    let expected = [
        "lock.acquired",
        "lock.extend_failed",
        "lock.extended",
        "lock.extended",
        "lock.released",
    ];
    assert_eq!(names("extended"), expected);
    let failed = line("extended", "lock.extend_failed");
    check(&failed, Level::WARN, "extended", "records");
    assert_eq!(failed.field("error.type"), "unavailable");
    says(
        &failed,
        &[
            "could not extend `extended`: trying again until its lease ends at 20",
            "Z (in 5s)",
        ],
    );
    let all = lines("extended");
    let extended = all
        .iter()
        .find(|line| line.name == "lock.extended")
        .unwrap();
    check(extended, Level::TRACE, "extended", "records");
    says(
        extended,
        &["extended `extended`: held until 20", "Z (in 10s) at most"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_warns_once_a_minute_of_a_long_lease() {
    start();
    let (store, _records) = store();
    for _ in 0..150 {
        store.next(Operation::Extend, AWAY);
    }
    let config = config("pressed", "10m").with_keep_alive().unwrap();
    run(&store, config, seconds(540)).await.unwrap();
    let failed = names("pressed");
    let failed = failed.iter().filter(|name| **name == "lock.extend_failed");
    assert_eq!(failed.count(), 150, "each is said at DEBUG");
    let loud = loud("pressed");
    assert!((2..=4).contains(&loud.len()), "{loud:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_outlives_its_lease_is_announced_lost_and_overrun_once_each() {
    start();
    let (store, _records) = store();
    run(&store, config("long", "10s"), seconds(17))
        .await
        .unwrap();
    // The store had freed it, so the release finds it gone; that is no second loss.
    let expected = [
        "lock.acquired",
        "lock.expiring",
        "lock.lost",
        "lock.overrun",
    ];
    assert_eq!(names("long")[..4], expected);
    let expiring = line("long", "lock.expiring");
    check(&expiring, Level::WARN, "long", "records");
    let parts = [
        "the lease of `long` ends at 20",
        "Z (in 2s) and nobody extends it; use `keep_alive`",
    ];
    says(&expiring, &parts);
    let lost = line("long", "lock.lost");
    check(&lost, Level::ERROR, "long", "records");
    assert_eq!(lost.field("reason"), "deadline");
    assert_eq!(lost.field("lock.node"), &*host_node_name());
    let taken = line("long", "lock.acquired");
    assert_eq!(
        lost.field("lock.fencing_token"),
        taken.field("lock.fencing_token")
    );
    says(
        &lost,
        &[
            "lost `long`: its lease ended while it was running; another node may hold it now; the task is told and goes on",
        ],
    );
    let overrun = line("long", "lock.overrun");
    check(&overrun, Level::ERROR, "long", "records");
    assert_eq!(overrun.field("late_ms"), "7000");
    says(
        &overrun,
        &["`long` ran 7s past its lease, perhaps beside another node; give it `keep_alive`"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_the_store_took_away_is_lost_and_not_overrun() {
    start();
    let (store, records) = store();
    let config = config("stolen", "10s").with_keep_alive().unwrap();
    let config = config.with_on_lost(OnLost::Notify);
    run(&store, config, async {
        records.delete("stolen");
        lock::lost().await;
        // Far beyond the lease that it would have had.
        seconds(60).await;
    })
    .await
    .unwrap();
    assert_eq!(names("stolen"), ["lock.acquired", "lock.lost"]);
    let lost = line("stolen", "lock.lost");
    check(&lost, Level::ERROR, "stolen", "records");
    assert_eq!(lost.field("reason"), "stolen");
    says(
        &lost,
        &["lost `stolen`: the store says that the lock is not ours; another node may"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_late_was_not_robbed() {
    start();
    let (store, _) = store();
    let late = store.try_lock(config("late-guard", "10s")).await;
    let late = late.unwrap().unwrap();
    seconds(11).await;
    hold(&store, "late-guard", "10s").await;
    assert_eq!(late.unlock().await.unwrap(), Ownership::Lost);
    let lost = line("late-guard", "lock.lost");
    assert_eq!(lost.field("reason"), "deadline");
    says(&lost, &["its lease had ended when it was to be released"]);
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_shows_at_the_release_is_said_then() {
    start();
    let (store, records) = store();
    run(&store, config("gone", "10s"), async {
        records.delete("gone");
    })
    .await
    .unwrap();
    assert_eq!(names("gone"), ["lock.acquired", "lock.lost"]);
    let lost = line("gone", "lock.lost");
    assert_eq!(lost.field("reason"), "stolen");
    says(
        &lost,
        &["lost `gone`: it was gone when it was to be released"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_says_when_the_lock_frees_itself() {
    start();
    let (store, _records) = store();
    store.next(Operation::Release, AWAY);
    run(&store, config("kept", "10m"), seconds(60))
        .await
        .unwrap();
    let failed = line("kept", "lock.release_failed");
    check(&failed, Level::WARN, "kept", "records");
    assert_eq!(failed.field("error.type"), "unavailable");
    let parts = [
        "could not release `kept`: trying again in the background; it frees itself at 20",
        "Z (in 9m)",
    ];
    says(&failed, &parts);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_said_and_what_it_granted_is_taken_back() {
    start();
    let (store, _records) = store();
    store.next(Operation::Acquire, Fault::LoseReply);
    run(&store, config("orphan", "10m"), async {})
        .await
        .unwrap_err();
    seconds(60).await;
    assert_eq!(
        names("orphan"),
        ["lock.indeterminate", "lock.orphan_cleared"]
    );
    let asked = line("orphan", "lock.indeterminate");
    check(&asked, Level::WARN, "orphan", "records");
    let expected = "no answer to the acquisition of `orphan`: not run; taking back what records may have granted until 20";
    says(&asked, &[expected, "Z (in 10m)"]);
    let cleared = line("orphan", "lock.orphan_cleared");
    check(&cleared, Level::DEBUG, "orphan", "records");
    assert_eq!(
        cleared.message(),
        "took back `orphan`, which records had granted without our knowing"
    );
}

#[test]
fn a_lock_that_cannot_be_given_back_is_abandoned_aloud() {
    start();
    // Taken where there is no runtime, and to be given back to a store that takes a while.
    let store = FaultyProvider::new(InMemoryLockProvider::new());
    store.next(Operation::Release, Fault::Hang);
    let lock = store.try_lock(config("abandoned", "10m")).now_or_never();
    drop(lock.unwrap().unwrap().unwrap());
    let abandoned = line("abandoned", "lock.abandoned");
    check(&abandoned, Level::WARN, "abandoned", "memory");
    let expected =
        "did not release `abandoned`: there is no runtime to do it on; it frees itself at 20";
    says(&abandoned, &[expected, "Z (in 9m 5"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_not_taken_for_a_blocked_thread() {
    start();
    let (store, _records) = store();
    for _ in 0..10 {
        let slow = Fault::DelayReply(Duration::from_secs(4));
        store.next(Operation::Extend, slow);
    }
    let config = config("slow", "60s").with_keep_alive_every("1s").unwrap();
    run(&store, config, seconds(45)).await.unwrap();
    assert!(names("slow").contains(&"lock.extended"));
    assert!(!names("slow").contains(&"lock.starved"));
}

/// On real time, as it is about a thread that is blocked.
#[tokio::test]
async fn a_task_that_could_not_run_says_how_late_it_was() {
    start();
    let (store, _records) = store();
    let began = Instant::now();
    let period = Duration::from_millis(300);
    let config = config("starved", "3s")
        .with_keep_alive_every(period)
        .unwrap();
    let ran = run(&store, config, async {
        let blocked = tokio::spawn(async {
            let began = Instant::now();
            std::thread::sleep(Duration::from_millis(900));
            (began, Instant::now())
        });
        let blocked = blocked.await.unwrap();
        (blocked, Instant::now())
    });
    let ((blocked, unblocked), polled) = ran.await.unwrap().unwrap();
    let starved = line("starved", "lock.starved");
    check(&starved, Level::WARN, "starved", "records");
    let late = Duration::from_millis(starved.field("late_ms").parse().unwrap());
    // The extension was due 300 ms after the body began to wait: after the call began, before the thread was blocked.
    let least = (unblocked - blocked).saturating_sub(period + Duration::from_millis(1));
    let most = (polled - began).saturating_sub(period);
    assert!(
        least <= late && late <= most,
        "{least:?} <= {late:?} <= {most:?}"
    );
    says(
        &starved,
        &[
            "the task of `starved` was polled 6",
            "late: it blocks its thread, or something else does",
        ],
    );
    says(&starved, &["move blocking work to `spawn_blocking`"]);
}

#[tokio::test(start_paused = true)]
async fn no_line_and_no_span_shows_the_secret_of_an_owner() {
    start();
    let (store, records) = store();
    hold(&store, "secret", "1s").await;
    run(&store, config("secret", "1s"), async {}).await.unwrap();
    seconds(2).await;
    for fault in [Operation::Acquire, Operation::Extend, Operation::Release] {
        store.next(fault, Fault::Fail(ErrorKind::Other));
        let config = config("secret", "10s").with_keep_alive().unwrap();
        drop(run(&store, config, seconds(12)).await);
        seconds(12).await;
    }
    let secrets = records.secrets();
    assert!(
        secrets.len() >= 4 && secrets.iter().all(|secret| secret.len() == 32),
        "{secrets:?}"
    );
    let seen = format!("{:?}{:?}", lines("secret"), super::capture::spans("secret"));
    assert!(seen.contains(&*host_node_name()), "the node is no secret");
    for secret in secrets {
        assert!(!seen.contains(&secret), "{secret} in {seen}");
    }
}
