//! Times that a table cannot keep, or that nodes would read in different ways.

use shedlock_runtime::{ErrorKind, LockProviderExt as _, Ownership};
use shedlock_sqlx::{LockClock, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{self, Place, Table, TestStore, Via};
use crate::{DB_ROWS, config, must_fail, must_lock};

each_database! {
    the_clients_clock_can_decide
    a_row_without_an_end_is_told
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
    assert_eq!(released, Ownership::Ours);
    must_lock(&database, "a").await;
    must_lock(&client, "a").await;
    let lock = client
        .try_lock(config("b", "1m"))
        .await
        .expect("the database answers");
    let mut lock = lock.expect("the lock is free");
    lock.extend("2m", "0s").await.expect("the lease is live");
}

#[tokio::test]
async fn a_lease_past_2038_is_refused_where_the_column_ends() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    place.make(Table::ShedLocks).await;
    // Without strict mode the server would store zero, and the lock would be free at once.
    let lenient = place::not_strict()
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
