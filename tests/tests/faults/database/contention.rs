//! D7: others are at the row, the table or the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use shedlock::{LockingTaskExecutor, lock};
use shedlock_sqlx::SqlxLockProvider;
use sqlx::pool::PoolOptions;
use sqlx::{Connection as _, MySql};

use super::{Crew, MINUTE, Own, job, must_run, until_extended};
use crate::support::{Locks, Place, cases, config, in_time, until};

cases! {
    d7_many_nodes_at_a_new_name on sqlite postgres mariadb;
    d7_a_row_that_another_session_locks on sqlite postgres mariadb;
    d7_a_lease_kept_while_its_row_is_locked on postgres mariadb;
}

cases! {
    of crate::database::Own:
    d7_deadlocks on postgres mariadb;
}

/// At a name that nobody has used, all of these ask at once: one runs, and the others are skipped.
pub(super) async fn one_of(nodes: &[Locks], each: usize, name: &str) {
    let (answered, all) = (AtomicUsize::new(0), nodes.len() * each);
    let calls = (0..all).map(|number| {
        let executor = LockingTaskExecutor::new(Arc::clone(&nodes[number % nodes.len()]));
        let answered = &answered;
        async move {
            // It stays until all others have asked.
            let body = until(async || (answered.load(Ordering::Relaxed) == all - 1).then_some(()));
            let call = executor.execute(config(name, MINUTE), body);
            let ran = Box::pin(call).await.expect("others are no error");
            answered.fetch_add(1, Ordering::Relaxed);
            ran.was_executed()
        }
    });
    let ran = in_time(join_all(calls.collect::<Vec<_>>())).await;
    let ran = ran.into_iter().filter(|ran| *ran).count();
    assert_eq!(ran, 1, "of {all} at `{name}`");
}

async fn d7_many_nodes_at_a_new_name(place: Place) {
    let nodes = place.nodes(4).await;
    for round in 0..5 {
        one_of(&nodes, 4, &format!("new-{round}")).await;
    }
}

/// Locks the row, the file for SQLite, for so many milliseconds.
fn locks_the_row(place: &Place, millis: u32) -> String {
    let select = "SELECT name FROM shedlock WHERE name = 'job' FOR UPDATE";
    let seconds = f64::from(millis) / 1_000.0;
    if place.is_mariadb() {
        format!("BEGIN; {select}; SELECT SLEEP({seconds}); COMMIT")
    } else {
        format!("BEGIN; {select}; SELECT pg_sleep({seconds}); COMMIT")
    }
}

/// Keeps the row, or the file, from being written while `meanwhile` begins.
async fn while_locked(place: &Place, millis: u32, meanwhile: impl Future<Output = ()>) {
    if place.is_sqlite() {
        let writer = sqlx::SqliteConnection::connect(&place.url).await;
        let mut writer = writer.expect("the file is there");
        let write = writer.begin_with("BEGIN IMMEDIATE").await.expect("free");
        tokio::join!(meanwhile, async {
            tokio::time::sleep(Duration::from_millis(millis.into())).await;
            write.rollback().await.expect("it is ours");
        });
        return;
    }
    let script = locks_the_row(place, millis);
    let blocking = async { drop(place.execute(&script).await) };
    tokio::join!(blocking, meanwhile);
}

/// Waited for, or told to be busy, but never an error, and never two.
async fn d7_a_row_that_another_session_locks(place: Place) {
    let (nodes, runs) = (place.nodes(3).await, AtomicUsize::new(0));
    must_run(&nodes[0]).await;
    let calls = nodes.iter().map(|locks| async {
        let body = async { runs.fetch_add(1, Ordering::Relaxed) };
        let ran = Box::pin(job(locks, MINUTE, body)).await;
        ran.expect("a busy row is no error")
    });
    let meanwhile = async {
        let answers = join_all(calls.collect::<Vec<_>>()).await;
        let ran = answers.iter().filter(|answer| answer.was_executed());
        assert_eq!(ran.count(), runs.load(Ordering::Relaxed));
        println!("{answers:?}");
    };
    in_time(while_locked(&place, 400, meanwhile)).await;
    must_run(&nodes[1]).await;
}

/// The extensions wait, are given up and asked again; the holder has the time for that.
async fn d7_a_lease_kept_while_its_row_is_locked(place: Place) {
    let (holder, rivals) = (place.connect().await, place.nodes(2).await);
    let crew = Crew::default();
    let script = async {
        crew.until_skipped().await;
        while_locked(&place, 1_500, async {}).await;
        until_extended(&place).await;
        assert!(lock::is_held());
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, Duration::from_secs(8), script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}

/// The victim of a deadlock asks again, and nobody is told of it.
async fn d7_deadlocks(own: Own) {
    let place = own.0;
    if place.is_mariadb() {
        deadlocks_of_mariadb(&place).await;
    } else {
        deadlocks_of_postgres(&place).await;
    }
}

/// A trigger makes each statement lock a second row. Another session locks the two the other way round, and has more patience.
async fn deadlocks_of_postgres(place: &Place) {
    let locks = place.connect().await;
    must_run(&locks).await;
    place
        .execute(
            "ALTER SYSTEM SET deadlock_timeout = '100ms'; SELECT pg_reload_conf();
             CREATE TABLE other (name INT); INSERT INTO other VALUES (1); GRANT ALL ON other TO PUBLIC;
             CREATE FUNCTION lock_other() RETURNS TRIGGER LANGUAGE plpgsql AS
             $$ BEGIN PERFORM name FROM other FOR UPDATE; RETURN NEW; END $$;
             CREATE TRIGGER lock_other BEFORE UPDATE ON shedlock FOR EACH ROW EXECUTE FUNCTION lock_other()",
        )
        .await;
    let blocks = "SET deadlock_timeout = '10s'; BEGIN; SELECT name FROM other FOR UPDATE;
                  DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP PERFORM pg_sleep(0.005);
                  END LOOP; END $$; UPDATE shedlock SET locked_at = locked_at WHERE name = 'job'; ROLLBACK";
    let locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let asking = async {
        until(async || (place.execute(locked).await == "1").then_some(())).await;
        let answer = super::run(&locks).await;
        println!("{answer:?}");
        assert!(answer.is_ok(), "contention is no error: {answer:?}");
    };
    let other = async { drop(place.execute(blocks).await) };
    in_time(async { tokio::join!(asking, other) }).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    until(async || (place.execute(deadlocks).await != "0").then_some(())).await;
    must_run(&locks).await;
}

/// In a pool as the server has it, under REPEATABLE READ, nodes that insert one name lock the gap for one another.
async fn deadlocks_of_mariadb(place: &Place) {
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let pool = PoolOptions::<MySql>::new().max_connections(4);
        let pool = pool.connect(&place.url).await.expect("it is there");
        nodes.push(Arc::new(SqlxLockProvider::new(pool)) as Locks);
    }
    let deadlocks = "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'";
    let none = place.execute(deadlocks).await;
    for round in 0..60 {
        one_of(&nodes, 4, &format!("new-{round}")).await;
        if place.execute(deadlocks).await != none {
            println!("a deadlock in round {round}");
            break;
        }
    }
}
