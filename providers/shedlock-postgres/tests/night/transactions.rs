//! Connections of the program that are inside somebody else's transaction.

use std::sync::Arc;
use std::time::Duration;

use shedlock_postgres::PostgresLockProvider;
use shedlock_postgres::deadpool_postgres::{Hook, HookError, Manager, Object, Pool};
use shedlock_postgres::tokio_postgres::NoTls;
use shedlock_runtime::{
    Acquisition, ErrorKind, LockAdmin as _, LockProvider as _, LockProviderExt as _, Ownership,
    SkipReason,
};
use shedlock_testkit::conformance::Peek;

use crate::asking::{
    MINUTE, WORKS, ask, config, in_time, keep_for, later, once, refused, request, take, until,
};
use crate::place::{Place, client, pool, rows};

tests! {
    a_connection_inside_a_transaction
    all_connections_inside_transactions
    an_aborted_transaction
    levels_of_isolation
    each_new_connection_begins_a_transaction
    a_client_inside_a_transaction
    calls_dropped_anywhere_leave_the_connections_usable
}

/// What a program does that never comes to its end.
const ABANDONED: &str = "BEGIN; INSERT INTO abandoned VALUES (1)";

/// All connections of the pool.
async fn all(pool: &Pool) -> Vec<Object> {
    let mut connections = Vec::new();
    for _ in 0..pool.status().max_size {
        let connection = in_time(pool.get()).await;
        connections.push(connection.expect("there are as many connections"));
    }
    connections
}

/// Leaves each connection of the pool as these statements do, of which the last may fail.
async fn spoil(pool: &Pool, statements: &str) {
    for connection in all(pool).await {
        // What a call left behind is not to be taken for what is done here.
        drop(connection.batch_execute("ROLLBACK").await);
        for statement in statements.split("; ") {
            drop(connection.batch_execute(statement).await);
        }
    }
}

/// Each verb does what it says, seen from elsewhere, on connections that were spoilt just before.
async fn each_verb(place: &Place, pool: &Pool, spoilt: impl AsyncFn()) {
    let one = PostgresLockProvider::new(pool.clone());
    let two = place.provider_past_proxy();
    spoilt().await;
    let lease = take(&one, "a").await;
    let seen = place.peek("a").await;
    assert!(matches!(seen, Peek::Found(_)), "others see no row");
    assert_eq!(refused(&two, "a").await.reason, SkipReason::Held);
    let end = place.end_of("a").await;
    spoilt().await;
    let extended = in_time(one.extend(&lease, MINUTE * 60)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    assert!(place.end_of("a").await > end, "it is not extended");
    spoilt().await;
    let released = in_time(one.release(&lease, keep_for(&one, &lease))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    assert_eq!(once(&two, "a").await, WORKS, "it is not released");

    spoilt().await;
    in_time(one.pause("p", later(), "x")).await.expect("paused");
    assert_eq!(refused(&two, "p").await.reason, SkipReason::Paused);
    spoilt().await;
    let listed = in_time(one.list()).await.expect("listed");
    assert_eq!(listed.len(), 2, "{listed:?}");
    spoilt().await;
    assert!(in_time(one.get("p")).await.expect("an answer").is_some());
    spoilt().await;
    assert!(in_time(one.resume("p")).await.expect("an answer"));
    let lease = take(&two, "p").await;
    spoilt().await;
    assert!(in_time(one.force_release("p", "x")).await.expect("answer"));
    let extended = in_time(two.extend(&lease, MINUTE)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Lost);
    spoilt().await;
    let pruned = in_time(one.prune(Duration::ZERO)).await;
    assert_eq!(pruned.expect("an answer"), 2);
    let left = in_time(two.list()).await.expect("listed");
    assert_eq!(left, [], "they are not pruned");
    spoilt().await;
    let checked = in_time(one.check_schema()).await;
    assert_eq!(checked.expect("it is good").warnings(), [""; 0]);
    place.execute("DROP TABLE shedlock").await;
    spoilt().await;
    in_time(one.ensure_schema()).await.expect("made");
    assert_eq!(once(&two, "a").await, WORKS, "the table is not made");
    // None of what was abandoned is in the database.
    let abandoned = place.rows("SELECT name FROM abandoned").await;
    assert_eq!(abandoned, [""; 0], "what was abandoned is committed");
}

async fn make_abandoned(place: &Place) {
    place.execute("CREATE TABLE abandoned (name INT)").await;
}

async fn a_connection_inside_a_transaction(place: Place) {
    make_abandoned(&place).await;
    let pool = pool(&place.url, 1);
    each_verb(&place, &pool, async || spoil(&pool, ABANDONED).await).await;
}

async fn all_connections_inside_transactions(place: Place) {
    make_abandoned(&place).await;
    let pool = pool(&place.url, 3);
    each_verb(&place, &pool, async || spoil(&pool, ABANDONED).await).await;
}

async fn an_aborted_transaction(place: Place) {
    make_abandoned(&place).await;
    let pool = pool(&place.url, 3);
    let aborted = format!("{ABANDONED}; SELECT 1 / 0");
    each_verb(&place, &pool, async || spoil(&pool, &aborted).await).await;
}

async fn levels_of_isolation(place: Place) {
    make_abandoned(&place).await;
    // A space in a setting is escaped.
    for level in ["serializable", "repeatable%5C%20read"] {
        let options = format!("options=-cdefault_transaction_isolation%3D{level}");
        let pool = pool(&format!("{}?{options}", place.direct), 2);
        each_verb(&place, &pool, async || spoil(&pool, ABANDONED).await).await;
        place.execute("DELETE FROM shedlock").await;
    }
}

async fn each_new_connection_begins_a_transaction(place: Place) {
    let manager = Manager::new(place.direct.parse().expect("a valid URL"), NoTls);
    let pool = Pool::builder(manager)
        .max_size(2)
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move {
                let begun = client.batch_execute("BEGIN").await;
                begun.map_err(HookError::Backend)
            })
        }))
        .build()
        .expect("the options are valid");
    let provider = PostgresLockProvider::new(pool);
    for _ in 0..2 {
        let answer = in_time(provider.try_lock(config("a"))).await;
        let error = answer.expect_err("no statement would be committed");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("transaction"), "{error}");
    }
    let free = ask(&place.provider_past_proxy(), "a").await;
    assert!(matches!(free, Ok(Acquisition::Granted(_))), "{free:?}");
}

/// Nothing that is asked there counts, and the program's own transaction is not committed with it.
async fn a_client_inside_a_transaction(place: Place) {
    make_abandoned(&place).await;
    let theirs = client(&place.direct).await;
    let one = PostgresLockProvider::new(Arc::clone(&theirs));
    let two = place.provider_past_proxy();
    let lease = take(&one, "held").await;
    for prepared in [false, true] {
        if prepared {
            // All statements are prepared by now.
            assert_eq!(once(&one, "a").await, WORKS);
            in_time(one.pause("p", later(), "x")).await.expect("paused");
            assert!(in_time(one.resume("p")).await.expect("an answer"));
        }
        for verb in 0..6 {
            rows(&theirs, ABANDONED).await;
            let failed = match verb {
                0 => in_time(one.try_lock(config("a"))).await.map(drop),
                1 => in_time(one.extend(&lease, MINUTE)).await.map(drop),
                2 => in_time(one.release(&lease, Duration::ZERO)).await.map(drop),
                3 => in_time(one.pause("q", later(), "x")).await,
                4 => in_time(one.list()).await.map(drop),
                _ => in_time(one.check_schema()).await.map(drop),
            };
            let error = failed.expect_err("nobody commits it");
            let kind = error.kind();
            assert_eq!(kind, ErrorKind::Configuration, "{verb}: {error}");
            assert!(error.to_string().contains("transaction"), "{error}");
            // An inspection asks before, and leaves the transaction to the program.
            let end = if verb == 5 { "ROLLBACK" } else { "COMMIT" };
            rows(&theirs, end).await;
        }
    }
    let abandoned = place.rows("SELECT name FROM abandoned").await;
    assert_eq!(
        abandoned, [""; 0],
        "a transaction with a lock in it is not committed"
    );
    assert_eq!(refused(&two, "held").await.reason, SkipReason::Held);
    assert_eq!(
        once(&one, "a").await,
        WORKS,
        "and after it the client works"
    );
    let released = in_time(one.release(&lease, Duration::ZERO)).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
}

/// Cancelled wherever it waits, a call leaves connections that work.
async fn calls_dropped_anywhere_leave_the_connections_usable(place: Place) {
    let theirs = client(&place.direct).await;
    let pool = pool(&place.direct, 2);
    let nodes = [
        place.provider_past_proxy(),
        PostgresLockProvider::new(theirs),
        PostgresLockProvider::new(pool.clone()),
    ];
    for one in nodes {
        for round in 0..3 {
            let lease = take(&one, "mine").await;
            for waits in 1..12 {
                let request = request(&one, config(&format!("a-{waits}")));
                drop_after(waits, one.acquire(&request)).await;
                drop_after(waits, one.extend(&lease, MINUTE)).await;
                drop_after(waits, one.pause("p", later(), "x")).await;
                drop_after(waits, one.list()).await;
                drop_after(waits, one.release(&lease, Duration::ZERO)).await;
            }
            assert_eq!(once(&one, "b").await, WORKS, "in round {round}");
            let open = "SELECT state FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                 AND datname = current_database()";
            let none = async || place.rows(open).await.is_empty();
            until("no transaction is open", none).await;
            // What was dropped may still be executed.
            let free = async || {
                place.execute("DELETE FROM shedlock").await;
                once(&place.provider_past_proxy(), "mine").await == WORKS
            };
            until("nothing is on its way", free).await;
            place.execute("DELETE FROM shedlock").await;
        }
    }
}

/// Drops the future where it waits for the so-manyth time.
async fn drop_after<T>(waits: usize, future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut waited = 0;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Pending if waited + 1 < waits => {
            waited += 1;
            std::task::Poll::Pending
        }
        _ => std::task::Poll::Ready(()),
    })
    .await;
}
