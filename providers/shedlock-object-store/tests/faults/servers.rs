//! A server that is killed, or stands still.

use std::time::{Duration, Instant};

use shedlock_object_store::ObjectStoreLockProvider;
use shedlock_runtime::{Lock, LockProviderExt as _, Ownership};
use shedlock_testkit::requests::{config, problem, taken, until};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::SeaweedFs;

use crate::place::Place;

/// Asks until there is an answer, as a scheduler does.
async fn until_answered(provider: &ObjectStoreLockProvider, name: &str) -> Option<Lock> {
    let mut answer = None;
    let answers = async || {
        answer = provider.try_lock(config(name)).await.ok();
        answer.is_some()
    };
    until("the store answers", answers).await;
    answer.flatten()
}

/// A server that has just started makes its volumes when the first object comes, which takes seconds on a busy machine.
async fn warm_up(provider: &ObjectStoreLockProvider) {
    drop(until_answered(provider, "warm").await);
}

#[tokio::test]
async fn held_locks_outlive_a_kill_of_the_server() {
    let server = server_or_skip!(SeaweedFs::start().await);
    let place = Place::in_s3(&server).await;
    let (one, other) = (place.provider(), place.provider());
    warm_up(&one).await;
    let lock = taken(&one, "mail").await;
    let token = lock.fencing_token();
    server.kill().await.expect("signals can be sent");
    assert!(problem(&other, "mail").await.is_transient());
    server.restart().await.expect("it comes back");
    assert!(
        until_answered(&other, "mail").await.is_none(),
        "the lock is held"
    );
    assert_eq!(
        lock.unlock().await.expect("the store is back"),
        Ownership::Ours
    );
    let next = until_answered(&other, "mail").await.expect("was released");
    assert!(next.fencing_token() > token);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let server = server_or_skip!(SeaweedFs::start().await);
    let place = Place::in_s3(&server).await;
    let provider = place.provider();
    warm_up(&provider).await;
    server.pause().await.expect("signals can be sent");
    let start = Instant::now();
    let limited = config("mail").with_timeout("3s").expect("legal");
    let error = provider.try_lock(limited).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    server.resume().await.expect("signals can be sent");
    assert!(until_answered(&provider, "other").await.is_some());
}
