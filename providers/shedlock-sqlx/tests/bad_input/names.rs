//! Names: of locks, of the table and its columns, and what is never shown.

use shedlock_runtime::{ErrorKind, LockError, LockProviderExt as _};
use shedlock_sqlx::{ColumnNames, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{Place, Table, TestStore, Via, warnings};
use crate::{DB_ROWS, config, must_fail, must_lock};

each_database! {
    a_name_of_65_characters_reaches_no_table
    names_stay_names
    a_table_and_columns_of_other_names
    odd_identifiers_are_quoted
    debug_hides_the_url
}

async fn a_name_of_65_characters_reaches_no_table<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = place.provider(Via::Url);
    let name = "x".repeat(65);
    let error = must_fail(&provider, &name, "1m").await;
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    let told = "a lock name can have at most 64 characters here; this one has 65";
    assert!(error.to_string().ends_with(told), "{error}");
    let names = DB::texts(&place.pool, "SELECT name FROM shedlock").await;
    assert_eq!(names, Vec::<String>::new());
    // A name that is cut would take the lock of this one.
    must_lock(&provider, &name[..64]).await;
}

async fn names_stay_names<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = place.provider(Via::Url);
    let hostile = [
        "'; DROP TABLE shedlock; --",
        "\\'; DELETE FROM shedlock; --",
        "🦀",
        "$1",
        ":name",
        "?",
    ];
    for name in hostile {
        let node = place
            .builder(Via::Url)
            .node_name(name)
            .build()
            .expect("any node name will do");
        let held = node
            .try_lock(config(name, "1m"))
            .await
            .expect("the database answers");
        let _held = held.expect("the lock is free");
        let refused = provider
            .try_lock(config(name, "1m"))
            .await
            .expect("the database answers");
        assert!(refused.is_none(), "{name}");
    }
    let mut stored = DB::texts(&place.pool, "SELECT name FROM shedlock").await;
    stored.sort();
    let mut wanted = hostile.map(str::to_owned);
    wanted.sort();
    assert_eq!(stored, wanted);
}

/// Makes the table of a provider and takes a lock in it; nothing is wrong with it.
async fn must_make_and_lock<DB: TestStore>(built: Result<SqlxLockProvider<DB>, LockError>) {
    let provider = built.expect("the names are legal");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    must_lock(&provider, "a").await;
    let report = provider.check_schema().await.expect("the table is good");
    assert_eq!(warnings(&report), Vec::<String>::new());
}

async fn a_table_and_columns_of_other_names<DB: TestStore>(place: Place<DB>) {
    let columns = ColumnNames::default()
        .with_name("job")
        .with_lock_until("until")
        .with_locked_at("since")
        .with_locked_by("node")
        .with_fencing_token("number");
    let built = place
        .builder(Via::Url)
        .table_name("Locks")
        .columns(columns)
        .build();
    must_make_and_lock(built).await;
    for (name, told) in [
        ("", "the name of a table cannot be empty"),
        ("a\0b", "the name of a table cannot contain NUL"),
    ] {
        let error = place
            .builder(Via::Url)
            .table_name(name)
            .build()
            .expect_err("no legal name");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().ends_with(told), "{error}");
    }
}

async fn odd_identifiers_are_quoted<DB: TestStore>(place: Place<DB>) {
    let columns = ColumnNames::default()
        .with_name("select")
        .with_locked_by("who \"did\" `it`")
        .with_lock_until(":lease $1 ?");
    let built = place
        .builder(Via::Url)
        .table_name("my \"lo`cks\"; --")
        .columns(columns)
        .build();
    must_make_and_lock(built).await;
}

#[tokio::test]
async fn a_schema_qualified_table() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    place.execute("CREATE SCHEMA app").await;
    let provider = place
        .builder(Via::Url)
        .table_name("app.locks")
        .build()
        .expect("a legal name");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    must_lock(&provider, "a").await;
    let _report = provider.check_schema().await.expect("the table is good");
    let rows = DB_ROWS.replace("shedlock", "app.locks");
    assert_eq!(Postgres::texts(&place.pool, &rows).await, ["a"]);
}

#[tokio::test]
async fn a_collation_that_mixes_names_is_told() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    let table = MySql::SHEDLOCKS_TABLE
        .replace("utf8mb4_nopad_bin", "utf8mb4_general_ci")
        .replace("utf8mb4_0900_bin", "utf8mb4_general_ci");
    place.execute(&table).await;
    let provider = place.provider(Via::Url);
    must_lock(&provider, "job").await;
    for other in ["Job", "job ", "jób"] {
        let error = must_fail(&provider, other, "1m").await;
        assert_eq!(error.kind(), ErrorKind::Schema, "{other}: {error}");
        let told =
            "takes this name for another one that differs in case, accents or trailing blanks";
        assert!(error.to_string().contains(told), "{error}");
    }
    must_lock(&provider, "job").await;
    let report = provider.check_schema().await.expect("the table works");
    assert!(report.warnings().join("\n").contains("utf8mb4_general_ci"));
}

async fn debug_hides_the_url<DB: TestStore>(place: Place<DB>) {
    let Some((url, password)) = DB::refused_login(&place).await else {
        return;
    };
    let builder = SqlxLockProvider::<DB>::builder_from_url(&url);
    let shown = format!("{builder:?}");
    let provider = builder.build().expect("the URL is valid");
    let error = provider
        .ensure_schema()
        .await
        .expect_err("the login is refused");
    let shown = format!("{shown} {provider:?} {error} {error:?}");
    assert!(
        !shown.contains(password),
        "{}",
        shown.replace(password, "<here>")
    );
    let garbled = url.replace("://", "://x:y@z:").replace('/', "//");
    let error = SqlxLockProvider::<DB>::connect(&garbled)
        .await
        .expect_err("no URL");
    assert!(!format!("{error} {error:?}").contains(password));
}

#[test]
fn the_url_of_another_database_is_refused() {
    fn refused<DB: TestStore>(urls: &[&str], expected: &str) {
        for url in urls {
            let built = SqlxLockProvider::<DB>::builder_from_url(url).build();
            let error = built.expect_err("it is another database's");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            let shown = error.to_string();
            assert!(
                shown.contains(expected) && !shown.contains("secret"),
                "{shown}"
            );
        }
    }
    let (postgres, mysql) = ("postgres://me:secret@host/db", "mysql://me:secret@host/db");
    refused::<Sqlite>(&[postgres, mysql, "file://locks.db"], "`sqlite://");
    refused::<Postgres>(&[mysql, "sqlite://locks.db"], "`postgres://");
    refused::<MySql>(&[postgres, "sqlite://locks.db"], "`mysql://");
}
