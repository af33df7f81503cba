//! What happens when the server stands still, is killed, or is no primary any more.

use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use shedlock_mongodb::{MongoLockProvider, mongodb};
use shedlock_runtime::{ErrorKind, LockProviderExt as _, Ownership, SkipReason};

use super::place::{Deciding, Place};
use super::{JOB, config, places};
use shedlock_testkit::requests::{extended, is_free, problem, taken, until_answered, until_free};
use shedlock_testkit::server_or_skip;

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    for place in places!() {
        let node = place.node();
        assert!(is_free(&node, JOB).await);
        place.server.pause().await.expect("signals can be sent");
        let start = Instant::now();
        let limited = config().with_timeout("2s").expect("legal");
        let error = node.try_lock(limited).await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
        place.server.resume().await.expect("signals can be sent");
        // What the server was asked before it stood still may be granted now, and is given back.
        must_become_free_after_a_stall(&place).await;
    }
}

async fn must_become_free_after_a_stall(place: &Place) {
    let node = place.node();
    if let Some(lock) = until_answered(&node, config()).await {
        lock.unlock().await.expect("the server answers");
    }
    until_free(&node, JOB).await;
}

/// The stand-in forgets its data. Whoever held a lock is told, and the next call works.
#[tokio::test]
async fn a_killed_server_is_told_and_found_again() {
    for place in places!() {
        let node = place.node();
        let mut lock = taken(&node, JOB).await;
        let token = lock.fencing_token();
        place.server.kill().await.expect("signals can be sent");
        let error = problem(&node, JOB).await;
        assert!(error.is_transient(), "{error:?}");
        place.server.restart().await.expect("it comes back");
        let next = until_answered(&node, config())
            .await
            .expect("the data is gone");
        assert_eq!(extended(&mut lock).await, Ownership::Lost);
        if place.deciding == Deciding::Server {
            assert!(next.fencing_token() > token, "a token of the server's time");
        }
    }
}

/// A stepdown: the command was not begun, so it is sent again, to whoever is the primary then.
#[tokio::test]
async fn a_server_that_is_no_primary_for_a_moment_is_asked_again() {
    for place in places!() {
        let node = place.node();
        assert!(is_free(&node, JOB).await);
        for code in [10107, 13435, 189, 91] {
            place
                .fail(writing(&place), 1, doc! { "errorCode": code })
                .await;
            let lock = taken(&node, JOB).await;
            place
                .fail(writing(&place), 1, doc! { "errorCode": code })
                .await;
            let unlocked = lock.unlock().await.expect("asked again");
            assert_eq!(unlocked, Ownership::Ours, "{code}");
        }
    }
}

/// Without a primary to the end of the call: nobody is told that the lock is held.
#[tokio::test]
async fn no_primary_to_the_end_is_an_error_and_no_refusal() {
    for place in places!() {
        let node = place.node();
        assert!(is_free(&node, JOB).await);
        for (code, kind) in [
            // Refused before it was begun.
            (10107, ErrorKind::Unavailable),
            // Broken off, perhaps after it was done.
            (11602, ErrorKind::Indeterminate),
            (91, ErrorKind::Indeterminate),
        ] {
            let lasting = doc! { "errorCode": code };
            place.fail(writing(&place), 100, lasting).await;
            let error = problem(&node, JOB).await;
            assert_eq!(error.kind(), kind, "{code}: {error:?}");
            place.fail(writing(&place), 0, doc! {}).await;
            until_free(&node, JOB).await;
        }
    }
}

/// The primary has made the write, and the majority does not confirm it: the lock may be granted or lost in a failover.
#[tokio::test]
async fn a_write_that_the_majority_does_not_confirm_is_in_doubt() {
    let shared = server_or_skip!(Place::alone(Deciding::Server).await);
    let unconfirmed = |code: i32, name: &str| -> Document {
        let text = "waiting for replication timed out";
        doc! { "writeConcernError": { "code": code, "codeName": name, "errmsg": text } }
    };
    for (code, name) in [
        (64, "WriteConcernFailed"),
        (100, "UnsatisfiableWriteConcern"),
    ] {
        let place = shared.beside().await;
        let node = warm(&place).await;
        place
            .fail("findAndModify", 1, unconfirmed(code, name))
            .await;
        let error = problem(&node, JOB).await;
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
        assert!(error.to_string().contains("majority"), "{error}");
        let owner = place.get(JOB).await.expect("was made");
        let owner = owner.get_str("lockedBy").expect("a string").to_owned();
        let (_, secret) = owner.split_once('#').expect("an owner of ours");
        assert!(
            !format!("{error:?} {error}").contains(&secret[..32]),
            "{error:?}"
        );
        // The runtime gives back what may have been granted.
        until_free(&node, JOB).await;
    }
}

/// The user's client sends a write twice by itself, and the server answers from its memory of the first time, without its time.
#[tokio::test]
async fn an_answer_without_the_servers_time_is_asked_for_again() {
    let place = server_or_skip!(Place::alone(Deciding::Server).await);
    let (node, other) = (warm(&place).await, place.node());
    let unprojected = || doc! { "unprojected": true };
    place.fail("findAndModify", 1, unprojected()).await;
    let mut lock = taken(&node, JOB).await;
    place.fail("findAndModify", 1, unprojected()).await;
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    place.fail("findAndModify", 1, unprojected()).await;
    let unlocked = lock.unlock().await.expect("the server answers");
    assert_eq!(unlocked, Ownership::Ours);

    // A server that never tells its time: the lock may have been granted, and is given back.
    place.fail("findAndModify", 4, unprojected()).await;
    let error = problem(&node, JOB).await;
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    let remedy = error.remedy().expect("there is an option");
    assert!(remedy.contains("client_clock()"), "{remedy}");
    until_free(&node, JOB).await;

    // Last, because what may have been granted to the other node is looked for in the background.
    let _held = taken(&node, JOB).await;
    place.fail("findAndModify", 1, unprojected()).await;
    let refusal = other.lock(config()).await.expect("the server answers");
    assert_eq!(refusal.expect_err("is held").reason, SkipReason::Held);
}

/// The majority lags behind, and confirms each write later than a connection may be silent at first.
#[tokio::test]
async fn a_slow_majority_is_waited_for_as_long_as_the_caller_allows() {
    let place = server_or_skip!(Place::alone(Deciding::Server).await);
    // The stand-in answers a heartbeat late, too, if it comes over a connection of the same thread.
    let url = format!("{}&heartbeatFrequencyMS=600000", place.url());
    let node = place.builder_at(&url).build().expect("valid");
    assert!(is_free(&node, "warm").await);
    let config = config().with_timeout("60s").expect("legal");
    let lagging = || doc! { "confirmedAfterMS": 1_500 };
    place.fail("findAndModify", 100, lagging()).await;
    let taken = node.try_lock(config).await.expect("is waited for");
    let mut lock = taken.expect("is free");
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    let unlocked = lock.unlock().await.expect("is waited for");
    assert_eq!(unlocked, Ownership::Ours);
}

#[tokio::test]
async fn errors_of_the_server_have_a_kind_and_a_remedy() {
    let shared = server_or_skip!(Place::alone(Deciding::Server).await);
    for (code, kind, said) in [
        (13, ErrorKind::Permission, "createIndex"),
        (18, ErrorKind::Configuration, "authSource"),
        (121, ErrorKind::Schema, "validator"),
        (14031, ErrorKind::Unavailable, "no room"),
        (50, ErrorKind::Indeterminate, "in time"),
        (303, ErrorKind::Unsupported, "client_clock()"),
        (4242, ErrorKind::Indeterminate, "client_clock()"),
    ] {
        let place = shared.beside().await;
        let node = warm(&place).await;
        place
            .fail("findAndModify", 1, doc! { "errorCode": code })
            .await;
        let error = problem(&node, JOB).await;
        assert_eq!(error.kind(), kind, "{code}: {error:?}");
        let whole = format!("{error} {:?}", error.remedy());
        assert!(whole.contains(said), "{code}: {whole}");
        assert!(whole.contains(JOB), "{code}: {whole}");
        until_free(&node, JOB).await;
    }
}

/// A duplicate key is no refusal: the record is looked at.
#[tokio::test]
async fn a_lost_race_for_the_first_document_is_looked_at_again() {
    let place = server_or_skip!(Place::alone(Deciding::Server).await);
    let node = place.node();
    place
        .fail("findAndModify", 1, doc! { "errorCode": 11000 })
        .await;
    let lock = taken(&node, JOB).await;
    let other = place.node();
    place
        .fail("findAndModify", 1, doc! { "errorCode": 11000 })
        .await;
    let refusal = other.lock(config()).await.expect("the server answers");
    assert_eq!(refusal.expect_err("is held").reason, SkipReason::Held);
    lock.unlock().await.expect("the server answers");
    // Nobody was seen: no refusal, but an error.
    place
        .fail("findAndModify", 100, doc! { "errorCode": 11000 })
        .await;
    let error = problem(&node, JOB).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

/// A node whose connection and whose server have answered before. The first answer of a server may come so late that the question is asked
/// again, and only the first one would fail.
async fn warm(place: &Place) -> MongoLockProvider {
    let node = place.node();
    assert!(is_free(&node, "warm").await);
    node
}

/// The command by which a node of this place takes a free lock that has a document.
fn writing(place: &Place) -> &'static str {
    match place.deciding {
        Deciding::Server => "findAndModify",
        Deciding::Client => "update",
    }
}
