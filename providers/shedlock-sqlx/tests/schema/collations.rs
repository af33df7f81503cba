//! Names that a table takes for one another.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::server_or_skip;
use sqlx::{Postgres, Sqlite};

use super::*;
use crate::place::Table;

/// Whether two names are two locks.
async fn tells_apart<DB: SqlDatabase>(
    provider: &SqlxLockProvider<DB>,
    [one, other]: [&str; 2],
) -> bool {
    let config = LockConfiguration::new(one, "1m").expect("a legal configuration");
    let held = provider.try_lock(config).await.expect("locks can be taken");
    let held = held.expect("nobody holds it");
    // Refused, or an error that says why.
    let is_free = is_free(provider, other).await.unwrap_or(false);
    held.unlock().await.expect("locks can be released");
    is_free
}

#[tokio::test]
async fn sqlite_operators_leave_the_lock_of_another_name_alone() {
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    let table = "CREATE TABLE shedlock (name TEXT COLLATE NOCASE PRIMARY KEY, lock_until INTEGER NOT NULL, \
                 locked_at INTEGER NOT NULL, locked_by TEXT NOT NULL, fencing_token INTEGER NOT NULL DEFAULT 0)";
    place.execute(table).await;
    let provider = on(&place, "shedlock");
    let config = LockConfiguration::new("job", "10m").expect("a legal configuration");
    let lock = provider.try_lock(config).await.expect("it can be taken");
    let mut lock = lock.expect("it is free");
    let is_released = provider.force_release("Job", "by hand").await;
    assert!(!is_released.expect("the rows can be read"));
    let until = SystemTime::now() + Duration::from_hours(1);
    let paused = provider.pause("Job", until, "by hand").await;
    assert_eq!(paused.expect_err("another lock").kind(), ErrorKind::Schema);
    assert!(!provider.resume("Job").await.expect("the rows can be read"));
    let found = provider.get("Job").await.expect("the rows can be read");
    assert!(found.is_none(), "{found:?}");
    lock.extend("10m", "0s").await.expect("it is held");
}

#[tokio::test]
async fn sqlite_ignores_case_or_blanks_where_it_is_told_to() {
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    let rest = "lock_until INTEGER NOT NULL, locked_at INTEGER NOT NULL, locked_by TEXT NOT NULL, \
                fencing_token INTEGER NOT NULL DEFAULT 0";
    for (name, index, names) in [
        ("TEXT COLLATE NOCASE PRIMARY KEY", None, ["Job", "job"]),
        ("TEXT COLLATE RTRIM PRIMARY KEY", None, ["job", "job "]),
        (
            "TEXT COLLATE NOCASE NOT NULL",
            Some("CREATE UNIQUE INDEX apart ON shedlock (name COLLATE BINARY)"),
            ["Job", "job"],
        ),
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place
            .execute(&format!("CREATE TABLE shedlock (name {name}, {rest})"))
            .await;
        if let Some(index) = index {
            place.execute(index).await;
        }
        let provider = on(&place, "shedlock");
        assert!(!tells_apart(&provider, names).await, "{name}");
        expect_warnings(&provider, &["takes names for one another"]).await;
    }
    for good in [
        "TEXT PRIMARY KEY, note TEXT COLLATE NOCASE UNIQUE",
        "TEXT COLLATE BINARY PRIMARY KEY",
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place
            .execute(&format!("CREATE TABLE shedlock (name {good}, {rest})"))
            .await;
        let provider = on(&place, "shedlock");
        assert!(tells_apart(&provider, ["Job", "job"]).await, "{good}");
        expect_warnings(&provider, &[]).await;
    }
}

#[tokio::test]
async fn postgres_has_collations_that_ignore_case() {
    const COLLATION: &str = "CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    place.execute(COLLATION).await;
    let rest = "lock_until TIMESTAMP NOT NULL, locked_at TIMESTAMP NOT NULL, locked_by VARCHAR(255) NOT NULL, \
                fencing_token BIGINT NOT NULL DEFAULT 0";
    for (name, index) in [
        ("VARCHAR(64) COLLATE anycase PRIMARY KEY", None),
        (
            "VARCHAR(64) NOT NULL",
            Some("CREATE UNIQUE INDEX apart ON shedlock (name COLLATE anycase)"),
        ),
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place
            .execute(&format!("CREATE TABLE shedlock (name {name}, {rest})"))
            .await;
        if let Some(index) = index {
            place.execute(index).await;
        }
        let provider = on(&place, "shedlock");
        let told = expect_warnings(&provider, &["has the collation `anycase`"]).await;
        assert_eq!(told.lines().count(), 1, "{told}");
        follow(&place, &told).await;
        let provider = on(&place, "shedlock");
        assert!(tells_apart(&provider, ["Job", "job"]).await, "{name}");
        expect_warnings(&provider, &[]).await;
    }
    // Owners are compared byte by byte.
    place.make(Table::Ours).await;
    place
        .execute("ALTER TABLE shedlock ALTER COLUMN locked_by TYPE VARCHAR(255) COLLATE anycase")
        .await;
    expect_warnings(&on(&place, "shedlock"), &[]).await;
}
