//! Listeners hear everything, and can harm nothing.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use shedlock_runtime::testing::Fault;
use shedlock_runtime::{
    ErrorKind, EventKind, InMemoryLockProvider, ListenerGuard, LockAdmin as _, LockEvent,
    LockProvider as _, LockProviderExt as _, LossReason, Operation, RunOutcome, SchedulerLock,
    SkipReason,
};

use super::capture::{other_lines, start};
use super::store::{AWAY, config, hold, run, seconds, store};

/// How long a thread may take that has little to do.
const LIMIT: Duration = Duration::from_secs(30);

/// The events about `lock`, from now on: other tests of this program are heard as well.
fn listen(lock: &'static str) -> (ListenerGuard, Receiver<LockEvent>) {
    let (sender, receiver) = channel();
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str() == lock {
            let _ended = sender.send(event.clone());
        }
    });
    (listening.unwrap(), receiver)
}

/// The next events, up to the one called `last`.
fn until(events: &Receiver<LockEvent>, last: &str) -> Vec<LockEvent> {
    let mut heard = Vec::new();
    loop {
        let event = events.recv_timeout(LIMIT).unwrap();
        let is_last = event.kind.name() == last;
        heard.push(event);
        if is_last {
            return heard;
        }
    }
}

fn names(events: &[LockEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.name()).collect()
}

#[tokio::test(start_paused = true)]
#[expect(clippy::too_many_lines, reason = "one story, looked at event by event")]
async fn each_outcome_is_heard_in_order_by_all_with_what_it_is_about() {
    let (one, first) = listen("heard-a7");
    let (two, second) = listen("heard-a7");
    let (store, records) = store();
    let config = config("heard-a7", "10s").with_template("heard-{tenant}");

    let config = config
        .with_at_least("20s")
        .unwrap()
        .with_keep_alive()
        .unwrap();
    run(&store, config.clone(), seconds(6)).await.unwrap();
    run(&store, config.clone(), async {}).await.unwrap();
    seconds(20).await;
    store.next(Operation::Acquire, AWAY);
    run(&store, config.clone(), async {}).await.unwrap_err();
    store.next(Operation::Extend, AWAY);
    store.next(Operation::Release, Fault::Fail(ErrorKind::Timeout));
    run(&store, config.clone(), seconds(6)).await.unwrap();
    seconds(60).await;
    run(&store, config, async {
        records.delete("heard-a7");
        seconds(60).await;
    })
    .await
    .unwrap_err();

    let heard = until(&first, "lock.lost");
    let rest = until(&first, "lock.finished");
    assert_eq!(names(&until(&second, "lock.lost")), names(&heard));
    let expected = [
        "lock.acquired",
        "lock.extended",
        "lock.finished",
        "lock.released",
        "lock.skipped",
        "lock.error",
        "lock.acquired",
        "lock.extend_failed",
        "lock.extended",
        "lock.finished",
        "lock.release_failed",
        "lock.released",
        "lock.acquired",
        "lock.lost",
    ];
    assert_eq!(names(&heard), expected);
    for event in &heard {
        assert_eq!(event.template.as_str(), "heard-{tenant}");
        assert_eq!(event.provider, "records");
    }
    let found = |wanted: fn(&EventKind) -> bool| heard.iter().any(|event| wanted(&event.kind));
    let ten = Duration::from_secs(10);
    let five = Duration::from_secs(5);
    assert!(
        matches!(heard[0].kind, EventKind::Acquired { at_most, fencing_token: Some(_), .. } if at_most == ten)
    );
    let EventKind::Extended {
        at_most,
        left,
        late,
    } = heard[1].kind
    else {
        panic!("{heard:?}");
    };
    assert_eq!((at_most, left), (ten, five));
    assert!(
        late.is_some_and(|late| late < Duration::from_millis(10)),
        "{late:?}"
    );
    assert!(found(
        |kind| matches!(kind, EventKind::Finished { outcome: RunOutcome::Completed, took, position: None, .. } if took.as_secs() == 6)
    ));
    assert!(
        matches!(heard[3].kind, EventKind::Released { free_in, .. } if free_in.as_secs() == 13 || free_in.as_secs() == 14)
    );
    let EventKind::Skipped {
        reason,
        node,
        remaining,
        ..
    } = &heard[4].kind
    else {
        panic!("{heard:?}");
    };
    assert_eq!((*reason, node.is_some()), (SkipReason::Held, true));
    assert!(remaining.is_some_and(|left| left.as_secs() == 13 || left.as_secs() == 14));
    let EventKind::Failed(error) = &heard[5].kind else {
        panic!("{heard:?}");
    };
    assert_eq!(error.operation(), Some(Operation::Acquire));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.lock(), Some("heard-a7"), "{error:?}");
    let EventKind::ExtendFailed { error, left } = &heard[7].kind else {
        panic!("{heard:?}");
    };
    assert_eq!(error.operation(), Some(Operation::Extend));
    assert!(*left <= five && *left > Duration::from_secs(4), "{left:?}");
    assert!(
        matches!(&heard[10].kind, EventKind::ReleaseFailed { error, .. } if error.kind() == ErrorKind::Timeout)
    );
    assert!(matches!(
        heard[13].kind,
        EventKind::Lost(LossReason::Stolen)
    ));
    assert!(matches!(
        rest[0].kind,
        EventKind::Finished {
            outcome: RunOutcome::Lost,
            ..
        }
    ));
    assert_eq!((one.missed(), two.missed()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_does_is_heard() {
    let (_listening, events) = listen("heard-admin");
    let memory = InMemoryLockProvider::new();
    let until_then = memory.info().clock().utc() + Duration::from_secs(60);
    memory
        .pause("heard-admin", until_then, "why")
        .await
        .unwrap();
    memory.resume("heard-admin").await.unwrap();
    hold(&memory, "heard-admin", "10m").await;
    memory
        .force_release("heard-admin", "it hangs")
        .await
        .unwrap();
    let heard = until(&events, "lock.force_released");
    let expected = [
        "lock.paused",
        "lock.resumed",
        "lock.acquired",
        "lock.force_released",
    ];
    assert_eq!(names(&heard), expected);
    assert!(
        matches!(&heard[0].kind, EventKind::Paused { until, reason } if *until == until_then && &**reason == "why")
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_goes_on_and_is_logged_once() {
    start();
    let (sender, told) = channel();
    let _listening = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str() == "heard-panic" {
            sender.send(event.kind.name()).unwrap();
            panic!("a listener of a test panics");
        }
    })
    .unwrap();
    let (_listening, events) = listen("heard-panic");
    let memory = InMemoryLockProvider::new();
    for _ in 0..3 {
        let ran = run(&memory, config("heard-panic", "10s"), async { 7 }).await;
        assert_eq!(ran.unwrap(), Some(7));
        assert_eq!(
            names(&until(&events, "lock.released")).len(),
            3,
            "another listener hears all"
        );
    }
    let told: Vec<_> = (0..9).map(|_| told.recv_timeout(LIMIT).unwrap()).collect();
    assert_eq!(
        told[6..],
        ["lock.acquired", "lock.finished", "lock.released"]
    );
    let mut lines = other_lines();
    lines.retain(|line| line.field("event") == "listener.panicked");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].level, tracing::Level::WARN);
    assert!(
        lines[0].message().contains("panicked at `lock.acquired`"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_was_dropped_hears_no_more() {
    let (listening, events) = listen("heard-dropped");
    let memory = InMemoryLockProvider::new();
    run(&memory, config("heard-dropped", "10s"), async {})
        .await
        .unwrap();
    until(&events, "lock.released");
    drop(listening);
    let (_other, others) = listen("heard-dropped");
    run(&memory, config("heard-dropped", "10s"), async {})
        .await
        .unwrap();
    until(&others, "lock.released");
    // Its thread has ended: the sender is gone, and nothing was sent.
    assert!(
        events
            .recv_timeout(LIMIT)
            .is_err_and(|ended| ended == std::sync::mpsc::RecvTimeoutError::Disconnected)
    );
}

#[tokio::test]
async fn a_listener_may_take_locks_itself() {
    let memory = InMemoryLockProvider::new();
    let (sender, taken) = channel();
    let (store, runtime) = (memory.clone(), tokio::runtime::Handle::current());
    let _listening = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str() == "heard-outer" && event.kind.name() == "lock.released" {
            let inner = runtime.block_on(async {
                let lock = store.try_lock(config("heard-inner", "10s")).await.unwrap();
                lock.unwrap().unlock().await
            });
            sender.send(inner.is_ok()).unwrap();
        }
    })
    .unwrap();
    for _ in 0..3 {
        run(&memory, config("heard-outer", "10s"), async {})
            .await
            .unwrap();
    }
    let taken = tokio::task::spawn_blocking(move || {
        (0..3)
            .map(|_| taken.recv_timeout(LIMIT).unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(taken.await.unwrap(), [true; 3]);
}
