//! A request that got no answer, and whose call was then told something else than "granted": it may still be executed, and what
//! it is granted then is taken back.

use std::time::Duration;

use shedlock_runtime::{LockAdmin as _, LockProvider as _, Ownership};
use shedlock_testkit::proxy::Trigger;

use crate::asking::{MINUTE, WORKS, in_time, keep_for, once, take, until};
use crate::place::{Place, Via, client, rows};

tests! {
    a_busy_row_after_a_silent_connection
    a_held_lock_after_a_silent_connection
    an_operators_request_is_sent_once
}

const LOCK: &str = "doubtful";
/// So long the connection has been idle.
const IDLE: Duration = Duration::from_millis(1_200);

/// The first request arrives when its call is over: it takes the lock, and soon that is free.
async fn is_taken_back(place: &Place, late: shedlock_testkit::proxy::LateRequest) {
    in_time(late.sent()).await;
    let _answered = in_time(late.deliver()).await;
    let free = async || place.left_of(LOCK).await <= 0;
    until("what was granted late is taken back", free).await;
}

async fn a_busy_row_after_a_silent_connection(place: Place) {
    let node = place.provider(Via::Url).await;
    for _ in 0..2 {
        assert_eq!(once(&node, LOCK).await, WORKS);
    }
    tokio::time::sleep(IDLE).await;
    let other = client(&place.direct).await;
    let row = format!("BEGIN; SELECT name FROM shedlock WHERE name = '{LOCK}' FOR UPDATE");
    rows(&other, &row).await;
    let late = place.proxy.hold_back(Trigger::containing(LOCK));
    let said = once(&node, LOCK).await;
    assert_ne!(said, WORKS);
    assert_ne!(said, "refused", "nobody holds it");
    rows(&other, "ROLLBACK").await;
    is_taken_back(&place, late).await;
}

async fn a_held_lock_after_a_silent_connection(place: Place) {
    let node = place.provider(Via::Url).await;
    for _ in 0..2 {
        assert_eq!(once(&node, LOCK).await, WORKS);
    }
    let other = place.provider_past_proxy();
    let lease = take(&other, LOCK).await;
    tokio::time::sleep(IDLE).await;
    let late = place.proxy.hold_back(Trigger::containing(LOCK));
    assert_eq!(once(&node, LOCK).await, "refused");
    let released = in_time(other.release(&lease, keep_for(&other, &lease))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    is_taken_back(&place, late).await;
}

/// Its second copy would hit a holder that has taken the lock since.
async fn an_operators_request_is_sent_once(place: Place) {
    let node = place.provider(Via::Url).await;
    assert_eq!(once(&node, LOCK).await, WORKS);
    let other = place.provider_past_proxy();
    let lease = take(&other, LOCK).await;
    // Prepares the statement.
    assert!(
        !in_time(node.force_release("another", "x"))
            .await
            .expect("an answer")
    );
    let late = place.proxy.hold_back(Trigger::containing(LOCK));
    let forced = tokio::time::timeout(Duration::from_millis(1_500), node.force_release(LOCK, "x"));
    drop(forced.await);
    in_time(late.sent()).await;
    tokio::time::sleep(IDLE).await;
    let extended = in_time(other.extend(&lease, MINUTE)).await;
    assert_eq!(
        extended.expect("an answer"),
        Ownership::Ours,
        "it was sent again"
    );
    drop(late);
}
