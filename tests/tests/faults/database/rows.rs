//! D5, D6 and D16: rows that somebody deletes or edits, and rows that a statement changes to what they are.

use shedlock::{ErrorKind, LockAdmin as _, Outcome, SkipReason, lock};

use super::{MINUTE, job, must_lose, must_run, run, until_free};
use crate::support::{Place, cases};

cases! {
    d5_row_deleted_while_free on sqlite postgres mariadb;
    d5_row_deleted_while_held on sqlite postgres mariadb;
    d6_lock_until_far_off on sqlite postgres mariadb;
    d6_lock_until_without_a_value on sqlite postgres mariadb;
    d6_row_edited_while_held on sqlite postgres mariadb;
    d16_extensions_within_one_second on postgres mariadb;
}

async fn d5_row_deleted_while_free(place: Place) {
    let nodes = place.nodes(2).await;
    for locks in nodes.iter().cycle().take(4) {
        must_run(locks).await;
        place.execute("DELETE FROM shedlock").await;
    }
    must_run(&nodes[0]).await;
}

/// The lock is to be had, so somebody has it; the holder hears of it at its next extension, and its token is the older one.
async fn d5_row_deleted_while_held(place: Place) {
    let (holder, heir) = (place.connect().await, place.connect().await);
    must_lose(&holder, async |before| {
        place.execute("DELETE FROM shedlock").await;
        let token = async { lock::fencing_token() };
        let token = Box::pin(job(&heir, MINUTE, token))
            .await
            .expect("an answer");
        let after = token.executed().expect("it is free");
        assert!(before.is_some() && before < after, "{before:?} {after:?}");
    })
    .await;
    must_run(&holder).await;
}

/// Held is held, whoever says so. An operator sees it, and can free it.
async fn d6_lock_until_far_off(place: Place) {
    let (locks, operator) = (place.connect().await, place.operator().await);
    let ends: &[&str] = if place.is_sqlite() {
        &["253402300799000"]
    } else if place.is_mariadb() {
        &["'9999-12-31 23:59:59'"]
    } else {
        &["'9999-12-31 23:59:59'", "'infinity'"]
    };
    for end in ends {
        must_run(&locks).await;
        let edit = format!("UPDATE shedlock SET lock_until = {end} WHERE name = 'job'");
        place.execute(&edit).await;
        let answer = run(&locks).await.expect("it is no error");
        assert_eq!(answer, Outcome::Skipped(SkipReason::Held), "{end}");
        let seen = operator.get("job").await.expect("an answer");
        println!("{end}: {seen:?}");
        let listed = operator.list().await.expect("an answer");
        assert!(listed.iter().any(|lock| lock.name == "job"), "{listed:?}");
        let freed = operator.force_release("job", "edited").await;
        assert!(freed.expect("an answer"), "{end}");
        must_run(&locks).await;
    }
}

async fn d6_lock_until_without_a_value(place: Place) {
    let (locks, operator) = (place.connect().await, place.operator().await);
    if place.is_sqlite() {
        let nullable = "DROP TABLE shedlock; CREATE TABLE shedlock (name VARCHAR(64) PRIMARY KEY, lock_until INTEGER, \
                        locked_at INTEGER, locked_by VARCHAR(255), fencing_token BIGINT)";
        place.execute(nullable).await;
    } else if place.is_mariadb() {
        let nullable = "ALTER TABLE shedlock MODIFY lock_until DATETIME(6) NULL";
        place.execute(nullable).await;
    } else {
        let nullable = "ALTER TABLE shedlock ALTER COLUMN lock_until DROP NOT NULL";
        place.execute(nullable).await;
    }
    must_run(&locks).await;
    place.execute("UPDATE shedlock SET lock_until = NULL").await;
    let error = run(&locks).await.expect_err("it is neither held nor free");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("NULL"), "{error}");
    let seen = operator.get("job").await.expect("an answer");
    let problem = seen.expect("it is there").problem;
    assert!(problem.is_some_and(|problem| problem.contains("NULL")));
    let freed = operator.force_release("job", "edited").await;
    assert!(freed.expect("an answer"));
    must_run(&locks).await;
}

/// Another owner in the row: the lock is somebody else's from then on.
async fn d6_row_edited_while_held(place: Place) {
    let holder = place.connect().await;
    must_lose(&holder, async |_| {
        let edit = "UPDATE shedlock SET locked_by = 'somebody' WHERE name = 'job'";
        place.execute(edit).await;
    })
    .await;
    assert_eq!(
        place.column("locked_by").await,
        "somebody",
        "not ours to change"
    );
    let answer = run(&holder).await.expect("it is no error");
    assert_eq!(answer, Outcome::Skipped(SkipReason::Held));
}

/// In columns of whole seconds an extension may write what is there already; it is one all the same, whichever way the driver
/// counts rows.
async fn d16_extensions_within_one_second(place: Place) {
    let locks = place.connect().await;
    let seconds = if place.is_mariadb() {
        "ALTER TABLE shedlock MODIFY lock_until DATETIME NOT NULL, MODIFY locked_at DATETIME NOT NULL"
    } else {
        "ALTER TABLE shedlock ALTER COLUMN lock_until TYPE timestamp(0), ALTER COLUMN locked_at TYPE timestamp(0)"
    };
    place.execute(seconds).await;
    let body = async {
        for _ in 0..20 {
            lock::extend(MINUTE, "0s").await.expect("it is held");
        }
    };
    let answer = Box::pin(job(&locks, MINUTE, body)).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    // PostgreSQL rounds the moment of the release, maybe to a later one.
    until_free(&locks).await;
    must_run(&locks).await;
    until_free(&locks).await;
}
