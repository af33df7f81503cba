//! What an error says: what failed, on which lock, in which store, why, and what to do.

use std::error::Error as _;
use std::io;
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockError, LockInfo,
    LockProviderExt as _, LockingTaskExecutor, Operation, Refusal, lock, node_name,
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

/// Reads `mail` and then `bill`, in a terminal that follows directions.
const TURNED: &str = "mail\u{202e}llib\u{200b}";
const SHOWN: &str = "mail\\u{202e}llib\\u{200b}";

#[tokio::test]
async fn what_cannot_be_seen_is_written_out_and_kept_as_it_is() {
    let config = LockConfiguration::new(TURNED, "1m").unwrap();
    let name = config.name().clone();
    assert_eq!(name.as_str(), TURNED);
    assert_eq!(format!("{name} {name:?}"), format!("{SHOWN} \"{SHOWN}\""));

    let store = FaultyProvider::new(InMemoryLockProvider::new());
    store.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    let error = store.try_lock(config.clone()).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("lock `{SHOWN}`")),
        "{error}"
    );
    assert_eq!(error.lock(), Some(TURNED));
    let too_long = LockConfiguration::new(TURNED.repeat(100), "1m").unwrap_err();
    assert!(!too_long.to_string().contains('\u{202e}'), "{too_long}");

    let store = InMemoryLockProvider::new();
    let held = store.try_lock(config.clone()).await.unwrap().unwrap();
    assert_eq!(held.name().as_str(), TURNED);
    let other = LockConfiguration::new(SHOWN, "1m").unwrap();
    let other = store.try_lock(other).await.unwrap();
    assert!(other.is_some(), "the text that is shown names another lock");
    let later = SystemTime::now() + Duration::from_secs(60);
    store.pause(TURNED, later, TURNED).await.unwrap();
    let info = store.get(TURNED).await.unwrap().unwrap();
    assert_eq!(
        (info.name.as_str(), info.reason.as_deref()),
        (TURNED, Some(TURNED))
    );
    let line = info.to_string();
    assert!(line.starts_with(&format!("{SHOWN}: paused")), "{line}");
    assert!(
        line.contains(&format!(", {SHOWN}")) && !line.contains('\u{202e}'),
        "{line}"
    );
}

#[test]
fn the_node_of_another_is_shown_as_a_name_is() {
    let now = SystemTime::now();
    let later = now + Duration::from_secs(60);
    let info = LockInfo::from_record("mail", TURNED, Some(now), later, now);
    assert!(
        info.to_string()
            .starts_with(&format!("mail: held by {SHOWN} since")),
        "{info}"
    );
    let refusal = Refusal::from_stored(TURNED, Duration::from_secs(60));
    assert_eq!(refusal.node.as_deref(), Some(SHOWN));
    assert_eq!(&*node_name("web\u{200b}-2"), "web\\u{200b}-2");
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
