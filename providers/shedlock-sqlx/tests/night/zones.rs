//! Sessions that the program has set to another time zone, on a table whose times depend on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProvider as _, Ownership, SkipReason};
use shedlock_sqlx::{MySqlLockProvider, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::MariaDb;
use sqlx::pool::PoolOptions;
use sqlx::{MySql, Pool};

use crate::place::{Place, TestStore as _, Via};
use crate::pools::{all, give_back, pool_of};
use crate::support::{MINUTE, Night, WORKS, ask, in_time, keep_for, later, once, refused, take};

on_databases! {
    a_session_that_the_program_has_set_to_another_zone on postgres mysql;
    each_new_session_is_set_to_another_zone on postgres mysql;
}

/// Makes the times of the table depend on the session's zone.
async fn give_zones<DB: Night>(place: &Place<DB>) {
    place
        .execute(match DB::NAME {
            "PostgreSQL" => {
                "ALTER TABLE shedlock ALTER COLUMN lock_until TYPE timestamptz, \
                 ALTER COLUMN locked_at TYPE timestamptz"
            }
            _ => {
                "ALTER TABLE shedlock MODIFY lock_until TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
                 MODIFY locked_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
            }
        })
        .await;
}

/// Sets a zone in which the end of each lease seems to be hours ago.
fn go_west<DB: Night>() -> &'static str {
    match DB::NAME {
        "PostgreSQL" => "SET TIME ZONE 'America/Los_Angeles'",
        _ => "SET time_zone = '-08:00'",
    }
}

async fn spoil<DB: Night>(pool: &Pool<DB>) {
    let mut connections = all(pool).await;
    for connection in &mut connections {
        let set = DB::on(connection, go_west::<DB>()).await;
        set.expect("there is such a zone");
    }
    give_back(pool, connections).await;
}

async fn a_session_that_the_program_has_set_to_another_zone<DB: Night>(place: Place<DB>) {
    give_zones(&place).await;
    let pool = pool_of(&place, 1, "SELECT 1").await;
    let (one, two) = (
        SqlxLockProvider::new(pool.clone()),
        place.provider(Via::Url),
    );
    assert_eq!(once(&one, "warm").await, WORKS);
    let _theirs = take(&two, "theirs").await;
    spoil(&pool).await;
    assert_eq!(refused(&one, "theirs").await.reason, SkipReason::Held);
    spoil(&pool).await;
    let lease = take(&one, "ours").await;
    assert_eq!(refused(&two, "ours").await.reason, SkipReason::Held);
    spoil(&pool).await;
    let extended = in_time(one.extend(&lease, MINUTE * 60)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    let found = in_time(two.get("ours")).await.expect("an answer");
    assert!(found.is_some_and(|info| info.remaining > MINUTE * 50));
    spoil(&pool).await;
    in_time(one.pause("p", later(), "x")).await.expect("paused");
    assert_eq!(refused(&two, "p").await.reason, SkipReason::Paused);
    spoil(&pool).await;
    let listed = in_time(one.list()).await.expect("listed");
    let held: Vec<_> = listed
        .iter()
        .map(|info| (&*info.name, info.is_held()))
        .collect();
    assert_eq!(
        held,
        [
            ("ours", true),
            ("p", true),
            ("theirs", true),
            ("warm", false)
        ]
    );
    spoil(&pool).await;
    let released = in_time(one.release(&lease, keep_for(&one, &lease))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    assert_eq!(once(&two, "ours").await, WORKS, "it is not released");
}

/// The first session of the pool is as the server has it.
async fn each_new_session_is_set_to_another_zone<DB: Night>(place: Place<DB>) {
    give_zones(&place).await;
    let opened = Arc::new(AtomicUsize::new(0));
    let pool = PoolOptions::new()
        .max_connections(1)
        .after_connect(move |connection, _| {
            let set = match opened.fetch_add(1, Ordering::Relaxed) {
                0 => "SELECT 1",
                _ => go_west::<DB>(),
            };
            Box::pin(DB::on(connection, set))
        });
    let pool: Pool<DB> = pool.connect(&place.direct).await.expect("it is there");
    let one = SqlxLockProvider::new(pool.clone());
    assert_eq!(once(&one, "warm").await, WORKS);
    let _theirs = take(&place.provider(Via::Url), "theirs").await;
    spoil(&pool).await;
    let error = ask(&one, "theirs").await.expect_err("no session is right");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    let told = error.to_string();
    for part in ["another time zone", "`shedlock`", "ALTER TABLE"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
}

/// Sessions that are open keep the zone, and new ones get another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_zone_of_the_server_is_changed() {
    let server = server_or_skip!(MariaDb::start().await);
    let url = server.fresh_database().await;
    let pool = sqlx::MySqlPool::connect(&url).await.expect("it is there");
    MySql::run(&pool, MySql::SHEDLOCKS_TABLE)
        .await
        .expect("made");
    let node = MySqlLockProvider::connect(&url).await.expect("there");
    assert_eq!(once(&node, "warm").await, WORKS);
    server
        .execute(&url, "SET GLOBAL time_zone = '-08:00'")
        .await;
    let error = ask(&node, "warm").await.expect_err("the zone has changed");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(
        error.to_string().contains("restart all programs"),
        "{error}"
    );
}
