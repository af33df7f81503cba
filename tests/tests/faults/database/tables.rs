//! D1 to D4: the table is not there, or not as it should be.

use shedlock::{ErrorKind, lock};

use super::{Crew, LONG, must_fail, must_lose, must_run, until_extended};
use crate::support::{Place, cases, connect};

cases! {
    d1_table_missing on sqlite postgres mariadb;
    d1_table_dropped_while_held on sqlite postgres mariadb;
    d2_column_missing on sqlite postgres mariadb;
    d2_column_that_nobody_fills on sqlite postgres mariadb;
    d2_columns_of_other_types on postgres mariadb;
    d3_no_key on sqlite postgres mariadb;
    d4_duplicate_rows on sqlite postgres mariadb;
}

/// The error holds the statement that makes the table, and with it the next call works.
async fn d1_table_missing(place: Place) {
    let (locks, other) = (place.connect().await, place.connect().await);
    must_run(&locks).await;
    place.execute("DROP TABLE shedlock").await;
    for locks in [&locks, &other] {
        let error = must_fail(locks).await;
        assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
        assert!(!error.is_transient());
        let remedy = error.remedy().expect("there is one");
        assert!(remedy.contains("CREATE TABLE"), "{error}");
    }
    let error = must_fail(&locks).await.to_string();
    let (_, statement) = error.rsplit_once("run: ").expect("a statement");
    place.execute(statement).await;
    if !place.is_sqlite() && !place.is_mariadb() {
        // The administrator has made it.
        let give = "ALTER TABLE shedlock OWNER TO shedlock";
        place.execute(give).await;
    }
    must_run(&locks).await;
    must_run(&other).await;
}

/// The holder is told that its row is gone. Then the table is made anew, and the others go on.
async fn d1_table_dropped_while_held(place: Place) {
    let (holder, heir) = (place.connect().await, place.connect().await);
    must_lose(&holder, async |_| {
        place.execute("DROP TABLE shedlock").await;
        connect(&place.url).await;
        // The new table knows nothing of the old one's leases.
        must_run(&heir).await;
    })
    .await;
    must_run(&holder).await;
}

async fn d2_column_missing(place: Place) {
    let locks = place.connect().await;
    must_run(&locks).await;
    place
        .execute("ALTER TABLE shedlock RENAME COLUMN locked_by TO taken_by")
        .await;
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("locked_by"), "{error}");
    place
        .execute("ALTER TABLE shedlock RENAME COLUMN taken_by TO locked_by")
        .await;
    must_run(&locks).await;
}

/// A column of somebody else's, without a default, which SQLite does not add to a table.
async fn d2_column_that_nobody_fills(place: Place) {
    let locks = place.connect().await;
    must_run(&locks).await;
    if place.is_sqlite() {
        place
            .execute(
                "DROP TABLE shedlock; CREATE TABLE shedlock (name VARCHAR(64) PRIMARY KEY, lock_until INTEGER NOT NULL, \
                 locked_at INTEGER NOT NULL, locked_by VARCHAR(255) NOT NULL, comment TEXT NOT NULL)",
            )
            .await;
    } else {
        let add =
            "DELETE FROM shedlock; ALTER TABLE shedlock ADD COLUMN comment VARCHAR(9) NOT NULL";
        place.execute(add).await;
    }
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("comment"), "{error}");
    place
        .execute("ALTER TABLE shedlock DROP COLUMN comment")
        .await;
    must_run(&locks).await;
}

async fn d2_columns_of_other_types(place: Place) {
    let locks = place.connect().await;
    must_run(&locks).await;
    for wrong in ["TEXT", "DATE", "INT"] {
        // Without the rows: their values would be in the way.
        place.execute("DELETE FROM shedlock").await;
        let change = if place.is_mariadb() {
            format!("ALTER TABLE shedlock MODIFY lock_until {wrong} NOT NULL")
        } else {
            format!(
                "ALTER TABLE shedlock DROP COLUMN lock_until; ALTER TABLE shedlock ADD COLUMN lock_until {wrong} NOT NULL"
            )
        };
        place.execute(&change).await;
        // Nodes on MariaDB look at types when they begin.
        let begun = place.connect_lazily();
        let running = (!place.is_mariadb()).then_some(&locks);
        for locks in [Some(&begun), running].into_iter().flatten() {
            let error = must_fail(locks).await;
            assert_eq!(error.kind(), ErrorKind::Schema, "{wrong}: {error}");
            assert!(error.to_string().contains("TIME"), "{wrong}: {error}");
        }
    }
    place.execute("DROP TABLE shedlock").await;
    connect(&place.url).await;
    must_run(&locks).await;
}

/// The table as it is, but without a key.
async fn take_the_key_away(place: &Place) {
    let statements = if place.is_sqlite() {
        "ALTER TABLE shedlock RENAME TO with_key; CREATE TABLE shedlock AS SELECT * FROM with_key; DROP TABLE with_key"
    } else if place.is_mariadb() {
        "ALTER TABLE shedlock DROP PRIMARY KEY"
    } else {
        "ALTER TABLE shedlock DROP CONSTRAINT shedlock_pkey"
    };
    place.execute(statements).await;
}

/// Two rows would be two holders, so nobody is one. While a program runs it may have looked before.
async fn d3_no_key(place: Place) {
    take_the_key_away(&place).await;
    let locks = connect(&place.url).await;
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("key"), "{error}");
    place
        .execute("CREATE UNIQUE INDEX shedlock_key ON shedlock (name)")
        .await;
    must_run(&locks).await;
}

/// Each row of them says that it is free.
async fn d4_duplicate_rows(place: Place) {
    must_run(&place.connect().await).await;
    take_the_key_away(&place).await;
    place
        .execute("INSERT INTO shedlock SELECT * FROM shedlock")
        .await;
    let locks = connect(&place.url).await;
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("key"), "{error}");
    assert_eq!(place.column("count(*)").await, "2", "nothing was written");
    place.execute("DELETE FROM shedlock").await;
    place
        .execute("CREATE UNIQUE INDEX shedlock_key ON shedlock (name)")
        .await;
    let crew = Crew::default();
    let script = async {
        until_extended(&place).await;
        assert!(lock::is_held());
    };
    crew.hold(&locks, LONG, script).await;
}
