//! F7 and F16: nobody holds the lock, and somebody else is at its row, its table or its whole database for long.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, SkipReason};
use shedlock_sqlx::SqlxLockProvider;
use sqlx::{Connection as _, Pool};

use crate::place::{Place, Via};
use crate::pools::pool_of;
use crate::support::{Night, WORKS, config, in_time, once, refused, take, until};

on_databases! {
    a_busy_store_is_no_refusal on sqlite postgres mysql;
    a_busy_store_is_no_refusal_on_a_pool on sqlite postgres mysql;
    a_new_name_beside_a_busy_row on postgres mysql;
    a_held_lock_in_a_busy_store_is_held on sqlite postgres mysql;
    a_store_that_is_busy_for_a_moment on sqlite postgres mysql;
}

/// So long a call may take.
const LIMIT: Duration = Duration::from_secs(2);
/// So much later its end may be noticed on a busy machine.
const LATENESS: Duration = Duration::from_millis(1_500);

/// What another session does, how it lets go, and whether the row can still be read meanwhile.
struct Busy {
    holds: &'static str,
    lets_go: &'static str,
    readable: bool,
    /// Whether the server waits for it before a statement can say for how long: the pool's own settings must.
    is_before_statements: bool,
}

fn busy<DB: Night>() -> Vec<Busy> {
    let of = |holds: &'static str, readable| Busy {
        holds,
        lets_go: "ROLLBACK",
        readable,
        is_before_statements: holds.contains("LOCK TABLE "),
    };
    let row = "BEGIN; SELECT name FROM shedlock WHERE name = 'a' FOR UPDATE";
    match DB::NAME {
        "SQLite" => vec![of("BEGIN IMMEDIATE", true), of("BEGIN EXCLUSIVE", false)],
        "PostgreSQL" => vec![
            of(row, true),
            of("BEGIN; LOCK TABLE shedlock IN EXCLUSIVE MODE", true),
            of("BEGIN; LOCK TABLE shedlock IN ACCESS EXCLUSIVE MODE", false),
        ],
        _ => vec![
            of(row, true),
            of("BEGIN; UPDATE shedlock SET locked_at = locked_at", true),
            Busy {
                holds: "LOCK TABLES shedlock WRITE",
                lets_go: "UNLOCK TABLES",
                readable: false,
                is_before_statements: true,
            },
        ],
    }
}

async fn another_session<DB: Night>(place: &Place<DB>) -> DB::Connection {
    let connected = DB::Connection::connect(&place.direct).await;
    connected.expect("the database is there")
}

async fn a_busy_store_is_no_refusal<DB: Night>(place: Place<DB>) {
    says_that_it_is_busy(&place, &place.provider(Via::Url), true).await;
}

async fn a_busy_store_is_no_refusal_on_a_pool<DB: Night>(place: Place<DB>) {
    let node = SqlxLockProvider::new(impatient_pool(&place).await);
    says_that_it_is_busy(&place, &node, false).await;
}

/// A pool whose SQLite does not wait for longer than a call does. The other databases are told so with each statement.
async fn impatient_pool<DB: Night>(place: &Place<DB>) -> Pool<DB> {
    let session = match DB::NAME {
        "SQLite" => "PRAGMA busy_timeout = 250",
        _ => "SELECT 1",
    };
    pool_of(place, 4, session).await
}

async fn says_that_it_is_busy<DB: Night>(
    place: &Place<DB>,
    node: &SqlxLockProvider<DB>,
    is_own: bool,
) {
    let mut other = another_session(place).await;
    let busy = busy::<DB>().into_iter();
    for Busy { holds, lets_go, .. } in busy.filter(|busy| is_own || !busy.is_before_statements) {
        // There is a free row, and the connection is warm.
        assert_eq!(once(node, "a").await, WORKS, "{holds}");
        DB::on(&mut other, holds).await.expect("it is there");
        let limited = || config("a").with_timeout(LIMIT).expect("legal");
        let began = Instant::now();
        let asked = in_time(node.try_lock(limited())).await;
        let took = began.elapsed();
        let error = match asked {
            Err(error) => error,
            Ok(asked) => panic!("{holds}: nobody holds it, and the answer is {asked:?}"),
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{holds}: {error}");
        assert!(took < LIMIT + LATENESS, "{holds}: {took:?}");
        DB::on(&mut other, lets_go).await.expect("it is there");
        let began = Instant::now();
        assert_eq!(once(node, "a").await, WORKS, "at once after {holds}");
        assert!(began.elapsed() < LATENESS, "{holds}: {:?}", began.elapsed());
    }
}

/// What waits for a row holds up nobody who wants another one.
async fn a_new_name_beside_a_busy_row<DB: Night>(place: Place<DB>) {
    let node = place.provider(Via::Url);
    assert_eq!(once(&node, "a").await, WORKS);
    let mut other = another_session(&place).await;
    let row = "BEGIN; SELECT name FROM shedlock WHERE name = 'a' FOR UPDATE";
    DB::on(&mut other, row).await.expect("it is there");
    assert_eq!(once(&node, "b").await, WORKS);
}

async fn a_held_lock_in_a_busy_store_is_held<DB: Night>(place: Place<DB>) {
    let holder = place.provider(Via::Url);
    let _lease = take(&holder, "a").await;
    let mut other = another_session(&place).await;
    for busy in busy::<DB>().iter().filter(|busy| busy.readable) {
        DB::on(&mut other, busy.holds).await.expect("it is there");
        let own = place.provider(Via::Url);
        let pooled = SqlxLockProvider::new(impatient_pool(&place).await);
        for (node, is_own) in [(own, true), (pooled, false)] {
            if is_own || !busy.is_before_statements {
                let said = refused(&node, "a").await.reason;
                assert_eq!(said, SkipReason::Held, "{}, {is_own}", busy.holds);
            }
        }
        DB::on(&mut other, busy.lets_go).await.expect("it is there");
    }
}

/// It is waited for, and granted within the call.
async fn a_store_that_is_busy_for_a_moment<DB: Night>(place: Place<DB>) {
    for Busy { holds, lets_go, .. } in busy::<DB>() {
        for via in [Via::Url, Via::Pool] {
            let node: SqlxLockProvider<DB> = place.provider(via);
            assert_eq!(once(&node, "a").await, WORKS, "{holds}");
            let mut other = another_session(&place).await;
            DB::on(&mut other, holds).await.expect("it is there");
            let long = LockConfiguration::new("a", "10m").and_then(|long| long.with_timeout("8s"));
            let long = long.expect("legal");
            let asking = tokio::spawn(async move { node.try_lock(long).await });
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert!(!asking.is_finished(), "{holds}, {via:?}: it waits");
            DB::on(&mut other, lets_go).await.expect("it is there");
            let asked = in_time(asking).await.expect("no panic");
            let lock = asked.unwrap_or_else(|error| panic!("{holds}, {via:?}: {error}"));
            let lock = lock.unwrap_or_else(|| panic!("{holds}, {via:?}: nobody holds it"));
            in_time(lock.unlock()).await.expect("an answer");
            let free = async || once(&place.provider(Via::Url), "a").await == WORKS;
            until("nothing is left behind", free).await;
        }
    }
}
