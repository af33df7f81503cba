//! What a node is told that finds a lock paused.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    EventKind, LockAdmin as _, LockConfiguration, LockEvent, LockingTaskExecutor, SchedulerLock,
    SkipReason,
};
use shedlock_sqlx::{LockClock, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{Place, Table, TestStore, Via};
use crate::{GRAIN, HOUR, later, refused};

each_database! {
    a_refusal_says_until_when
    an_event_says_until_when
}

/// What a refusal says is left of a pause of so long, in the statement that refuses.
async fn assert_left<DB: TestStore>(provider: &SqlxLockProvider<DB>, length: Duration) {
    let asked = SystemTime::now();
    let paused = provider.pause("a", asked + length, "upkeep").await;
    paused.expect("a lock can be paused");
    for _ in 0..3 {
        let refusal = refused(provider, "a").await.expect("it is paused");
        assert_eq!(refusal.reason, SkipReason::Paused);
        let left = refusal.remaining.expect("the database knows");
        let since = asked.elapsed().unwrap_or_default();
        assert!(
            left <= length + GRAIN && left + since + GRAIN >= length,
            "{left:?} of {length:?} are said to be left after {since:?}"
        );
    }
}

async fn a_refusal_says_until_when<DB: TestStore>(place: Place<DB>) {
    for table in [Table::Ours, Table::ShedLocks] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place.make(table).await;
        for clock in [LockClock::Database, LockClock::Client] {
            for persistent in [true, false] {
                let builder = place.builder(Via::Url).clock(clock);
                let provider = builder.persistent_statements(persistent).build();
                let provider = provider.expect("legal options");
                assert_left(&provider, HOUR).await;
                assert_left(&provider, HOUR * 24 * 300).await;
            }
        }
    }
}

async fn an_event_says_until_when<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = place.provider(Via::Url);
    // Tests share the listeners of their process.
    let lock = format!("told-{}", std::any::type_name::<DB>());
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let ours = lock.clone();
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        if let EventKind::Skipped { remaining, .. } = event.kind
            && event.lock.as_str() == ours
        {
            let _sent = sender.send(remaining);
        }
    });
    let _listening = listening.expect("a thread can be had");
    let paused = provider.pause(&lock, later(), "upkeep").await;
    paused.expect("a lock can be paused");
    let config = LockConfiguration::new(lock, "10m").expect("a legal configuration");
    let outcome = LockingTaskExecutor::new(provider)
        .execute(config, async {})
        .await;
    let outcome = outcome.expect("the database answers");
    assert_eq!(outcome.skipped(), Some(SkipReason::Paused));
    let left = told.recv().await.expect("an event").expect("until when");
    assert!(left > HOUR / 2 && left < HOUR + GRAIN, "{left:?}");
}

#[tokio::test]
async fn a_refusal_in_a_session_of_another_zone() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    let with_zone = Postgres::SHEDLOCKS_TABLE.replace("TIMESTAMP", "TIMESTAMPTZ");
    for (table, zone) in [
        (with_zone.as_str(), "Asia/Tokyo"),
        (Postgres::SHEDLOCKS_TABLE, "America/Los_Angeles"),
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place.execute(table).await;
        let options: sqlx::postgres::PgConnectOptions = place.direct.parse().expect("a valid URL");
        let pool = sqlx::PgPool::connect_lazy_with(options.options([("TimeZone", zone)]));
        assert_left(&SqlxLockProvider::new(pool), HOUR).await;
    }
}

#[tokio::test]
async fn a_pause_without_end_by_another_hand() {
    let place: Place<Postgres> = server_or_skip!(Place::with(Table::Ours).await);
    let provider = place.provider(Via::Url);
    assert_left(&provider, HOUR).await;
    place
        .execute("UPDATE shedlock SET lock_until = 'infinity'")
        .await;
    let refusal = refused(&provider, "a").await.expect("it is paused");
    assert_eq!(
        (refusal.reason, refusal.remaining),
        (SkipReason::Paused, None)
    );
}
