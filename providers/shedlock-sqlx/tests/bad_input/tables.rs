//! Tables that are missing, or not as a lock needs them.

use shedlock_runtime::{ErrorKind, LockProviderExt as _};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{Place, Table, TestStore, Via, warnings};
use crate::{config, must_fail, must_lock};

each_database! {
    a_missing_column_is_named
    a_missing_table_is_told_with_its_definition
    a_table_without_a_key_is_never_used
    a_token_column_may_come_and_go
    a_token_column_may_hold_nothing
    many_nodes_make_one_table
    our_own_table_passes_its_check
    shedlocks_table_passes_its_check
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

/// As when the column was added by hand, without a default: the rows that were there, and those of nodes on the JVM, have
/// NULL in it.
async fn a_token_column_may_hold_nothing<DB: TestStore>(place: Place<DB>) {
    place.make(Table::ShedLocks).await;
    DB::insert_foreign(&place.pool, "a").await;
    place
        .execute("ALTER TABLE shedlock ADD COLUMN fencing_token BIGINT")
        .await;
    let nodes = [place.provider(Via::Url), place.provider(Via::Pool)];
    let mut last = None;
    for node in nodes.iter().cycle().take(4) {
        let lock = node.try_lock(config("a", "1m")).await;
        let lock = lock.expect("the database answers");
        let lock = lock.expect("the lock is free");
        assert!(lock.fencing_token() > last, "after {last:?}");
        last = lock.fencing_token();
        lock.unlock().await.expect("the database answers");
    }
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
        assert_eq!(warnings(&report), Vec::<String>::new());
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

#[tokio::test]
async fn postgres_types_that_cannot_work() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    for (kind, told) in [
        ("text", "expected TIMESTAMP NOT NULL"),
        ("date", "expected TIMESTAMP NOT NULL"),
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
