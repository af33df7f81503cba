//! Columns of types and kinds that locks do not expect.

use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Table;

#[tokio::test]
async fn a_domain_is_as_good_as_its_base_type() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    run(
        &place,
        &[
            "CREATE DOMAIN job AS VARCHAR(64)",
            "CREATE DOMAIN nightly_job AS job",
            "CREATE DOMAIN moment AS TIMESTAMP NOT NULL",
            "CREATE DOMAIN counter AS BIGINT NOT NULL DEFAULT 0",
            "CREATE DOMAIN short AS VARCHAR(20)",
            "CREATE TABLE shedlock (name nightly_job PRIMARY KEY, lock_until moment, locked_at moment, \
             locked_by VARCHAR(255) NOT NULL, fencing_token counter)",
            "CREATE TABLE tight (name short PRIMARY KEY, lock_until moment, locked_at moment, \
             locked_by VARCHAR(255) NOT NULL, fencing_token BIGINT NOT NULL)",
        ],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
    let told = ["the column `fencing_token` has no default"];
    let error = expect_problem(&on(&place, "tight"), &told).await;
    follow(&place, &error.to_string()).await;
    let told = expect_warnings(&on(&place, "tight"), &["`name` is character varying(20)"]).await;
    follow(&place, &told).await;
    expect_warnings(&on(&place, "tight"), &[]).await;
}

#[tokio::test]
async fn a_type_that_does_not_convert_by_itself() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    for kind in ["text", "integer", "date"] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        let table = Postgres::SHEDLOCKS_TABLE
            .replace("lock_until TIMESTAMP", &format!("lock_until {kind}"));
        place.execute(&table).await;
        let error = expect_problem(&on(&place, "shedlock"), &[kind]).await;
        follow(&place, &error.to_string()).await;
        must_lock(&on(&place, "shedlock"), "a").await;
    }
}

#[tokio::test]
async fn columns_that_are_made_from_others() {
    const TOLD: [&str; 1] = ["the values of the column `locked_at` are generated"];
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "ALTER TABLE shedlock ADD COLUMN shown TIMESTAMP GENERATED ALWAYS AS (lock_until) STORED",
            "CREATE TABLE made (name VARCHAR(64) PRIMARY KEY, lock_until TIMESTAMP NOT NULL, \
             locked_at TIMESTAMP GENERATED ALWAYS AS (lock_until) STORED, locked_by VARCHAR(255) NOT NULL)",
        ],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
    assert!(is_free(&on(&place, "made"), "a").await.is_err());
    expect_problem(&on(&place, "made"), &TOLD).await;

    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "ALTER TABLE shedlock ADD COLUMN shown DATETIME(6) AS (lock_until) STORED, \
             ADD COLUMN also DATETIME(6) AS (lock_until) VIRTUAL",
            "CREATE TABLE made (name VARCHAR(64) PRIMARY KEY, lock_until DATETIME(6) NOT NULL, \
             locked_at DATETIME(6) AS (lock_until) STORED, locked_by VARCHAR(255) NOT NULL)",
        ],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
    assert!(is_free(&on(&place, "made"), "a").await.is_err());
    expect_problem(&on(&place, "made"), &TOLD).await;

    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    run(
        &place,
        &[
            "CREATE TABLE shedlock (name TEXT PRIMARY KEY, lock_until INTEGER NOT NULL, \
           locked_at INTEGER AS (lock_until) STORED, locked_by TEXT NOT NULL)",
        ],
    )
    .await;
    assert!(is_free(&on(&place, "shedlock"), "a").await.is_err());
    expect_problem(&on(&place, "shedlock"), &TOLD).await;
}

#[tokio::test]
async fn a_name_that_is_a_number_in_sqlite() {
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    run(
        &place,
        &["CREATE TABLE shedlock (name INTEGER PRIMARY KEY, lock_until INTEGER NOT NULL, locked_at INTEGER NOT NULL, \
           locked_by TEXT NOT NULL, fencing_token INTEGER NOT NULL DEFAULT 0)"],
    )
    .await;
    assert!(is_free(&on(&place, "shedlock"), "a").await.is_err());
    expect_problem(
        &on(&place, "shedlock"),
        &["is the number of the row, which is no text"],
    )
    .await;
}
