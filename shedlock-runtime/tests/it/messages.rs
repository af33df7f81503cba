//! What an error says: what failed, on which lock, in which store, why, and what to do.

use std::error::Error as _;
use std::io;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockError,
    LockProviderExt as _, LockingTaskExecutor, Operation, lock,
};

#[test]
fn the_cause_is_the_source_and_not_in_the_line() {
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    let error = LockError::new(ErrorKind::Unavailable, "the database could not be reached")
        .with_context(Operation::Connect, "postgres", None)
        .with_source(refused);
    assert_eq!(
        error.to_string(),
        "failed to connect to postgres: the database could not be reached"
    );
    let cause = error.source().expect("the cause");
    assert_eq!(cause.to_string(), "connection refused");
    let cause = cause.downcast_ref::<io::Error>().expect("as it was given");
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
    assert!(
        LockError::new(ErrorKind::Other, "odd").source().is_none(),
        "no cause"
    );
}

#[tokio::test]
async fn what_has_no_lock_is_a_sentence_too() {
    let store = InMemoryLockProvider::new();
    let later = SystemTime::now() + Duration::from_secs(60);
    let why = "a lock name cannot be empty";
    assert_eq!(
        store.get("").await.unwrap_err().to_string(),
        format!("failed to look at a lock in memory: {why}")
    );
    assert_eq!(
        store.pause("", later, "x").await.unwrap_err().to_string(),
        format!("failed to pause a lock in memory: {why}")
    );
    assert_eq!(
        store.force_release("", "x").await.unwrap_err().to_string(),
        format!("failed to force the release of a lock in memory: {why}")
    );
    assert_eq!(
        store
            .prune_prefix("\0", Duration::ZERO)
            .await
            .unwrap_err()
            .to_string(),
        "failed to prune the locks in memory: a lock name cannot contain control characters; found '\\0' at byte 0: `\\0`"
    );
}

#[tokio::test]
async fn a_refused_name_is_shown_without_what_would_steer_a_terminal() {
    let refused = |name: &str| {
        let error = LockConfiguration::new(name, "1m").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName);
        error.to_string()
    };
    assert_eq!(refused(""), "a lock name cannot be empty");
    assert_eq!(
        refused("sync-\u{1b}[2J é"),
        "a lock name cannot contain control characters; found '\\u{1b}' at byte 5: `sync-\\u{1b}[2J é`"
    );
    let long = format!("sync-{}", "x".repeat(2000));
    let shown = format!("sync-{}", "x".repeat(59));
    assert_eq!(
        refused(&long),
        format!("a lock name can have at most 1024 bytes here; this one has 2005: `{shown}..`")
    );
}

#[tokio::test]
async fn an_extension_by_what_is_no_duration_says_of_which_lock() {
    let expected = "failed to extend lock `mail` in memory: expected a duration like `10m`, `1h 30m`, `PT10M` or a number of \
                    milliseconds, found `soon`";
    let config = LockConfiguration::new("mail", "5m").unwrap();
    let store = InMemoryLockProvider::new();
    let mut guard = store.try_lock(config.clone()).await.unwrap().unwrap();
    for (at_most, at_least) in [("soon", "0s"), ("5m", "soon")] {
        let error = guard.extend(at_most, at_least).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    guard.unlock().await.unwrap();
    let body = async { lock::extend("5m", "soon").await };
    let ran = LockingTaskExecutor::new(store).execute(config, body).await;
    let error = ran.unwrap().executed().unwrap().unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn what_nobody_said_is_left_out_of_an_operators_line() {
    let store = InMemoryLockProvider::new();
    let config = LockConfiguration::new("mail", "5m").unwrap();
    let held = store.try_lock(config).await.unwrap().unwrap();
    let line = store.get("mail").await.unwrap().unwrap().to_string();
    assert!(line.starts_with("mail: held since 20"), "{line}");
    let later = SystemTime::now() + Duration::from_secs(60);
    store.pause("mail", later, "").await.unwrap();
    let line = store.get("mail").await.unwrap().unwrap().to_string();
    assert!(line.ends_with("left), token 1"), "{line}");
    drop(held);
}
