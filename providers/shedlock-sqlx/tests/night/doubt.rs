//! A request that got no answer, and whose call was then told something else than "granted": it may still be carried out, and what
//! it is granted then is taken back.

use std::time::Duration;

use shedlock_runtime::{LockAdmin as _, LockProvider as _, LockProviderExt as _, Ownership};
use shedlock_sqlx::SqlxLockProvider;
use sqlx::Connection as _;

use crate::between::Between;
use crate::place::{Place, Via};
use crate::support::{MINUTE, Night, WORKS, config, in_time, keep_for, left_of, once, take, until};

on_databases! {
    a_busy_row_after_a_silent_connection on postgres mysql;
    a_held_lock_after_a_silent_connection on postgres mysql;
    an_operators_request_is_sent_once on postgres mysql;
}

const LOCK: &str = "doubtful";

/// A node whose connection has sat idle for so long that it gets a part of the time.
async fn far<DB: Night>(place: &Place<DB>) -> (Between, SqlxLockProvider<DB>) {
    let between = Between::new(&place.direct).await;
    let url = between.url(&place.direct);
    let node = SqlxLockProvider::<DB>::builder_from_url(&url).build();
    let node = node.expect("the options are valid");
    for _ in 0..2 {
        assert_eq!(once(&node, LOCK).await, WORKS);
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    (between, node)
}

/// The first request arrives when its call is over: it takes the lock, and soon that is free.
async fn is_taken_back<DB: Night>(place: &Place<DB>, between: &Between) {
    in_time(between.held(1)).await;
    in_time(between.deliver()).await;
    let other = place.provider(Via::Url);
    until("the lock is free", async || {
        left_of(&place.pool, LOCK).await <= 0 && once(&other, LOCK).await == WORKS
    })
    .await;
}

async fn a_busy_row_after_a_silent_connection<DB: Night>(place: Place<DB>) {
    let (between, node) = far(&place).await;
    let connected = DB::Connection::connect(&place.direct).await;
    let mut other = connected.expect("the database is there");
    let row = format!("BEGIN; SELECT name FROM shedlock WHERE name = '{LOCK}' FOR UPDATE");
    DB::on(&mut other, &row).await.expect("it is there");
    between.hold(LOCK);
    let asked = in_time(node.try_lock(config(LOCK))).await;
    let error = asked.expect_err("the row is busy");
    assert!(error.kind().is_ambiguous(), "{error}");
    DB::on(&mut other, "ROLLBACK").await.expect("it is there");
    is_taken_back(&place, &between).await;
}

async fn a_held_lock_after_a_silent_connection<DB: Night>(place: Place<DB>) {
    let (between, node) = far(&place).await;
    let other = place.provider(Via::Url);
    let lease = take(&other, LOCK).await;
    between.hold(LOCK);
    let asked = in_time(node.try_lock(config(LOCK))).await;
    assert!(asked.expect("an answer").is_none(), "the lock is held");
    in_time(other.release(&lease, keep_for(&other, &lease)))
        .await
        .expect("an answer");
    is_taken_back(&place, &between).await;
}

/// While a copy of what an operator asked may still arrive, nobody is told that it is done: it would free the next holder's lock.
async fn an_operators_request_is_sent_once<DB: Night>(place: Place<DB>) {
    let (between, node) = far(&place).await;
    let other = place.provider(Via::Url);
    let lease = take(&other, LOCK).await;
    // It is prepared, so what is held back is what changes the row.
    let freed = in_time(node.force_release("nobody", "upkeep")).await;
    assert!(!freed.expect("an answer"), "there is no such lock");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    between.hold("night-shift");
    let freed = in_time(node.force_release(LOCK, "night-shift")).await;
    let error = freed.expect_err("nobody knows whether it is done");
    assert!(error.kind().is_ambiguous(), "{error}");
    let extended = in_time(other.extend(&lease, MINUTE)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    in_time(between.held(1)).await;
}
