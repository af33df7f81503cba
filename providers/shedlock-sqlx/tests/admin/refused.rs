//! What is refused, and in which words.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    BootInstant, Clock, ErrorKind, LockAdmin, LockError, LockProvider as _, Operation, SkipReason,
    SystemClock,
};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres as PostgresServer};
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{self, Place, Table, TestStore, Via};
use crate::{GRAIN, HOUR, later, skipped};

each_database! {
    a_missing_table_is_told_with_its_definition
    an_end_that_has_passed_by_the_databases_clock
}

/// The errors of all that an operator does.
async fn errors(provider: &impl LockAdmin) -> Vec<(Operation, LockError)> {
    let errors = [
        (Operation::List, provider.list().await.err()),
        (Operation::Get, provider.get("a").await.err()),
        (
            Operation::ForceRelease,
            provider.force_release("a", "").await.err(),
        ),
        (
            Operation::Pause,
            provider.pause("a", later(), "").await.err(),
        ),
        (Operation::Resume, provider.resume("a").await.err()),
        (Operation::Prune, provider.prune(Duration::ZERO).await.err()),
    ];
    let told = errors
        .into_iter()
        .filter_map(|(operation, error)| Some((operation, error?)));
    told.collect()
}

async fn a_missing_table_is_told_with_its_definition<DB: TestStore>(place: Place<DB>) {
    let provider = place.provider(Via::Url);
    let told = errors(&provider).await;
    assert_eq!(told.len(), 6);
    for (operation, error) in told {
        assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
        assert_eq!(error.operation(), Some(operation));
        assert_eq!(error.provider(), Some(provider.info().name()));
        let text = error.to_string();
        assert!(
            text.contains("the table `shedlock` does not exist") && text.contains("CREATE TABLE"),
            "{text}"
        );
    }
    place.make(Table::Ours).await;
    assert_eq!(
        errors(&provider).await.len(),
        0,
        "and works as soon as it is there"
    );
}

/// A machine that is an hour behind.
#[derive(Debug)]
struct Behind;

impl Clock for Behind {
    fn utc(&self) -> SystemTime {
        SystemTime::now() - HOUR
    }

    fn boot(&self) -> BootInstant {
        SystemClock.boot()
    }
}

async fn an_end_that_has_passed_by_the_databases_clock<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let behind = place
        .builder(Via::Url)
        .time_source(Behind)
        .build()
        .expect("legal options");
    let right = place.provider(Via::Url);
    assert_eq!(skipped(&right, "held").await, None);
    for name in ["held", "unknown"] {
        let past = SystemTime::now() - HOUR / 2;
        let error = behind
            .pause(name, past, "")
            .await
            .expect_err("it would take the lock for nothing");
        assert_eq!(error.kind(), ErrorKind::InvalidDuration);
        assert!(
            error.to_string().contains("by the database's clock"),
            "{error}"
        );
    }
    assert_eq!(
        skipped(&right, "held").await,
        Some(SkipReason::Held),
        "its holder keeps it"
    );
    assert_eq!(
        right.get("unknown").await.expect("the rows can be read"),
        None
    );
    // An end that is to come is one for both.
    behind
        .pause("held", later(), "")
        .await
        .expect("a lock can be paused");
    let paused = behind
        .get("held")
        .await
        .expect("the row can be read")
        .expect("it is known");
    let left = paused.remaining;
    assert!(left > HOUR / 2 && left < HOUR + GRAIN, "{paused:?}");
}

#[tokio::test]
async fn a_pause_past_2038_where_the_column_ends() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::ShedLocks).await);
    let lenient = place::not_strict()
        .connect(&place.direct)
        .await
        .expect("the database is there");
    let in_2050 = SystemTime::UNIX_EPOCH + Duration::from_hours(701_280);
    for provider in [place.provider(Via::Url), SqlxLockProvider::new(lenient)] {
        assert_eq!(
            skipped(&provider, "a")
                .await
                .filter(|why| *why != SkipReason::Held),
            None
        );
        let error = provider
            .pause("a", in_2050, "")
            .await
            .expect_err("the column ends before");
        assert_eq!(error.kind(), ErrorKind::InvalidDuration);
        assert!(error.to_string().contains("2038-01-19"), "{error}");
        assert_eq!(skipped(&provider, "a").await, Some(SkipReason::Held));
    }
    place.execute("DROP TABLE shedlock").await;
    place.make(Table::Ours).await;
    let provider = place.provider(Via::Url);
    provider
        .pause("a", in_2050, "")
        .await
        .expect("DATETIME goes on");
    assert_eq!(skipped(&provider, "a").await, Some(SkipReason::Paused));
}

#[tokio::test]
async fn a_name_that_the_collation_takes_for_another() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    let table = MySql::SHEDLOCKS_TABLE
        .split(" CHARACTER SET")
        .next()
        .expect("a table");
    place
        .execute(&format!(
            "{table} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        ))
        .await;
    let provider = place.provider(Via::Url);
    assert_eq!(skipped(&provider, "job").await, None);
    for other in ["Job", "job ", "jób"] {
        assert_eq!(
            provider.get(other).await.expect("the rows can be read"),
            None
        );
        assert!(
            !provider
                .force_release(other, "")
                .await
                .expect("the rows can be read")
        );
        assert!(!provider.resume(other).await.expect("the rows can be read"));
        let error = provider
            .pause(other, later(), "")
            .await
            .expect_err("the row is another lock's");
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(
            error
                .to_string()
                .contains("takes this name for another one"),
            "{error}"
        );
    }
    let job = provider
        .get("job")
        .await
        .expect("the row can be read")
        .expect("it is known");
    assert!(job.is_held() && !job.paused, "{job:?}");
}

/// A user who may read everything, and then do all that locks need, but delete nothing.
async fn rights<DB: TestStore>(url: &str, grant: impl AsyncFnOnce()) {
    let provider = SqlxLockProvider::<DB>::builder_from_url(url)
        .build()
        .expect("a valid URL");
    let told = errors(&provider).await;
    let refused: Vec<_> = told.iter().map(|(operation, _)| *operation).collect();
    let writing = [
        Operation::ForceRelease,
        Operation::Pause,
        Operation::Resume,
        Operation::Prune,
    ];
    assert_eq!(refused, writing);
    for (_, error) in &told {
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        assert!(
            error
                .remedy()
                .is_some_and(|remedy| remedy.contains("GRANT ")),
            "{error}"
        );
    }
    grant().await;
    let told = errors(&provider).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let (operation, error) = &told[0];
    assert_eq!(
        (*operation, error.kind()),
        (Operation::Prune, ErrorKind::Permission)
    );
    assert!(
        error.to_string().contains("run: GRANT DELETE ON"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_user_of_postgres_may_not_do() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let server = server_or_skip!(PostgresServer::shared().await);
    let url = server.read_only_url(&place.direct).await;
    rights::<Postgres>(&url, async || {
        server
            .execute(
                &place.direct,
                "GRANT INSERT, UPDATE ON shedlock TO shedlock_read_only",
            )
            .await;
    })
    .await;
}

#[tokio::test]
async fn what_a_user_of_mariadb_may_not_do() {
    let place: Place<MySql> = server_or_skip!(Place::with(Table::Ours).await);
    if std::env::var_os("SHEDLOCK_TEST_MYSQL_URL").is_some() {
        shedlock_testkit::skip!("the users are MariaDB's");
    }
    let server = server_or_skip!(MariaDb::shared().await);
    let url = server.read_only_url(&place.direct).await;
    rights::<MySql>(&url, async || {
        server
            .execute(
                &place.direct,
                "GRANT INSERT, UPDATE ON shedlock TO shedlock_read_only@'%'",
            )
            .await;
    })
    .await;
}
