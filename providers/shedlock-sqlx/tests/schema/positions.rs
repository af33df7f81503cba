//! The columns for positions: a table may lack them, and what an error advises to run adds them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, LockProvider as _, SkipReason};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Table;

each_database! {
    a_shedlock_table_gets_the_columns_that_the_error_names
    a_column_of_another_type_is_told
    a_node_on_the_jvm_leaves_the_position
    a_slot_is_the_one_of_the_databases_clock
}

fn step(number: u64) -> LockConfiguration {
    let config = LockConfiguration::new("chain", "1m").expect("a legal configuration");
    config.with_step(number).expect("a legal step")
}

/// Runs the step to its end.
async fn complete<DB: SqlDatabase>(provider: &SqlxLockProvider<DB>, config: LockConfiguration) {
    let lock = provider.try_lock(config).await.expect("it can be taken");
    let lock = lock.expect("it may run");
    lock.complete().await.expect("it can be completed");
}

async fn refused<DB: SqlDatabase>(
    provider: &SqlxLockProvider<DB>,
    config: LockConfiguration,
) -> (SkipReason, Option<String>) {
    let lock = provider.lock(config).await.expect("the database answers");
    let refusal = lock.expect_err("it must not run");
    (refusal.reason, refusal.node.map(String::from))
}

async fn a_shedlock_table_gets_the_columns_that_the_error_names<DB: TestStore>(place: Place<DB>) {
    place.make(Table::ShedLocks).await;
    let provider = on(&place, "shedlock");
    must_lock(&provider, "a").await;
    let told = expect_warnings(&provider, &["fencing_token"]).await;
    assert!(!told.contains("position"), "{told}");
    let error = provider.try_lock(step(1)).await.expect_err("no columns");
    assert_eq!(error.kind(), ErrorKind::Schema);
    let told = error.to_string();
    for part in [
        "`once_per`, `instant` and `step`",
        "position_tries",
        "fencing_token",
    ] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    // Nothing was written, and locks without a position work as before.
    must_lock(&provider, "chain").await;
    follow(&place, &told).await;
    complete(&provider, step(1)).await;
    assert_eq!(refused(&provider, step(1)).await.0, SkipReason::AlreadyRan);
}

async fn a_column_of_another_type_is_told<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    place
        .execute("ALTER TABLE shedlock DROP COLUMN position_tries")
        .await;
    let provider = on(&place, "shedlock");
    must_lock(&provider, "a").await;
    let told = expect_warnings(&provider, &["`once_per`, `instant` and `step`"]).await;
    let error = provider.try_lock(step(1)).await.expect_err("no column");
    assert_eq!(error.kind(), ErrorKind::Schema);
    follow(&place, &told).await;
    complete(&provider, step(1)).await;
    let narrow = match provider.info().name() {
        "postgres" => "ALTER COLUMN position TYPE INTEGER",
        "mysql" => "MODIFY position INTEGER NOT NULL DEFAULT 0",
        // A column of any type stores a number.
        _ => return,
    };
    place
        .execute(&format!("ALTER TABLE shedlock {narrow}"))
        .await;
    let told = expect_warnings(&provider, &["BIGINT"]).await;
    follow(&place, &told).await;
    expect_warnings(&provider, &[]).await;
    complete(&provider, step(2)).await;
}

async fn a_node_on_the_jvm_leaves_the_position<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = on(&place, "shedlock");
    complete(&provider, step(1)).await;
    let failed = provider.try_lock(step(2)).await.expect("it can be taken");
    drop(failed.expect("it may run").unlock().await);
    // What ShedLock for Java writes when it takes the lock over, and when it releases it.
    place
        .execute("UPDATE shedlock SET locked_by = 'app.example', locked_at = lock_until WHERE name = 'chain'")
        .await;
    assert_eq!(refused(&provider, step(3)).await.0, SkipReason::Gap);
    let (reason, node) = refused(&provider, step(1)).await;
    assert_eq!(reason, SkipReason::AlreadyRan);
    assert_eq!(node.as_deref(), Some("app.example"));
    complete(&provider, step(2)).await;
    complete(&provider, step(3)).await;
}

/// The number in the record is the slot that the client's own arithmetic gives for the database's time.
async fn a_slot_is_the_one_of_the_databases_clock<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = on(&place, "shedlock");
    for period in [
        Duration::from_millis(7),
        Duration::from_secs(10),
        Duration::from_hours(24),
    ] {
        let name = format!("slot-{}", period.as_millis());
        let config = LockConfiguration::new(&name, "1m").expect("a legal configuration");
        let config = config.with_once_per(period).expect("a legal period");
        let nearest = |time: SystemTime| {
            let millis = time.duration_since(UNIX_EPOCH).expect("after 1970");
            let (millis, period) = (millis.as_millis(), period.as_millis());
            (millis + period / 2) / period * period
        };
        let before = nearest(SystemTime::now());
        complete(&provider, config).await;
        let after = nearest(SystemTime::now());
        let number =
            format!("SELECT CAST(position AS CHAR(20)) FROM shedlock WHERE name = '{name}'");
        let number = DB::texts(&place.pool, &number).await;
        let number: u128 = number[0].trim().parse().expect("a number");
        assert!(
            (before..=after).contains(&number),
            "{before} <= {number} <= {after}"
        );
        assert_eq!(
            number % period.as_millis(),
            0,
            "it is a whole number of periods"
        );
    }
}
