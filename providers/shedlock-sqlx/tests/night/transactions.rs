//! F1 and F2: connections of a pool that are inside somebody else's transaction, or whose statements nobody commits.

use std::time::Duration;

use shedlock_runtime::{
    Acquisition, ErrorKind, LockAdmin as _, LockProvider as _, LockProviderExt as _, Ownership,
    SkipReason,
};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::conformance::Peek;
use sqlx::{MySql, Pool, Postgres, Sqlite};

use crate::place::{Place, Via, warnings};
use crate::pools::{all, give_back, pool_of};
use crate::support::{
    MINUTE, Night, WORKS, ask, config, end_of, in_time, keep_for, later, once, refused, take,
};

on_databases! {
    a_connection_inside_a_transaction on sqlite postgres mysql;
    all_connections_inside_transactions on sqlite postgres mysql;
    an_aborted_transaction on postgres;
    levels_of_isolation on postgres mysql;
    autocommit_is_off on mysql;
    transactions_in_a_chain on mysql;
    each_new_connection_begins_a_transaction on sqlite postgres mysql;
}

/// What a program does that never comes to its end.
const ABANDONED: &str = "BEGIN; INSERT INTO abandoned VALUES (1)";

/// Leaves each connection of the pool as these statements do, of which the last may fail.
async fn spoil<DB: Night>(pool: &Pool<DB>, statements: &str) {
    let mut connections = all(pool).await;
    for connection in &mut connections {
        // What a call left behind is not to be taken for what is done here.
        drop(DB::on(connection, "ROLLBACK").await);
        for statement in statements.split("; ") {
            drop(DB::on(connection, statement).await);
        }
    }
    give_back(pool, connections).await;
}

/// Each verb does what it says, seen from elsewhere, on connections that were spoilt just before.
async fn each_verb<DB: Night>(place: &Place<DB>, pool: &Pool<DB>, spoilt: impl AsyncFn(&Pool<DB>)) {
    let (one, two) = (
        SqlxLockProvider::new(pool.clone()),
        place.provider(Via::Url),
    );
    spoilt(pool).await;
    let lease = take(&one, "a").await;
    let seen = DB::peek(&place.pool, "a").await;
    assert!(matches!(seen, Peek::Found(_)), "others see no row");
    assert_eq!(refused(&two, "a").await.reason, SkipReason::Held);
    let end = end_of(&place.pool, "a").await;
    spoilt(pool).await;
    let extended = in_time(one.extend(&lease, MINUTE * 60)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    assert!(end_of(&place.pool, "a").await > end, "it is not extended");
    spoilt(pool).await;
    let released = in_time(one.release(&lease, keep_for(&one, &lease))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    assert_eq!(once(&two, "a").await, WORKS, "it is not released");

    spoilt(pool).await;
    in_time(one.pause("p", later(), "x")).await.expect("paused");
    assert_eq!(refused(&two, "p").await.reason, SkipReason::Paused);
    spoilt(pool).await;
    let listed = in_time(one.list()).await.expect("listed");
    assert_eq!(listed.len(), 2, "{listed:?}");
    spoilt(pool).await;
    assert!(in_time(one.get("p")).await.expect("an answer").is_some());
    spoilt(pool).await;
    assert!(in_time(one.resume("p")).await.expect("an answer"));
    let lease = take(&two, "p").await;
    spoilt(pool).await;
    assert!(in_time(one.force_release("p", "x")).await.expect("answer"));
    let extended = in_time(two.extend(&lease, MINUTE)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Lost);
    spoilt(pool).await;
    let pruned = in_time(one.prune(Duration::ZERO)).await;
    assert_eq!(pruned.expect("an answer"), 2);
    let rows = in_time(two.list()).await.expect("listed");
    assert_eq!(rows, [], "they are not pruned");
    spoilt(pool).await;
    let checked = in_time(one.check_schema()).await;
    assert_eq!(warnings(&checked.expect("it is good")), [""; 0]);
    place.execute("DROP TABLE shedlock").await;
    spoilt(pool).await;
    in_time(one.ensure_schema()).await.expect("made");
    assert_eq!(once(&two, "a").await, WORKS, "the table is not made");
}

/// None of what was abandoned is in the database, and nothing of ours stays open.
async fn nothing_else_is_done<DB: Night>(place: &Place<DB>) {
    let rows = DB::texts(&place.pool, "SELECT name FROM abandoned").await;
    assert_eq!(rows, [""; 0], "what was abandoned is committed");
}

async fn make_abandoned<DB: Night>(place: &Place<DB>) {
    place.execute("CREATE TABLE abandoned (name INT)").await;
}

async fn a_connection_inside_a_transaction<DB: Night>(place: Place<DB>) {
    make_abandoned(&place).await;
    let pool = pool_of(&place, 1, "SELECT 1").await;
    each_verb(&place, &pool, async |pool| spoil(pool, ABANDONED).await).await;
    nothing_else_is_done(&place).await;
}

async fn all_connections_inside_transactions<DB: Night>(place: Place<DB>) {
    make_abandoned(&place).await;
    let pool = pool_of(&place, 3, "SELECT 1").await;
    // In SQLite one transaction that writes keeps out all others, so these are just begun.
    let statements = match DB::NAME {
        "SQLite" => "BEGIN",
        _ => ABANDONED,
    };
    each_verb(&place, &pool, async |pool| spoil(pool, statements).await).await;
    nothing_else_is_done(&place).await;
}

async fn an_aborted_transaction(place: Place<Postgres>) {
    make_abandoned(&place).await;
    let pool = pool_of(&place, 3, "SELECT 1").await;
    let aborted = format!("{ABANDONED}; SELECT 1 / 0");
    each_verb(&place, &pool, async |pool| spoil(pool, &aborted).await).await;
    nothing_else_is_done(&place).await;
}

async fn levels_of_isolation<DB: Night>(place: Place<DB>) {
    make_abandoned(&place).await;
    let levels = match DB::NAME {
        "PostgreSQL" => [
            (
                "SET default_transaction_isolation = 'serializable'",
                "serializable",
            ),
            (
                "SET default_transaction_isolation = 'repeatable read'",
                "repeatable read",
            ),
        ],
        _ => [
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                "SERIALIZABLE",
            ),
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "REPEATABLE-READ",
            ),
        ],
    };
    for (set, level) in levels {
        let pool = pool_of(&place, 2, set).await;
        each_verb(&place, &pool, async |pool| spoil(pool, ABANDONED).await).await;
        nothing_else_is_done(&place).await;
        let query = match DB::NAME {
            "PostgreSQL" => "SHOW default_transaction_isolation",
            _ => "SELECT @@tx_isolation",
        };
        sessions_say(&pool, query, level).await;
        place.execute("DELETE FROM shedlock").await;
        pool.close().await;
    }
}

/// All sessions of the pool are outside any transaction and have kept their setting.
async fn sessions_say<DB: Night>(pool: &Pool<DB>, query: &str, expected: &str) {
    let mut connections = all(pool).await;
    for connection in &mut connections {
        let inside = DB::in_transaction(connection).await;
        assert!(!inside, "a transaction is left open");
        let text = DB::text(connection, query).await;
        assert_eq!(text.expect("the database answers"), expected);
    }
    give_back(pool, connections).await;
}

/// What such a session writes nobody commits: no answer counts, and the error says which setting it is.
async fn autocommit_is_off(place: Place<MySql>) {
    make_abandoned(&place).await;
    let pool = pool_of(&place, 2, "SET autocommit = 0").await;
    let two = place.provider(Via::Url);
    let (held, lost) = (take(&two, "held").await, config("a"));
    in_time(two.pause("p", later(), "x")).await.expect("paused");
    let one = SqlxLockProvider::new(pool.clone());
    for spoils in [false, true] {
        if spoils {
            spoil(&pool, "INSERT INTO abandoned VALUES (1)").await;
        }
        let failed = [
            in_time(one.try_lock(lost.clone())).await.map(drop),
            in_time(one.extend(&held, MINUTE)).await.map(drop),
            in_time(one.release(&held, keep_for(&one, &held)))
                .await
                .map(drop),
            in_time(one.pause("q", later(), "x")).await,
            in_time(one.resume("p")).await.map(drop),
            in_time(one.force_release("held", "x")).await.map(drop),
            in_time(one.prune(Duration::ZERO)).await.map(drop),
            in_time(one.list()).await.map(drop),
        ];
        for failed in failed {
            let error = failed.expect_err("nobody commits it");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains("autocommit"), "{error}");
        }
    }
    nothing_else_is_done(&place).await;
    sessions_say(&pool, "SELECT CAST(@@autocommit + 0 AS CHAR)", "0").await;
    let names = in_time(two.list()).await.expect("listed");
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(in_time(two.extend(&held, MINUTE)).await.is_ok());
}

async fn transactions_in_a_chain(place: Place<MySql>) {
    make_abandoned(&place).await;
    let pool = pool_of(&place, 2, "SET completion_type = 'CHAIN'").await;
    each_verb(&place, &pool, async |pool| spoil(pool, ABANDONED).await).await;
    nothing_else_is_done(&place).await;
    sessions_say(&pool, "SELECT @@completion_type", "CHAIN").await;
}

async fn each_new_connection_begins_a_transaction<DB: Night>(place: Place<DB>) {
    let pool = pool_of(&place, 2, "BEGIN").await;
    let provider = SqlxLockProvider::new(pool);
    for _ in 0..2 {
        let answer = in_time(provider.try_lock(config("a"))).await;
        let error = answer.expect_err("no statement would be committed");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("transaction"), "{error}");
    }
    let free = ask(&place.provider(Via::Url), "a").await;
    assert!(matches!(free, Ok(Acquisition::Granted(_))), "{free:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_in_sqlite_is_the_pools_own() {
    let place: Place<Sqlite> = crate::support::sqlite().await.expect("a file");
    make_abandoned(&place).await;
    // sqlx lets SQLite wait for five seconds, which is all the time that a call has.
    let pool = pool_of(&place, 3, "PRAGMA busy_timeout = 250").await;
    let mut connections = all(&pool).await;
    let begun = Sqlite::on(&mut connections[1], ABANDONED).await;
    begun.expect("nobody else writes");
    give_back(&pool, connections).await;
    let one = SqlxLockProvider::new(pool);
    assert_eq!(once(&one, "a").await, WORKS);
    nothing_else_is_done(&place).await;
}
