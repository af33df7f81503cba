//! What the provider says to input and tables that cannot work.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[path = "support/place.rs"]
mod place;

use shedlock_runtime::{
    ErrorKind, LockConfiguration, LockError, LockProvider, LockProviderExt as _, Released,
};
use shedlock_sqlx::{ColumnNames, LockClock, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use place::{Place, Table, TestStore, Via};

fn config(name: &str, at_most: &str) -> LockConfiguration {
    LockConfiguration::new(name, at_most).expect("a legal configuration")
}

async fn must_fail<P: LockProvider + Clone>(provider: &P, name: &str, at_most: &str) -> LockError {
    match provider.try_lock(config(name, at_most)).await {
        Err(error) => error,
        Ok(outcome) => panic!("the lock was asked for with success: {outcome:?}"),
    }
}

async fn must_lock<P: LockProvider + Clone>(provider: &P, name: &str) {
    let lock = provider.try_lock(config(name, "1m")).await;
    let lock = lock
        .expect("the database answers")
        .expect("the lock is free");
    lock.unlock().await.expect("the database answers");
}

/// Calls a generic test for each database.
macro_rules! each_database {
    ($($test:ident)*) => {$(
        mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test::<super::Sqlite>(super::server_or_skip!(super::Place::<super::Sqlite>::empty().await)).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$test::<super::Postgres>(super::server_or_skip!(super::Place::<super::Postgres>::empty().await)).await;
            }

            #[tokio::test]
            async fn mysql() {
                super::$test::<super::MySql>(super::server_or_skip!(super::Place::<super::MySql>::empty().await)).await;
            }
        }
    )*};
}

each_database! {
    a_name_of_65_characters_reaches_no_table
    names_stay_names
    a_table_and_columns_of_other_names
    odd_identifiers_are_quoted
    a_missing_column_is_named
    a_missing_table_is_told_with_its_definition
    a_table_without_a_key_is_never_used
    a_token_column_may_come_and_go
    a_row_without_an_end_is_told
    the_clients_clock_can_decide
    many_nodes_make_one_table
    our_own_table_passes_its_check
    shedlocks_table_passes_its_check
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
    let provider = built.expect("the names are legal");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    must_lock(&provider, "a").await;
    let report = provider.check_schema().await.expect("the table is good");
    assert_eq!(report.warnings(), Vec::<String>::new());
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
    let provider = built.expect("the names are legal");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    must_lock(&provider, "a").await;
    let report = provider.check_schema().await.expect("the table is good");
    assert_eq!(report.warnings(), Vec::<String>::new());
}

async fn a_missing_column_is_named<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    place
        .execute("ALTER TABLE shedlock DROP COLUMN locked_by")
        .await;
    let provider = place.provider(Via::Url);
    for _ in 0..2 {
        let error = must_fail(&provider, "a", "1m").await;
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(error.to_string().contains("locked_by"), "{error}");
    }
    let error = provider
        .check_schema()
        .await
        .expect_err("a column is missing");
    assert!(
        error
            .to_string()
            .contains("there is no column `locked_by`: run: ALTER TABLE"),
        "{error}"
    );
    // And it works as soon as it is there.
    place
        .execute("ALTER TABLE shedlock ADD COLUMN locked_by VARCHAR(255) NOT NULL DEFAULT ''")
        .await;
    must_lock(&provider, "a").await;
}

async fn a_missing_table_is_told_with_its_definition<DB: TestStore>(place: Place<DB>) {
    let provider = place
        .builder(Via::Url)
        .connect()
        .await
        .expect("the database is there");
    let error = must_fail(&provider, "a", "1m").await;
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(!error.is_transient());
    let remedy = error.remedy().expect("there is something to do").to_owned();
    let (_, ddl) = remedy.split_once("run: ").expect("the definition");
    let error = provider
        .check_schema()
        .await
        .expect_err("there is no table");
    assert!(
        error
            .to_string()
            .contains("the table `shedlock` does not exist"),
        "{error}"
    );
    place.execute(ddl).await;
    must_lock(&provider, "a").await;
}

async fn a_table_without_a_key_is_never_used<DB: TestStore>(place: Place<DB>) {
    let table = DB::SHEDLOCKS_TABLE.replace(", PRIMARY KEY (name)", "");
    assert_ne!(table, DB::SHEDLOCKS_TABLE);
    place.execute(&table).await;
    let provider = place.provider(Via::Pool);
    let error = must_fail(&provider, "a", "1m").await;
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(
        error.to_string().contains("two nodes could hold one lock"),
        "{error}"
    );
    let error = provider.check_schema().await.expect_err("there is no key");
    assert!(
        error
            .to_string()
            .contains("the column `name` is not the primary key"),
        "{error}"
    );
    let rows = DB::texts(&place.pool, "SELECT name FROM shedlock").await;
    assert_eq!(rows, Vec::<String>::new());
    place
        .execute("CREATE UNIQUE INDEX shedlock_key ON shedlock (name)")
        .await;
    must_lock(&provider, "a").await;
}

async fn a_token_column_may_come_and_go<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = place.provider(Via::Url);
    let token = async || {
        let lock = provider
            .try_lock(config("a", "1m"))
            .await
            .expect("the database answers");
        let lock = lock.expect("the lock is free");
        let token = lock.fencing_token();
        lock.unlock().await.expect("the database answers");
        token
    };
    let first = token().await.expect("the table keeps tokens");
    place
        .execute("ALTER TABLE shedlock DROP COLUMN fencing_token")
        .await;
    assert_eq!(token().await, None);
    place
        .execute("ALTER TABLE shedlock ADD COLUMN fencing_token BIGINT NOT NULL DEFAULT 0")
        .await;
    // A node that knows of it goes on where the numbers were.
    let late = place
        .builder(Via::Url)
        .connect()
        .await
        .expect("the database is there");
    let lock = late
        .try_lock(config("a", "1m"))
        .await
        .expect("the database answers");
    assert!(lock.expect("the lock is free").fencing_token() > Some(first));
}

async fn a_row_without_an_end_is_told<DB: TestStore>(place: Place<DB>) {
    let table = DB::SHEDLOCKS_TABLE.replace(
        "lock_until TIMESTAMP(3) NOT NULL",
        "lock_until TIMESTAMP(3) NULL",
    );
    let table = table.replace("lock_until TIMESTAMP NOT NULL", "lock_until TIMESTAMP NULL");
    place.execute(&table).await;
    DB::insert_foreign(&place.pool, "a").await;
    place.execute("UPDATE shedlock SET lock_until = NULL").await;
    let provider = place.provider(Via::Url);
    match provider.try_lock(config("a", "1m")).await {
        // It is not free, and PostgreSQL's statement does not say why.
        Ok(None) => {
            let report = provider.check_schema().await.expect("the table works");
            let told = report.warnings().join("\n");
            assert!(told.contains("the lock `a` has no end"), "{told}");
        }
        Ok(granted) => panic!("the row is nobody's to take: {granted:?}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Schema);
            let told = "the end of the lease is NULL; delete the row";
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}

async fn the_clients_clock_can_decide<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let client = place
        .builder(Via::Url)
        .clock(LockClock::Client)
        .build()
        .expect("legal options");
    let database = place.provider(Via::Url);
    let lock = client
        .try_lock(config("a", "1m"))
        .await
        .expect("the database answers");
    let lock = lock.expect("the lock is free");
    // One machine, so both clocks agree.
    for provider in [&database, &client] {
        let refused = provider.try_lock(config("a", "1m")).await;
        assert!(refused.expect("the database answers").is_none());
    }
    let released = lock.unlock().await.expect("the database answers");
    assert_eq!(released, Released::Released);
    must_lock(&database, "a").await;
    must_lock(&client, "a").await;
    let lock = client
        .try_lock(config("b", "1m"))
        .await
        .expect("the database answers");
    let mut lock = lock.expect("the lock is free");
    lock.extend("2m", "0s").await.expect("the lease is live");
}

async fn many_nodes_make_one_table<DB: TestStore>(place: Place<DB>) {
    let makers = (0..8).map(|_| {
        let provider = place.provider(Via::Url);
        tokio::spawn(async move { provider.ensure_schema().await })
    });
    for maker in makers.collect::<Vec<_>>() {
        maker.await.expect("no panic").expect("the table is there");
    }
    must_lock(&place.provider(Via::Url), "a").await;
}

async fn our_own_table_passes_its_check<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    for via in [Via::Url, Via::Pool] {
        let report = place
            .provider(via)
            .check_schema()
            .await
            .expect("the table is good");
        assert_eq!(report.warnings(), Vec::<String>::new());
    }
}

async fn shedlocks_table_passes_its_check<DB: TestStore>(place: Place<DB>) {
    place.make(Table::ShedLocks).await;
    let report = place
        .provider(Via::Url)
        .check_schema()
        .await
        .expect("the table is good");
    let told = report.warnings().join("\n");
    assert!(
        told.contains("there is no column `fencing_token`"),
        "{told}"
    );
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

#[tokio::test]
async fn postgres_types_that_cannot_work() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    for (kind, told) in [
        ("text", "expected TIMESTAMP NOT NULL"),
        ("date", "the column that keeps the end of the lease cuts it"),
        ("integer", "expected TIMESTAMP NOT NULL"),
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        let table = Postgres::SHEDLOCKS_TABLE
            .replace("lock_until TIMESTAMP", &format!("lock_until {kind}"));
        place.execute(&table).await;
        let provider = place.provider(Via::Url);
        let error = must_fail(&provider, "a", "1m").await;
        assert_eq!(error.kind(), ErrorKind::Schema, "{kind}: {error}");
        assert!(error.to_string().contains(told), "{kind}: {error}");
        let error = provider.check_schema().await.expect_err("a wrong type");
        let told = format!("the column `lock_until` is {kind}; expected TIMESTAMP NOT NULL");
        assert!(error.to_string().contains(&told), "{error}");
    }
}

#[tokio::test]
async fn mysql_types_that_cannot_work() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    for kind in ["DATE", "INT", "TEXT", "TIME"] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        let table = MySql::SHEDLOCKS_TABLE
            .replace("lock_until TIMESTAMP(3)", &format!("lock_until {kind}"));
        place.execute(&table).await;
        for via in [Via::Url, Via::Pool] {
            let error = must_fail(&place.provider(via), "a", "1m").await;
            assert_eq!(error.kind(), ErrorKind::Schema, "{kind}: {error}");
            assert!(
                error.to_string().contains("expected DATETIME(6) NOT NULL"),
                "{kind}: {error}"
            );
        }
    }
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

const DB_ROWS: &str = "SELECT name FROM shedlock";

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

#[tokio::test]
async fn a_lease_past_2038_is_refused_where_the_column_ends() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    place.make(Table::ShedLocks).await;
    // Without strict mode the server would store zero, and the lock would be free at once.
    let lenient = sqlx::pool::PoolOptions::<MySql>::new().after_connect(|connection, _| {
        Box::pin(async move {
            sqlx::Executor::execute(connection, "SET SESSION sql_mode = ''")
                .await
                .map(drop)
        })
    });
    let lenient = lenient
        .connect(&place.direct)
        .await
        .expect("the database is there");
    for provider in [place.provider(Via::Url), SqlxLockProvider::new(lenient)] {
        let error = must_fail(&provider, "a", "36000d").await;
        assert_eq!(error.kind(), ErrorKind::InvalidDuration);
        let told =
            "the lease would end after 2038-01-19 03:14:07 UTC, which is as far as the column goes";
        assert!(error.to_string().contains(told), "{error}");
    }
    assert_eq!(
        MySql::texts(&place.pool, DB_ROWS).await,
        Vec::<String>::new()
    );
    place.execute("DROP TABLE shedlock").await;
    place.make(Table::Ours).await;
    let provider = place.provider(Via::Url);
    let lock = provider
        .try_lock(config("a", "36000d"))
        .await
        .expect("DATETIME goes on");
    let again = provider
        .try_lock(config("a", "1m"))
        .await
        .expect("the database answers");
    assert!(lock.is_some() && again.is_none());
}

#[tokio::test]
async fn a_session_in_another_time_zone_is_told() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    place.make(Table::ShedLocks).await;
    let options: sqlx::mysql::MySqlConnectOptions = place.direct.parse().expect("a valid URL");
    let tokyo = sqlx::MySqlPool::connect_lazy_with(options.timezone("+09:00".to_owned()));
    let provider = SqlxLockProvider::new(tokyo);
    let error = provider
        .check_schema()
        .await
        .expect_err("others read other times");
    assert!(
        error
            .to_string()
            .contains("depends on the session's time zone, which is +09:00 here"),
        "{error}"
    );
    let error = must_fail(&provider, "a", "1m").await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    let _report = place
        .provider(Via::Url)
        .check_schema()
        .await
        .expect("ours is in UTC");
}

#[tokio::test]
async fn a_lock_taken_in_the_future_is_told() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::ShedLocks).await);
    let row = "INSERT INTO shedlock VALUES ('night', now() + interval '3 hours', now() + interval '2 hours', 'jvm')";
    place.execute(row).await;
    let report = place
        .provider(Via::Url)
        .check_schema()
        .await
        .expect("the table works");
    let told = report.warnings().join("\n");
    assert!(
        told.contains("the lock `night` has no end or was taken in the future"),
        "{told}"
    );
    assert!(told.contains("forceUtcTimeZone()"), "{told}");
}

#[tokio::test]
async fn postgres_infinity_is_held() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    Postgres::insert_foreign(&place.pool, "a").await;
    place
        .execute("UPDATE shedlock SET lock_until = 'infinity'")
        .await;
    let provider = place.provider(Via::Url);
    let refused = provider
        .try_lock(config("a", "1m"))
        .await
        .expect("the database answers");
    assert!(refused.is_none());
}
