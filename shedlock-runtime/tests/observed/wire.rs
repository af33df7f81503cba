//! What was asked of a store and what it answered, for whoever asks for TRACE.

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    InMemoryLockProvider, LockProviderExt as _, NamespacedLockProvider, Operation, Ownership,
    host_node_name,
};
use tracing::Level;

use super::capture::{Seen, start, wire};
use super::store::{AWAY, config, hold, run, seconds, store};

fn messages(lock: &str) -> Vec<String> {
    let lines = wire(lock);
    lines.iter().map(|line| line.message().to_owned()).collect()
}

fn check(line: &Seen, provider: &str, span: &str) {
    assert_eq!((line.level, line.name), (Level::TRACE, "store.answered"));
    assert_eq!(line.field("event"), line.name);
    assert_eq!(line.field("lock.provider"), provider);
    assert_eq!(line.parent, Some(span));
    assert_eq!(line.field("elapsed_ms"), "0");
}

#[tokio::test(start_paused = true)]
async fn each_question_and_its_answer_is_a_line_on_a_target_of_their_own() {
    start();
    let memory = InMemoryLockProvider::new();
    let mut lock = memory.try_lock(config("wire", "10m")).await.unwrap();
    let lock = lock.as_mut().unwrap();
    lock.extend("90s", "0s").await.unwrap();
    assert!(
        memory
            .try_lock(config("wire", "1m"))
            .await
            .unwrap()
            .is_none()
    );
    let token = lock.fencing_token().unwrap();
    let expected = [
        format!("acquire `wire` for 10m: granted, token {token}"),
        "extend `wire` for 1m 30s: extended".to_owned(),
        "acquire `wire` for 1m: refused: held for 1m 30s".to_owned(),
    ];
    assert_eq!(messages("wire"), expected);
    let lines = wire("wire");
    let spans = ["shedlock.acquire", "shedlock.extend", "shedlock.acquire"];
    for (line, span) in lines.iter().zip(spans) {
        assert_eq!(line.target, "shedlock::provider");
        check(line, "memory", span);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_who_holds_the_lock() {
    start();
    let (store, _records) = store();
    hold(&store, "wire-held", "10m").await;
    run(&store, config("wire-held", "1m"), async {})
        .await
        .unwrap();
    let refused = wire("wire-held").remove(1);
    assert_eq!(refused.target, "shedlock::provider");
    check(&refused, "records", "shedlock.acquire");
    let node = host_node_name();
    let expected = format!("acquire `wire-held` for 1m: refused: held by {node} for 10m");
    assert_eq!(refused.message(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_fails_is_a_line_too_and_so_is_taking_an_orphan_back() {
    start();
    let (store, records) = store();
    store.next(Operation::Acquire, AWAY);
    drop(store.try_lock(config("wire-away", "10m")).await);
    let away = wire("wire-away").remove(0);
    assert_eq!(away.field("error.type"), "unavailable");
    assert_eq!(
        away.message(),
        "acquire `wire-away` for 10m: a fault on demand"
    );

    store.next(Operation::Acquire, Fault::LoseReply);
    drop(store.try_lock(config("wire-orphan", "10m")).await);
    seconds(60).await;
    assert_eq!(
        messages("wire-orphan")[1],
        "release `wire-orphan`: released"
    );

    let lock = store.try_lock(config("wire-gone", "10m")).await.unwrap();
    records.delete("wire-gone");
    assert_eq!(lock.unwrap().unlock().await.unwrap(), Ownership::Lost);
    assert_eq!(messages("wire-gone")[1], "release `wire-gone`: not ours");
}

#[tokio::test(start_paused = true)]
async fn a_lock_in_a_namespace_says_which() {
    start();
    let memory = FaultyProvider::new(InMemoryLockProvider::new());
    let outer = NamespacedLockProvider::new(memory, "acme").unwrap();
    let inner = NamespacedLockProvider::new(outer, "staging").unwrap();
    run(&inner, config("wire-space", "1m"), async {})
        .await
        .unwrap();
    for span in super::capture::spans("wire-space") {
        assert_eq!(span.field("lock.namespace"), "acme/staging", "{span:?}");
    }
    let lines = wire("wire-space");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0].field("lock.namespace"), "acme/staging");
}
