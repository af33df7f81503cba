//! What the name stands for: a table, a view, or something else.

use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Table;

const NO_KEY: &str = "CREATE TABLE bare (name VARCHAR(64), lock_until TIMESTAMP NOT NULL, locked_at TIMESTAMP NOT NULL, \
                      locked_by VARCHAR(255) NOT NULL)";

#[tokio::test]
async fn a_view_of_postgres_works_where_its_table_does() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "CREATE VIEW good AS SELECT * FROM shedlock",
            "CREATE VIEW plain AS SELECT name, lock_until, locked_at, locked_by FROM shedlock WHERE name <> 'x'",
            NO_KEY,
            "CREATE VIEW keyless AS SELECT * FROM bare",
            "CREATE VIEW united AS SELECT * FROM plain UNION ALL SELECT * FROM bare",
        ],
    )
    .await;
    let good = on(&place, "good");
    must_lock(&good, "a").await;
    expect_warnings(&good, &[]).await;
    let plain = on(&place, "plain");
    must_lock(&plain, "a").await;
    expect_warnings(&plain, &["without it, locks have no fencing token"]).await;
    for bad in ["keyless", "united"] {
        let bad = on(&place, bad);
        assert!(is_free(&bad, "a").await.is_err());
        let error = expect_problem(&bad, &["is a view through which no lock can be taken"]).await;
        assert_eq!(advice(&error.to_string()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_plain_view_of_mysql_works_where_its_table_does() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "CREATE VIEW good AS SELECT * FROM shedlock",
            "CREATE TABLE jobs (job VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, name INT DEFAULT 7, \
             lock_until DATETIME(6) NOT NULL, locked_at DATETIME(6) NOT NULL, locked_by VARCHAR(255) NOT NULL)",
            "CREATE VIEW renamed AS SELECT job AS name, lock_until, locked_at, locked_by FROM jobs",
        ],
    )
    .await;
    let good = on(&place, "good");
    must_lock(&good, "a").await;
    expect_warnings(&good, &[]).await;

    let renamed = on(&place, "renamed");
    let told = [
        "is not the primary key",
        "change the table behind the view `",
    ];
    let error = expect_problem(&renamed, &told).await;
    assert_eq!(advice(&error.to_string()), Vec::<String>::new());
    assert!(is_free(&renamed, "a").await.is_err());
    place
        .execute("ALTER TABLE jobs ADD UNIQUE KEY (name)")
        .await;
    expect_problem(&renamed, &["is not the primary key"]).await;
    place
        .execute("ALTER TABLE jobs ADD PRIMARY KEY (job)")
        .await;
    must_lock(&renamed, "a").await;
    expect_warnings(&renamed, &["no fencing token"]).await;
    place
        .execute("ALTER TABLE jobs ADD COLUMN tenant INT NOT NULL")
        .await;
    expect_problem(&renamed, &["the column `tenant` has no default"]).await;
}

#[tokio::test]
async fn another_view_is_called_a_view() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "CREATE VIEW some AS SELECT * FROM shedlock WHERE name LIKE 'a%'",
            "CREATE ALGORITHM = TEMPTABLE VIEW copied AS SELECT * FROM shedlock",
        ],
    )
    .await;
    for name in ["some", "copied"] {
        let view = on(&place, name);
        let error = is_free(&view, "a").await;
        let error = error.expect_err("two nodes could hold one lock");
        let told = format!("{name}` is a view");
        assert!(error.to_string().contains(&told), "{error}");
        let error = expect_problem(&view, &[&told, "name the table behind it"]).await;
        assert_eq!(advice(&error.to_string()), Vec::<String>::new());
    }

    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    place
        .execute("CREATE VIEW v AS SELECT * FROM shedlock")
        .await;
    let view = on(&place, "v");
    assert!(is_free(&view, "a").await.is_err());
    expect_problem(&view, &["v` is a view, which cannot be written"]).await;
}

#[tokio::test]
async fn what_is_no_table_is_called_by_its_name() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "CREATE MATERIALIZED VIEW seen AS SELECT * FROM shedlock",
            "CREATE SEQUENCE counted",
        ],
    )
    .await;
    as_admin(
        &place,
        "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere; \
         CREATE FOREIGN TABLE far (name VARCHAR(64), lock_until TIMESTAMP, locked_at TIMESTAMP, locked_by VARCHAR(255)) SERVER far;",
    )
    .await;
    for (name, told) in [
        ("seen", "seen` is a materialized view"),
        ("counted", "counted` is no table, but a sequence"),
        ("far", "far` is a foreign table"),
    ] {
        let error = expect_problem(&on(&place, name), &[told]).await;
        assert_eq!(advice(&error.to_string()), Vec::<String>::new());
    }
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    place
        .execute("CREATE VIRTUAL TABLE shedlock USING fts5(name, lock_until, locked_at, locked_by)")
        .await;
    expect_problem(&on(&place, "shedlock"), &["shedlock` is a virtual table"]).await;
}

#[tokio::test]
async fn a_partitioned_table_works_if_the_name_is_its_key() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    let table = Postgres::SHEDLOCKS_TABLE;
    let by_time = table
        .replace("PRIMARY KEY (name)", "PRIMARY KEY (name, lock_until)")
        .replace("shedlock(", "by_time(");
    run(
        &place,
        &[
            &format!("{table} PARTITION BY HASH (name)"),
            "CREATE TABLE one PARTITION OF shedlock FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
            &format!("{by_time} PARTITION BY RANGE (lock_until)"),
        ],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &["no fencing token"]).await;
    let error = expect_problem(
        &on(&place, "by_time"),
        &["a partitioned table can have that key only"],
    )
    .await;
    assert!(!error.to_string().contains("ADD PRIMARY KEY"), "{error}");

    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    // A TIMESTAMP has a warning of its own.
    let table = MySql::SHEDLOCKS_TABLE
        .replace("DEFAULT CURRENT_TIMESTAMP(3)", "")
        .replace("TIMESTAMP(3)", "DATETIME(3)");
    run(
        &place,
        &[&format!("{table} PARTITION BY KEY (name) PARTITIONS 2")],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &["no fencing token"]).await;
}

#[tokio::test]
async fn a_temporary_table_is_a_problem() {
    const TOLD: [&str; 1] = ["is a temporary table, which no other session sees"];
    async fn told<DB: TestStore>(place: Place<DB>) {
        let table = DB::SHEDLOCKS_TABLE.replace("CREATE TABLE", "CREATE TEMPORARY TABLE");
        let pool = session::<DB>(&place.direct, &[&table]).await;
        expect_problem(&SqlxLockProvider::new(pool.clone()), &TOLD).await;
        // In front of one that others see.
        place.make(Table::Ours).await;
        expect_problem(&SqlxLockProvider::new(pool), &TOLD).await;
        expect_warnings(&on(&place, "shedlock"), &[]).await;
    }
    // SQLite's are never looked at: an unqualified name means the schema `main`.
    told(server_or_skip!(Place::<MySql>::empty().await)).await;
}

#[tokio::test]
async fn a_name_that_another_search_path_leads_elsewhere() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "CREATE SCHEMA tenant",
            "CREATE TABLE tenant.shedlock (LIKE shedlock INCLUDING ALL)",
        ],
    )
    .await;
    let told = [
        "there is a `shedlock` in `tenant` too",
        "`table_name(\"public.shedlock\")`",
    ];
    expect_warnings(&on(&place, "shedlock"), &told).await;
    for named in ["public.shedlock", "tenant.shedlock"] {
        expect_warnings(&on(&place, named), &[]).await;
    }
}

#[tokio::test]
async fn a_database_that_is_in_no_file() {
    for url in ["sqlite::memory:", "sqlite://"] {
        let pool = session::<Sqlite>(url, &[]).await;
        let provider = SqlxLockProvider::new(pool);
        provider
            .ensure_schema()
            .await
            .expect("the table can be made");
        must_lock(&provider, "a").await;
        expect_warnings(&provider, &["is in no file"]).await;
    }
}
