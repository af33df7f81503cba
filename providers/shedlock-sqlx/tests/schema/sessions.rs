//! Settings of a session, and what a question leaves behind.

use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Row as _, Sqlite};

use super::*;
use crate::place::Table;

#[tokio::test]
async fn settings_that_change_what_a_catalogue_says() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    for set in [
        "SET sql_mode = 'EMPTY_STRING_IS_NULL'",
        "SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'",
        "SET sql_mode = 'ORACLE'",
        "SET sql_select_limit = 1",
        "SET sql_select_limit = 0",
        "SET sql_quote_show_create = 0",
    ] {
        let provider = SqlxLockProvider::new(session::<MySql>(&place.direct, &[set]).await);
        expect_warnings(&provider, &[]).await;
        for lock in ["a", "b", "c"] {
            must_lock(&provider, lock).await;
        }
        let listed = provider.list().await.expect("the table can be read");
        assert_eq!(listed.len(), 3, "{set}");
        let one = provider
            .get(&listed[0].name)
            .await
            .expect("the table can be read");
        assert!(one.is_some(), "{set}");
    }
}

#[tokio::test]
async fn nothing_is_left_on_a_connection_by_name() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    place
        .execute("CREATE VIEW seen AS SELECT * FROM shedlock")
        .await;
    let pool = session::<Postgres>(&place.direct, &[]).await;
    for table in ["shedlock", "seen", "not_there"] {
        let builder = SqlxLockProvider::builder(pool.clone()).table_name(table);
        let provider = builder
            .persistent_statements(false)
            .build()
            .expect("the name is valid");
        let _checked = provider.check_schema().await;
    }
    let count = sqlx::raw_sql("SELECT count(*) FROM pg_prepared_statements");
    let row = pool.fetch_one(count).await.expect("it can be counted");
    assert_eq!(row.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn a_session_without_autocommit() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    let pool = session::<MySql>(&place.direct, &["SET autocommit = 0"]).await;
    let provider = SqlxLockProvider::new(pool.clone());
    let error = expect_problem(&provider, &["it has autocommit off"]).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let error = is_free(&provider, "a")
        .await
        .expect_err("it would not be committed");
    assert!(error.to_string().contains("autocommit"), "{error}");
    MySql::run(&pool, "SET autocommit = 1")
        .await
        .expect("it can be set");
    expect_warnings(&provider, &[]).await;
}

#[tokio::test]
async fn a_session_that_only_reads() {
    async fn told<DB: TestStore>(place: &Place<DB>, set: &str) -> Pool<DB> {
        let pool = session::<DB>(&place.direct, &[set]).await;
        let provider = SqlxLockProvider::new(pool.clone());
        let error = expect_problem(&provider, &["it is read-only: run: "]).await;
        assert_eq!(error.kind(), ErrorKind::ReadOnly);
        // The remedy is the session's own.
        for statement in advice(&error.to_string()) {
            DB::run(&pool, &statement).await.expect("it can be run");
        }
        pool
    }
    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    let pool = told(&place, "PRAGMA query_only = ON").await;
    expect_warnings(&SqlxLockProvider::new(pool), &[]).await;

    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    let pool = told(&place, "SET SESSION TRANSACTION READ ONLY").await;
    expect_warnings(&SqlxLockProvider::new(pool), &[]).await;

    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let (_, database) = place.direct.rsplit_once('/').expect("a URL");
    place
        .execute(&format!(
            "ALTER DATABASE {database} SET default_transaction_read_only = on"
        ))
        .await;
    let provider = on(&place, "shedlock");
    let error = expect_problem(&provider, &["it is read-only"]).await;
    let statement = advice(&error.to_string()).remove(0);
    place.execute(&statement).await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
}

/// While somebody writes, SQLite plans nothing: that says nothing of the table.
#[tokio::test]
async fn a_file_that_is_in_use_is_no_finding() {
    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    let writer = session::<Sqlite>(&place.direct, &["BEGIN EXCLUSIVE"]).await;
    let provider = on(&place, "shedlock");
    let checking = tokio::spawn(async move { provider.check_schema().await });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    Sqlite::run(&writer, "COMMIT")
        .await
        .expect("it can be committed");
    let checked = checking.await.expect("no panic");
    assert_eq!(
        warnings(&checked.expect("the table is good")),
        Vec::<String>::new()
    );
}
