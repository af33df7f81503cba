//! F1 once more: what is given up where it waits, by the program or by us, leaves no transaction that a lock is taken in.

use std::task::Poll;

use shedlock_runtime::{LockAdmin as _, LockProvider as _, SkipReason};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::conformance::Peek;
use shedlock_testkit::servers::MariaDb;
use sqlx::Pool;

use crate::place::{Place, Via};
use crate::pools::{all, give_back, pool_of};
use crate::support::{MINUTE, Night, config, keep_for, later, refused, request, take, until};

on_databases! {
    a_begin_that_was_given_up on postgres mysql;
    calls_dropped_anywhere_leave_no_transaction on sqlite postgres mysql;
}

/// A handler whose client goes away while it begins a transaction: the future is dropped where it waits for the so-manyth
/// time.
async fn give_up_a_begin<DB: Night>(pool: &Pool<DB>) {
    for waits in (1..20).cycle() {
        drop_after(waits, pool.begin()).await;
        let mut connections = all(pool).await;
        let inside = DB::in_transaction(&mut connections[0]).await;
        give_back(pool, connections).await;
        if inside {
            return;
        }
    }
}

/// Drops the future where it waits for the so-manyth time.
async fn drop_after<T>(waits: usize, future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut waited = 0;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Pending if waited + 1 < waits => {
            waited += 1;
            Poll::Pending
        }
        _ => Poll::Ready(()),
    })
    .await;
}

async fn a_begin_that_was_given_up<DB: Night>(place: Place<DB>) {
    let pool = pool_of(&place, 1, "SELECT 1").await;
    give_up_a_begin(&pool).await;
    let (one, two) = (
        SqlxLockProvider::new(pool.clone()),
        place.provider(Via::Url),
    );
    let _lease = take(&one, "a").await;
    let seen = DB::peek(&place.pool, "a").await;
    assert!(matches!(seen, Peek::Found(_)), "others see no row");
    assert_eq!(refused(&two, "a").await.reason, SkipReason::Held);
    // As the job does, or the pool when it closes what is idle.
    let mine = pool.begin().await.expect("a transaction of the job's own");
    mine.rollback().await.expect("it is rolled back");
    assert_eq!(refused(&two, "a").await.reason, SkipReason::Held);
}

/// Cancelled wherever it waits, a call leaves no connection of the program's pool inside a transaction.
async fn calls_dropped_anywhere_leave_no_transaction<DB: Night>(place: Place<DB>) {
    let pool = pool_of(&place, 2, "SELECT 1").await;
    let one = SqlxLockProvider::new(pool.clone());
    let mut lease = take(&one, "mine").await;
    for round in 0..3 {
        for waits in 1..12 {
            let request = request(&one, config(&format!("a-{waits}")));
            drop_after(waits, one.acquire(&request)).await;
            drop_after(waits, one.extend(&lease, MINUTE)).await;
            drop_after(waits, one.pause("p", later(), "x")).await;
            drop_after(waits, one.list()).await;
            drop_after(waits, one.release(&lease, keep_for(&one, &lease))).await;
        }
        let mut connections = all(&pool).await;
        for connection in &mut connections {
            let inside = DB::in_transaction(connection).await;
            assert!(!inside, "a transaction is left open in round {round}");
        }
        give_back(&pool, connections).await;
        // Nor one that the pool has no more.
        let none = async || open_transactions(&place).await == 0;
        until("no transaction is open", none).await;
        place.execute("DELETE FROM shedlock").await;
        lease = take(&one, "mine").await;
    }
}

/// How many transactions the server knows of that wait for their program; in SQLite they would keep out who writes.
async fn open_transactions<DB: Night>(place: &Place<DB>) -> usize {
    match DB::NAME {
        "SQLite" => 0,
        "PostgreSQL" => {
            let open = "SELECT state FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                 AND datname = current_database()";
            DB::texts(&place.pool, open).await.len()
        }
        _ => {
            let server = MariaDb::shared().await.expect("it has been started");
            let (_, database) = place.direct.rsplit_once('/').expect("a database");
            let open = format!(
                "SELECT trx_id FROM information_schema.innodb_trx, information_schema.processlist \
                 WHERE id = trx_mysql_thread_id AND command = 'Sleep' AND db = '{database}'"
            );
            server.execute(&place.direct, &open).await.lines().count()
        }
    }
}
