//! Each line says what, who, until when and what now; a normal day is silent at INFO.

use std::time::{Duration, Instant};

use shedlock_runtime::testing::Fault;
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockProvider as _, Operation, host_node_name,
};
use tracing::Level;

use super::capture::{Seen, line, lines, names, start};
use super::store::{AWAY, config, hold, run, seconds, store};

mod lost;
mod repeated;

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
            "the task of `starved` was polled ",
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
