//! What an operation costs the database: counted, so that it does not depend on the machine.

#[path = "support/asking.rs"]
#[macro_use]
mod asking;
#[path = "support/place.rs"]
mod place;

use std::sync::Arc;
use std::time::Duration;

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{Acquisition, LockAdmin as _, LockProvider as _, Ownership, SkipReason};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Postgres;

use asking::{ask, in_time, later, refused, take};
use place::{Place, Via};

tests! {
    round_trips
    one_connection_for_all_tasks
    tasks_are_pipelined
}

async fn cycle(provider: &PostgresLockProvider, name: &str) {
    let lease = take(provider, name).await;
    let released = provider.release(&lease, Duration::ZERO).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
}

/// One each, with statements prepared by name and with those that poolers get.
async fn round_trips(place: Place) {
    for via in Via::ALL {
        for persistent in [true, false] {
            let builder = place.builder(*via).await.persistent_statements(persistent);
            let provider = builder.build().expect("the options are valid");
            // Statements are prepared when they are first used.
            let lease = take(&provider, "a").await;
            provider
                .extend(&lease, Duration::from_secs(60))
                .await
                .expect("extended");
            provider
                .release(&lease, Duration::ZERO)
                .await
                .expect("released");

            let asked = || place.proxy.counters().round_trips;
            let case = format!("{via:?}, prepared: {persistent}");
            let before = asked();
            let lease = take(&provider, "a").await;
            assert_eq!(asked() - before, 1, "{case}: an acquisition");
            let before = asked();
            let _refused = refused(&provider, "a").await;
            assert_eq!(asked() - before, 1, "{case}: a refusal");
            let before = asked();
            provider
                .extend(&lease, Duration::from_secs(60))
                .await
                .expect("extended");
            assert_eq!(asked() - before, 1, "{case}: an extension");
            let before = asked();
            provider
                .release(&lease, Duration::ZERO)
                .await
                .expect("released");
            assert_eq!(asked() - before, 1, "{case}: a release");
        }
    }
}

/// However many locks a process has.
async fn one_connection_for_all_tasks(place: Place) {
    let provider = PostgresLockProvider::connect(&place.url).await;
    let provider = provider.expect("the database is there");
    let tasks = (0..64).map(|number| {
        let provider = provider.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                cycle(&provider, &format!("job-{number}")).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        in_time(task).await.expect("no panic");
    }
    assert_eq!(place.proxy.connections().len(), 1);
}

/// Sixteen requests of as many tasks are sent without waiting for an answer.
async fn tasks_are_pipelined(place: Place) {
    use shedlock_testkit::proxy::{Direction, Rule};

    let provider = place.provider(Via::Url).await;
    cycle(&provider, "warm").await;
    let before = place.proxy.counters();
    place.proxy.set(Rule::Hold(Direction::ToClient));
    let tasks = (0..16).map(|number| {
        let provider = provider.clone();
        tokio::spawn(async move { ask(&provider, &format!("job-{number}")).await })
    });
    let tasks: Vec<_> = tasks.collect();
    // All of them are executed before the first answer arrives.
    let granted = async || {
        let held =
            "SELECT count(*) FROM shedlock WHERE lock_until > timezone('utc', clock_timestamp())";
        place.rows(held).await == ["16"]
    };
    asking::until("all are executed", granted).await;
    place.proxy.set(Rule::Pass);
    for task in tasks {
        let asked = in_time(task).await.expect("no panic");
        assert!(matches!(asked, Ok(Acquisition::Granted(_))), "{asked:?}");
    }
    let after = place.proxy.counters();
    assert_eq!(place.proxy.connections().len(), 1);
    assert!(after.round_trips - before.round_trips <= 2, "{after:?}");
}

/// What one server has been asked.
struct Counting {
    server: Postgres,
    url: String,
}

impl Counting {
    async fn start() -> Result<Self, shedlock_testkit::Unavailable> {
        let settings = [
            "-c",
            "shared_preload_libraries=pg_stat_statements",
            "-c",
            "pg_stat_statements.track_utility=on",
        ];
        let server = Postgres::start_with(&settings).await?;
        let url = server.fresh_database().await;
        let extension = "CREATE EXTENSION pg_stat_statements";
        server.execute(&url, extension).await;
        Ok(Self { server, url })
    }

    async fn reset(&self) {
        let reset = "SELECT pg_stat_statements_reset()";
        self.server.execute(&self.url, reset).await;
    }

    /// Statements of the providers' role, and what they have written to the log.
    async fn asked(&self) -> (u64, u64) {
        let sums = "SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(wal_bytes), 0) FROM pg_stat_statements \
                    WHERE userid = 'shedlock'::regrole";
        let printed = self.server.execute(&self.url, sums).await;
        let (calls, bytes) = printed.trim().split_once('|').expect("two numbers");
        let number = |text: &str| text.parse().expect("a number");
        (number(calls), number(bytes))
    }
}

#[tokio::test]
async fn statements_and_wal() {
    let counting = server_or_skip!(Counting::start().await);
    let connect = async || {
        let connected = PostgresLockProvider::connect(&counting.url).await;
        connected.expect("the database is there")
    };
    let provider = connect().await;
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");

    for what in [
        "a granted cycle of a new name",
        "a granted cycle of a known name",
    ] {
        counting.reset().await;
        cycle(&provider, "a").await;
        assert_eq!(counting.asked().await.0, 2, "{what}");
    }
    let _held = take(&provider, "a").await;
    let fresh = connect().await;
    for (node, what) in [(&provider, "a refusal"), (&fresh, "a node's first request")] {
        counting.reset().await;
        let _refused = refused(node, "a").await;
        assert_eq!(counting.asked().await, (1, 0), "{what}");
    }
    provider
        .pause("a", later(), "upkeep")
        .await
        .expect("paused");
    counting.reset().await;
    assert_eq!(refused(&provider, "a").await.reason, SkipReason::Paused);
    assert_eq!(counting.asked().await.0, 1, "a request on a paused lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_contenders_cost_a_thousand_statements() {
    let counting = server_or_skip!(Counting::start().await);
    let provider = PostgresLockProvider::connect(&counting.url).await;
    let provider = provider.expect("the database is there");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    counting.reset().await;
    let start = Arc::new(tokio::sync::Barrier::new(1_000));
    let contenders = (0..1_000).map(|_| {
        let (provider, start) = (provider.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            let asked = ask(&provider, "stampede").await;
            asked.expect("contention is no error").granted().is_some()
        })
    });
    let mut grants = 0;
    for contender in contenders.collect::<Vec<_>>() {
        grants += u32::from(contender.await.expect("no panic"));
    }
    assert_eq!(grants, 1);
    let (statements, _) = counting.asked().await;
    assert!(statements <= 1_000, "{statements} statements");
}
