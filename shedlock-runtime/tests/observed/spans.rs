//! One span for each call, and one for each question to the store.

use shedlock_runtime::testing::Fault;
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockProviderExt as _, OnLost, Operation, host_node_name, lock,
};
use tracing::Level;

use super::capture::{Seen, line, spans, start};
use super::store::{AWAY, config, hold, run, seconds, store};

fn only(lock: &str, name: &str) -> Seen {
    let mut spans = spans(lock);
    spans.retain(|span| span.name == name);
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_run_has_all_its_fields_and_its_questions_are_its_children() {
    start();
    let (store, _records) = store();
    let config = config("span-a7", "10s").with_template("span-{tenant}");
    let config = config
        .with_at_least("3s")
        .unwrap()
        .with_keep_alive()
        .unwrap();
    let ran = run(&store, config, async {
        seconds(6).await;
        lock::fencing_token().unwrap()
    });
    let token = ran.await.unwrap().unwrap();
    let call = only("span-a7", "shedlock.run");
    assert_eq!((call.level, call.target), (Level::INFO, "shedlock"));
    for (field, value) in [
        ("lock.name", "span-a7"),
        ("lock.template", "span-{tenant}"),
        ("lock.provider", "records"),
        ("lock.at_most_ms", "10000"),
        ("lock.at_least_ms", "3000"),
        ("lock.node", &*host_node_name()),
        ("lock.fencing_token", &*token.to_string()),
        ("lock.outcome", "executed"),
    ] {
        assert_eq!(call.field(field), value, "{field}");
    }
    for name in ["shedlock.acquire", "shedlock.extend", "shedlock.release"] {
        let child = only("span-a7", name);
        assert_eq!((child.level, child.target), (Level::DEBUG, "shedlock"));
        assert_eq!(child.parent, Some("shedlock.run"), "{name}");
        assert_eq!(child.field("otel.kind"), "client");
        assert_eq!(child.field("lock.provider"), "records");
        assert!(!child.fields.contains_key("error.type"), "{child:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_outcome_has_its_word() {
    start();
    let (store, records) = store();
    hold(&store, "span-held", "10m").await;
    run(&store, config("span-held", "10m"), async {})
        .await
        .unwrap();
    assert_eq!(
        only("span-held", "shedlock.run").field("lock.outcome"),
        "held"
    );

    store.next(Operation::Acquire, AWAY);
    run(&store, config("span-away", "10m"), async {})
        .await
        .unwrap_err();
    assert_eq!(
        only("span-away", "shedlock.run").field("lock.outcome"),
        "error"
    );
    assert_eq!(
        only("span-away", "shedlock.acquire").field("error.type"),
        "unavailable"
    );

    let kept = config("span-lost", "10s").with_keep_alive().unwrap();
    let lost = run(&store, kept.with_on_lost(OnLost::Cancel), async {
        records.delete("span-lost");
        seconds(60).await;
    });
    let lost = lost.await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Lost);
    assert_eq!(
        lost.to_string(),
        "failed to run under lock `span-lost` in records: the lock was taken away while the task was running, so it was \
         cancelled; somebody released, paused or deleted it in the store"
    );
    let said = line("span-lost", "lock.lost");
    let end = "the store says that the lock is not ours; another node may hold it now; the task is cancelled";
    assert!(said.message().ends_with(end), "{said:?}");
    assert_eq!(
        only("span-lost", "shedlock.run").field("lock.outcome"),
        "lost"
    );
    assert_eq!(
        only("span-lost", "shedlock.extend").field("error.type"),
        "lost"
    );

    store.next(Operation::Release, Fault::Fail(ErrorKind::Timeout));
    run(&store, config("span-kept", "1s"), async {})
        .await
        .unwrap();
    // It is tried again at once, in the background and in the span of the run.
    seconds(1).await;
    assert_eq!(
        only("span-kept", "shedlock.run").field("lock.outcome"),
        "executed"
    );
    let spans = spans("span-kept");
    let first = spans.iter().find(|span| span.name == "shedlock.release");
    assert_eq!(first.unwrap().field("error.type"), "timeout");
}

#[tokio::test(start_paused = true)]
async fn a_guard_by_hand_has_no_run() {
    start();
    let memory = InMemoryLockProvider::new();
    let lock = memory
        .try_lock(config("span-hand", "10s"))
        .await
        .unwrap()
        .unwrap();
    lock.unlock().await.unwrap();
    let names: Vec<_> = spans("span-hand").iter().map(|span| span.name).collect();
    assert_eq!(names, ["shedlock.acquire", "shedlock.release"]);
}
