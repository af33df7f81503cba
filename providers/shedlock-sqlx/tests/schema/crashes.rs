//! Tables and sessions of which a crash takes away what was granted.

use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Table;

#[tokio::test]
async fn an_unlogged_table() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    place.execute("ALTER TABLE shedlock SET UNLOGGED").await;
    let told = expect_warnings(&on(&place, "shedlock"), &["is UNLOGGED"]).await;
    follow(&place, &told).await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
}

#[tokio::test]
async fn commits_that_nobody_waits_for() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let (_, database) = place.direct.rsplit_once('/').expect("a URL");
    place
        .execute(&format!(
            "ALTER DATABASE {database} SET synchronous_commit = off"
        ))
        .await;
    let told = expect_warnings(&on(&place, "shedlock"), &["`synchronous_commit = off`"]).await;
    follow(&place, &told).await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
}

#[tokio::test]
async fn engines_that_keep_less() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    for engine in ["MyISAM", "MEMORY", "Aria"] {
        place
            .execute(&format!("ALTER TABLE shedlock ENGINE = {engine}"))
            .await;
        let provider = on(&place, "shedlock");
        must_lock(&provider, "a").await;
        let told = expect_warnings(&provider, &[&format!("has the engine {engine}")]).await;
        follow(&place, &told).await;
        expect_warnings(&provider, &[]).await;
    }
    // The test kit's server need not outlive a loss of power.
    let report = on(&place, "shedlock")
        .check_schema()
        .await
        .expect("it works");
    let told = report.warnings().join("\n");
    assert!(
        told.contains("`innodb_flush_log_at_trx_commit = 2`, so a crash of its machine"),
        "{told}"
    );
}

#[tokio::test]
async fn files_that_are_not_written_in_time() {
    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    for (pragma, told) in [
        ("PRAGMA synchronous = OFF", "`synchronous = OFF`"),
        ("PRAGMA journal_mode = MEMORY", "`journal_mode = MEMORY`"),
        ("PRAGMA journal_mode = OFF", "`journal_mode = OFF`"),
    ] {
        let pool = session::<Sqlite>(&place.direct, &[pragma]).await;
        let provider = SqlxLockProvider::new(pool.clone());
        let told = expect_warnings(&provider, &[told]).await;
        let (_, pragma) = told.split_once("session: ").expect("what to run");
        let done = pool.execute(AssertSqlSafe(pragma.to_owned())).await;
        done.expect("it can be run");
        expect_warnings(&provider, &[]).await;
    }
    for good in ["PRAGMA synchronous = NORMAL", "PRAGMA journal_mode = WAL"] {
        let pool = session::<Sqlite>(&place.direct, &[good]).await;
        expect_warnings(&SqlxLockProvider::new(pool), &[]).await;
    }
}
