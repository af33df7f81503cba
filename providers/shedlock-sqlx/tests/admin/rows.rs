//! Rows that others have written, for better or worse.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{LockAdmin as _, LockInfo, SkipReason};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{Place, Table, TestStore, Via};
use crate::skipped;

each_database! {
    a_row_of_another_make_is_shown
    a_row_without_an_end_hides_no_other
    odd_texts_are_shown_without_harm
}

/// What is known of a lock that must be listed.
async fn listed<DB: TestStore>(provider: &SqlxLockProvider<DB>, name: &str) -> LockInfo {
    let all = provider.list().await.expect("the rows can be read");
    let found = all.into_iter().find(|info| info.name == name);
    found.unwrap_or_else(|| panic!("`{name}` is not listed"))
}

async fn a_row_of_another_make_is_shown<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    DB::insert_foreign(&place.pool, "jvm").await;
    let info = listed(&place.provider(Via::Url), "jvm").await;
    let in_2020 = SystemTime::UNIX_EPOCH + Duration::from_hours(438_288);
    assert_eq!(
        (
            info.node.as_str(),
            info.since,
            info.until,
            info.fencing_token
        ),
        ("app.example", Some(in_2020), Some(in_2020), None)
    );
    assert!(!info.is_held() && info.problem.is_none(), "{info:?}");
}

async fn a_row_without_an_end_hides_no_other<DB: TestStore>(place: Place<DB>) {
    let nullable = DB::SHEDLOCKS_TABLE
        .replace("NOT NULL DEFAULT", "NULL DEFAULT")
        .replace("(3) NOT NULL", "(3) NULL")
        .replace("TIMESTAMP NOT NULL", "TIMESTAMP NULL")
        .replace("VARCHAR(255) NOT NULL", "VARCHAR(255) NULL");
    place.execute(&nullable).await;
    for name in ["endless", "startless", "ownerless", "well"] {
        DB::insert_foreign(&place.pool, name).await;
    }
    for change in [
        "lock_until = NULL WHERE name = 'endless'",
        "locked_at = NULL WHERE name = 'startless'",
        "locked_by = NULL WHERE name = 'ownerless'",
    ] {
        place
            .execute(&format!("UPDATE shedlock SET {change}"))
            .await;
    }
    let provider = place.provider(Via::Url);
    let problem = async |name: &str| listed(&provider, name).await.problem;
    let told = problem("endless").await;
    assert_eq!(told.as_deref(), Some("the end of the lease is NULL"));
    let told = problem("startless").await;
    assert_eq!(
        told.as_deref(),
        Some("the start of the lease is not a time")
    );
    assert_eq!(listed(&provider, "ownerless").await.node, "");
    assert_eq!(problem("ownerless").await, None);
    assert_eq!(problem("well").await, None);
    // Nobody can take it as it is; an operator can mend it.
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("rows can be deleted"), 3);
    let mended = provider.force_release("endless", "mended").await;
    assert!(mended.expect("it is known"));
    assert_eq!(skipped(&provider, "endless").await, None);
}

async fn odd_texts_are_shown_without_harm<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    DB::insert_foreign(&place.pool, "a\n\u{1b}[2J").await;
    DB::insert_foreign(&place.pool, "owner").await;
    DB::insert_foreign(&place.pool, "paused").await;
    let by = |owner: &str, name: &str| {
        format!("UPDATE shedlock SET locked_by = '{owner}' WHERE name = '{name}'")
    };
    place.execute(&by("host\u{1b}[2J", "owner")).await;
    place.execute(&by("paused: \u{1b}[2J", "paused")).await;
    let provider = place.provider(Via::Url);
    let told = listed(&provider, "a\n\u{1b}[2J").await.problem;
    let told = told.expect("no lock can be called so");
    assert!(told.contains("control characters"), "{told}");
    assert_eq!(listed(&provider, "owner").await.node, "host\\u{1b}[2J");
    let paused = listed(&provider, "paused").await;
    assert_eq!(paused.reason.as_deref(), Some(" [2J"));
    assert!(!paused.paused, "it is long over: {paused:?}");
}

#[tokio::test]
async fn postgres_times_without_end() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    for (name, until) in [
        ("never", "infinity"),
        ("ever", "-infinity"),
        ("far", "294276-12-31"),
    ] {
        Postgres::insert_foreign(&place.pool, name).await;
        let update = format!("UPDATE shedlock SET lock_until = '{until}' WHERE name = '{name}'");
        place.execute(&update).await;
    }
    let provider = place.provider(Via::Url);
    let century = Duration::from_hours(24 * 36_500);
    assert!(listed(&provider, "never").await.remaining > century);
    assert!(listed(&provider, "far").await.remaining > century);
    assert!(!listed(&provider, "ever").await.is_held());
    // Showing them must not end the program that does.
    for (name, shown) in [
        ("never", "until after the year 9999"),
        ("ever", "free since before 1970"),
        ("far", "until after the year 9999"),
    ] {
        let line = listed(&provider, name).await.to_string();
        assert!(line.contains(shown), "{line}");
    }
    let freed = provider.force_release("never", "").await;
    assert!(freed.expect("it is held"));
    assert_eq!(skipped(&provider, "never").await, None);
}

#[tokio::test]
async fn mysql_times_of_long_ago_and_far_ahead() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    for (name, until) in [
        ("zero", "0000-00-00"),
        ("far", "9999-12-31 23:59:59.999999"),
    ] {
        MySql::insert_foreign(&place.pool, name).await;
        let update = format!(
            "SET SESSION sql_mode = ''; UPDATE shedlock SET lock_until = '{until}' WHERE name = '{name}'"
        );
        place.execute(&update).await;
    }
    let provider = place.provider(Via::Url);
    let zero = listed(&provider, "zero").await;
    assert!(!zero.is_held() && zero.problem.is_none(), "{zero:?}");
    assert!(listed(&provider, "far").await.is_held());
    // The code that says for how long must not be taken for a pause.
    assert_eq!(skipped(&provider, "far").await, Some(SkipReason::Held));
    assert_eq!(skipped(&provider, "zero").await, None);
}

#[tokio::test]
async fn sqlite_values_of_any_type() {
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    place
        .execute("CREATE TABLE shedlock (name PRIMARY KEY, lock_until, locked_at, locked_by, fencing_token)")
        .await;
    place
        .execute(
            "INSERT INTO shedlock VALUES ('text', 'tomorrow', 0, 'a', 1), ('real', 1.5, 0, 'a', 1), \
             ('blob', x'ff', x'ff', x'ff', x'ff'), ('token', 0, 0, 'a', 'many'), (x'ff', 0, 0, 'a', 1), (7, 0, 0, 8, 9)",
        )
        .await;
    let provider = place.provider(Via::Url);
    let all = provider.list().await.expect("the rows can be read");
    assert_eq!(all.len(), 6, "{all:?}");
    let problem = async |name: &str| listed(&provider, name).await.problem;
    let told = problem("text").await;
    assert_eq!(told.as_deref(), Some("the end of the lease is text"));
    let told = problem("blob").await;
    assert_eq!(told.as_deref(), Some("the end of the lease is blob"));
    assert_eq!(listed(&provider, "token").await.fencing_token, None);
    let seven = listed(&provider, "7").await;
    assert_eq!((seven.node.as_str(), seven.fencing_token), ("8", Some(9)));
    let mended = provider.force_release("text", "").await;
    assert!(mended.expect("it is known"));
    assert_eq!(skipped(&provider, "text").await, None);
}
