//! What happens when the server stands still, is killed, loses a table, or answers with an error.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockProviderExt as _, Ownership};
use shedlock_testkit::requests::{extended, is_free, problem, taken, until_answered, until_free};
use shedlock_testkit::server_or_skip;

use super::errors::ErrorServer;
use super::place::{Place, Which, builder_for};
use super::{JOB, config};

each_server! {
    alone:
    a_server_that_stands_still_is_given_up_in_time
    a_killed_server_is_told_and_found_again
    a_lost_table_is_told_and_made_again
}

async fn a_server_that_stands_still_is_given_up_in_time(place: Place) {
    let node = place.node();
    assert!(is_free(&node, JOB).await);
    place.server.pause().await;
    let start = Instant::now();
    let limited = config().with_timeout("2s").expect("legal");
    let error = node.try_lock(limited).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    place.server.resume().await;
    // What the server was asked before it stood still may be granted now, and is given back.
    let node = place.node();
    if let Some(lock) = until_answered(&node, config()).await {
        lock.unlock().await.expect("the server answers");
    }
    until_free(&node, JOB).await;
}

/// A killed server that keeps its data: the lock stays held, and its holder goes on.
async fn a_killed_server_is_told_and_found_again(place: Place) {
    let node = place.node();
    let mut lock = taken(&node, JOB).await;
    place.server.kill().await;
    let error = problem(&place.node(), JOB).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    place.server.restart().await;
    assert!(
        until_answered(&place.node(), config()).await.is_none(),
        "is still held"
    );
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    lock.unlock().await.expect("the server answers");
    until_free(&node, JOB).await;
}

/// A table that is gone: whoever held a lock is told, and the next call works when there is a table again.
async fn a_lost_table_is_told_and_made_again(place: Place) {
    let node = place.node();
    let mut lock = taken(&node, JOB).await;
    let token = lock.fencing_token();
    place.delete_table().await;
    let error = problem(&node, JOB).await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error:?}");
    place.node().ensure_schema().await.expect("can be created");
    let next = until_answered(&node, config())
        .await
        .expect("the data is gone");
    assert_eq!(extended(&mut lock).await, Ownership::Lost);
    assert!(next.fencing_token() > token, "a token of the time of day");
}

/// Answers of DynamoDB that no emulator gives: throttling, rights, credentials, clocks, failures inside.
#[tokio::test]
async fn errors_of_dynamodb_have_a_kind_and_a_remedy() {
    for (status, code, kind, said) in [
        (
            400,
            "ProvisionedThroughputExceededException",
            ErrorKind::Unavailable,
            "capacity",
        ),
        (
            400,
            "ThrottlingException",
            ErrorKind::Unavailable,
            "capacity",
        ),
        (
            400,
            "TransactionConflictException",
            ErrorKind::Unavailable,
            "capacity",
        ),
        (
            400,
            "AccessDeniedException",
            ErrorKind::Permission,
            "dynamodb:UpdateItem",
        ),
        (
            400,
            "UnrecognizedClientException",
            ErrorKind::Configuration,
            "credentials",
        ),
        (
            400,
            "ExpiredTokenException",
            ErrorKind::Configuration,
            "credentials",
        ),
        (
            400,
            "RequestTimeTooSkewed",
            ErrorKind::Configuration,
            "clock",
        ),
        (
            400,
            "ResourceNotFoundException",
            ErrorKind::Schema,
            "ensure_schema",
        ),
        (
            400,
            "ValidationException",
            ErrorKind::Schema,
            "check_schema",
        ),
        (400, "SomethingNewException", ErrorKind::Other, "refused"),
        (
            500,
            "InternalServerError",
            ErrorKind::Indeterminate,
            "failed",
        ),
        (
            503,
            "ServiceUnavailable",
            ErrorKind::Indeterminate,
            "failed",
        ),
    ] {
        let server = ErrorServer::start(status, code).await;
        let node = builder_for(&server.endpoint(), "locks")
            .build()
            .expect("valid");
        let error = problem(&node, JOB).await;
        assert_eq!(error.kind(), kind, "{code}: {error:?}");
        let whole = format!("{error:?}");
        assert!(
            whole.contains(said) && whole.contains(code),
            "{code}: {whole}"
        );
        // What may be over in a moment is asked again within the call, and nothing else is.
        let is_asked_again = error.is_transient();
        assert_eq!(
            server.asked() >= 4,
            is_asked_again,
            "{code}: {}",
            server.asked()
        );
    }
}

/// DynamoDB is busy for a moment: the call does not fail.
#[tokio::test]
async fn a_moment_of_throttling_is_waited_for() {
    let place = server_or_skip!(Place::new(Which::Dynalite).await);
    let server = ErrorServer::before(place.server.address(), 2).await;
    let node = place.builder_at(&server.endpoint()).build().expect("valid");
    let lock = taken(&node, JOB).await;
    assert_eq!(server.asked(), 3);
    assert_eq!(lock.unlock().await.expect("an answer"), Ownership::Ours);
}
