//! What stands in the way of a write: keys that cannot be used, foreign keys, rules, triggers, conditions.

use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;
use crate::place::Table;

#[tokio::test]
async fn a_deferrable_key_is_made_anew() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    for (table, more) in [
        ("PRIMARY KEY DEFERRABLE", None),
        ("NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED", None),
        (
            "PRIMARY KEY DEFERRABLE",
            Some("CREATE UNIQUE INDEX second ON shedlock (name)"),
        ),
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        let columns = "lock_until TIMESTAMP NOT NULL, locked_at TIMESTAMP NOT NULL, locked_by VARCHAR(255) NOT NULL, \
                       fencing_token BIGINT NOT NULL DEFAULT 0";
        place
            .execute(&format!(
                "CREATE TABLE shedlock (name VARCHAR(64) {table}, {columns})"
            ))
            .await;
        if let Some(more) = more {
            place.execute(more).await;
        }
        let provider = on(&place, "shedlock");
        assert!(is_free(&provider, "a").await.is_err());
        let error =
            expect_problem(&provider, &["is deferrable, which ON CONFLICT cannot use"]).await;
        assert!(
            !error.to_string().contains("is not the primary key"),
            "{error}"
        );
        follow(&place, &error.to_string()).await;
        must_lock(&on(&place, "shedlock"), "a").await;
        expect_warnings(&provider, &[]).await;
    }
}

#[tokio::test]
async fn a_foreign_key_keeps_new_names_out() {
    async fn told<DB: TestStore>(place: &Place<DB>, statements: &[&str]) -> String {
        run(place, statements).await;
        let provider = on(place, "shedlock");
        assert!(is_free(&provider, "a").await.is_err());
        let parts = [
            "the column `name` refers to `jobs`, so a lock whose name is not in there cannot be taken",
        ];
        expect_problem(&provider, &parts).await.to_string()
    }
    let add = "ALTER TABLE shedlock ADD CONSTRAINT known FOREIGN KEY (name) REFERENCES jobs (job)";
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let text = told(
        &place,
        &["CREATE TABLE jobs (job VARCHAR(64) PRIMARY KEY)", add],
    )
    .await;
    follow(&place, &text).await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;

    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    let jobs = "CREATE TABLE jobs AS SELECT name AS job FROM shedlock";
    let text = told(
        &place,
        &[jobs, "ALTER TABLE jobs ADD PRIMARY KEY (job)", add],
    )
    .await;
    follow(&place, &text).await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;

    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    let table = Sqlite::SHEDLOCKS_TABLE.replace(
        "NOT NULL, lock_until",
        "NOT NULL REFERENCES jobs (job), lock_until",
    );
    told(
        &place,
        &["CREATE TABLE jobs (job TEXT PRIMARY KEY)", &table],
    )
    .await;
    let lax = SqlxLockProvider::new(
        session::<Sqlite>(&place.direct, &["PRAGMA foreign_keys = OFF"]).await,
    );
    must_lock(&lax, "a").await;
    expect_warnings(
        &lax,
        &["sessions that enforce foreign keys, as this one does not"],
    )
    .await;
}

#[tokio::test]
async fn a_rule_makes_locks_impossible_in_postgres() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let provider = on(&place, "shedlock");
    place
        .execute("CREATE RULE kept AS ON DELETE TO shedlock WHERE FALSE DO ALSO NOTHING")
        .await;
    must_lock(&provider, "a").await;
    expect_warnings(&provider, &[]).await;
    place
        .execute("CREATE RULE seen AS ON UPDATE TO shedlock WHERE FALSE DO ALSO NOTHING")
        .await;
    assert!(is_free(&provider, "b").await.is_err());
    let error = expect_problem(&provider, &["the table has the rule `seen`"]).await;
    follow(&place, &error.to_string()).await;
    must_lock(&on(&place, "shedlock"), "b").await;
    expect_warnings(&provider, &[]).await;
}

#[tokio::test]
async fn a_trigger_is_named() {
    const TOLD: &str = "the table has the trigger `audit`: ";
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER audit BEFORE INSERT OR UPDATE ON shedlock FOR EACH ROW EXECUTE FUNCTION seen()",
            "CREATE TRIGGER off AFTER UPDATE ON shedlock FOR EACH ROW EXECUTE FUNCTION seen()",
            "ALTER TABLE shedlock DISABLE TRIGGER off",
            "CREATE TRIGGER deleted BEFORE DELETE ON shedlock FOR EACH ROW EXECUTE FUNCTION seen()",
        ],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    let told = expect_warnings(
        &on(&place, "shedlock"),
        &[TOLD, "it can change what a lock writes"],
    )
    .await;
    assert_eq!(told.lines().count(), 1, "{told}");
    follow(&place, &told).await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;

    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    place
        .execute("CREATE TRIGGER audit AFTER UPDATE ON shedlock FOR EACH ROW SET @seen = 1")
        .await;
    let told = expect_warnings(
        &on(&place, "shedlock"),
        &[TOLD, "attempts cost a second round trip"],
    )
    .await;
    follow(&place, &told).await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;

    let place: Place<Sqlite> = server_or_skip!(Place::with(Table::Ours).await);
    place
        .execute("CREATE TRIGGER audit AFTER INSERT ON shedlock BEGIN SELECT 1; END")
        .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    let told = expect_warnings(&on(&place, "shedlock"), &[TOLD]).await;
    follow(&place, &told).await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
}

#[tokio::test]
async fn a_condition_is_named() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    run(
        &place,
        &[
            "ALTER TABLE shedlock ADD CONSTRAINT short CHECK (char_length(name) < 3)",
            "ALTER TABLE shedlock ADD COLUMN note TEXT CHECK (note <> '')",
        ],
    )
    .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    let told = expect_warnings(
        &on(&place, "shedlock"),
        &["the constraint `short` on the column `name`, CHECK"],
    )
    .await;
    assert_eq!(told.lines().count(), 1, "{told}");

    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    place
        .execute("ALTER TABLE shedlock ADD CONSTRAINT short CHECK (char_length(name) < 3)")
        .await;
    must_lock(&on(&place, "shedlock"), "a").await;
    expect_warnings(&on(&place, "shedlock"), &["the constraint `short`"]).await;
}
