//! F14 and F24: behind `PgBouncer`, with the options that nobody has chosen.

use std::time::Duration;

use shedlock_runtime::{
    LockAdmin as _, LockConfiguration, LockProvider as _, LockProviderExt as _, Ownership,
    SkipReason,
};
use shedlock_sqlx::{PostgresLockProvider, SqlxLockProvider};
use shedlock_testkit::servers::{
    PgBouncer, PgBouncerOptions, PoolMode, Postgres as PostgresServer,
};
use shedlock_testkit::{Unavailable, server_or_skip};
use sqlx::pool::PoolOptions;
use sqlx::{Connection as _, PgConnection, Postgres};

use crate::place::Place;
use crate::support::{
    MINUTE, Night as _, WORKS, in_time, keep_for, later, postgres, refused, request,
};

const MODES: [(&str, PoolMode); 3] = [
    ("session", PoolMode::Session),
    ("transaction", PoolMode::Transaction),
    ("statement", PoolMode::Statement),
];

/// So long a pooler with one connection may take for what several nodes do at once.
const SLOW: Duration = Duration::from_secs(20);

/// A pooler with one connection to the server. `ignoring` startup parameters of sqlx, it takes them.
async fn pooler(mode: PoolMode, ignoring: bool) -> Result<PgBouncer, Unavailable> {
    let server = PostgresServer::shared().await?;
    let options = PgBouncerOptions::new(mode).pool_size(1);
    let options = if ignoring { options } else { options.strict() };
    PgBouncer::start_before(server, options).await
}

macro_rules! cases {
    ($($test:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            for (mode, of_mode) in MODES {
                for ignoring in [true, false] {
                    let place = server_or_skip!(postgres().await);
                    let pooler = server_or_skip!(pooler(of_mode, ignoring).await);
                    println!("{mode}, told to ignore parameters: {ignoring}");
                    in_time(with_pooler::$test(&place, &pooler, mode)).await;
                }
            }
        }
    )+};
}

cases! {
    everything_works_by_default
    everything_works_on_a_pool
    six_nodes_share_one_connection
    named_statements_are_told_how_to_do_without
}

/// With time for others, who have the pooler's one connection.
fn patient(name: &str) -> LockConfiguration {
    let config = LockConfiguration::new(name, "10m");
    let config = config.and_then(|config| config.with_timeout(SLOW));
    config.expect("a legal configuration")
}

async fn once(node: &PostgresLockProvider, name: &str) -> String {
    match in_time(node.try_lock(patient(name))).await {
        Ok(Some(lock)) => match in_time(lock.unlock()).await {
            Ok(released) => format!("granted, then {released:?}"),
            Err(error) => format!("granted, then {error}"),
        },
        Ok(None) => "refused".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

mod with_pooler {
    use super::*;

    pub(super) async fn everything_works_by_default(
        place: &Place<Postgres>,
        pooler: &PgBouncer,
        mode: &str,
    ) {
        let url = pooler.url(&place.direct);
        let node = PostgresLockProvider::connect(&url).await;
        let node = node.unwrap_or_else(|error| panic!("{mode}: {error}"));
        works(&node, mode).await;
        drop(node);
        leaves_nothing(&url, mode).await;
        // And again, by two who share the pooler's connection with others.
        for _ in 0..2 {
            let node = PostgresLockProvider::connect(&url).await;
            works(&node.expect("there"), mode).await;
        }
        leaves_nothing(&url, mode).await;
    }

    pub(super) async fn everything_works_on_a_pool(
        place: &Place<Postgres>,
        pooler: &PgBouncer,
        mode: &str,
    ) {
        let url = pooler.url(&place.direct);
        // The program's own options are its own affair: so this pool does not send what poolers refuse.
        if !opens(&url).await {
            return;
        }
        let pool = PoolOptions::<Postgres>::new().max_connections(1);
        let pool = pool.connect(&url).await.expect("the pooler takes it");
        // A pool of sqlx does not say what it leads to.
        let node = SqlxLockProvider::builder(pool.clone()).persistent_statements(false);
        let node = node.build().expect("the options are valid");
        works(&node, mode).await;
        pool.close().await;
        leaves_nothing(&url, mode).await;
    }

    pub(super) async fn six_nodes_share_one_connection(
        place: &Place<Postgres>,
        pooler: &PgBouncer,
        mode: &str,
    ) {
        if mode == "session" {
            // Each of them keeps it to itself.
            return;
        }
        let url = pooler.url(&place.direct);
        let asking = (0..6).map(|number| {
            let url = url.clone();
            tokio::spawn(async move {
                let node = PostgresLockProvider::builder_from_url(&url);
                let node = node.node_name(&format!("node-{number}")).connect().await;
                let node = node.map_err(|error| vec![error.to_string()])?;
                let mut wrong = Vec::new();
                for round in 0..10 {
                    let said = once(&node, &format!("job-{}", round % 3)).await;
                    if said != WORKS && said != "refused" {
                        wrong.push(said);
                    }
                    if round == 5 {
                        let listed = in_time(node.list()).await;
                        wrong.extend(listed.err().map(|error| error.to_string()));
                        let checked = in_time(node.check_schema()).await;
                        wrong.extend(checked.err().map(|error| error.to_string()));
                    }
                }
                if wrong.is_empty() { Ok(()) } else { Err(wrong) }
            })
        });
        for asked in asking.collect::<Vec<_>>() {
            assert_eq!(asked.await.expect("no panic"), Ok(()), "{mode}");
        }
        leaves_nothing(&url, mode).await;
    }

    pub(super) async fn named_statements_are_told_how_to_do_without(
        place: &Place<Postgres>,
        pooler: &PgBouncer,
        mode: &str,
    ) {
        if mode == "session" {
            return;
        }
        let url = pooler.url(&place.direct);
        let mut said = Vec::new();
        // One prepares a name on the one connection, another wants the same name.
        for _ in 0..2 {
            let node = PostgresLockProvider::builder_from_url(&url);
            let node = node.persistent_statements(true).connect().await;
            let node = node.unwrap_or_else(|error| panic!("{mode}: {error}"));
            for _ in 0..3 {
                said.push(once(&node, "a").await);
            }
        }
        // What the one has prepared may serve the other.
        for error in said.iter().filter(|said| *said != WORKS) {
            let told = error.contains("persistent_statements(false)");
            assert!(told || error == "refused", "{mode}: {error}");
        }
    }
}

/// Everything that a provider can do.
async fn works(node: &PostgresLockProvider, mode: &str) {
    in_time(node.ensure_schema()).await.expect("it is there");
    let asked = in_time(node.acquire(&request(node, patient("a")))).await;
    let asked = asked.unwrap_or_else(|error| panic!("{mode}: {error}"));
    let lease = asked.granted().expect("it is free");
    assert_eq!(refused(node, "a").await.reason, SkipReason::Held, "{mode}");
    let extended = in_time(node.extend(&lease, MINUTE)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours, "{mode}");
    let released = in_time(node.release(&lease, keep_for(node, &lease))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours, "{mode}");
    in_time(node.pause("p", later(), "x"))
        .await
        .expect("paused");
    let reason = refused(node, "p").await.reason;
    assert_eq!(reason, SkipReason::Paused, "{mode}");
    assert!(in_time(node.get("p")).await.expect("an answer").is_some());
    assert_eq!(in_time(node.list()).await.expect("listed").len(), 2);
    assert!(in_time(node.resume("p")).await.expect("an answer"));
    for _ in 0..2 {
        let checked = in_time(node.check_schema()).await;
        let checked = checked.unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(checked.warnings(), [""; 0], "{mode}");
    }
    assert_eq!(once(node, "p").await, WORKS, "{mode}");
}

/// Whether the pooler takes a connection of sqlx as it comes.
async fn opens(url: &str) -> bool {
    match PgConnection::connect(url).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_refused) => false,
    }
}

/// The pooler's connection is as it was, for whoever gets it next.
async fn leaves_nothing(url: &str, mode: &str) {
    if !opens(url).await {
        // The pooler was not told to ignore what sqlx sends.
        return;
    }
    let mut other = in_time(PgConnection::connect(url)).await.expect("it opens");
    let query = "SELECT CAST(count(*) AS text) FROM pg_prepared_statements";
    let left = Postgres::text(&mut other, query).await;
    assert_eq!(left.expect("an answer"), "0", "{mode}: named statements");
    if mode != "statement" {
        let first = sqlx::query("SELECT 1").execute(&mut other).await;
        assert!(first.is_ok(), "{mode}: {first:?}");
        // It prepared that, and cleans up after itself.
        let cleaned = Postgres::on(&mut other, "DEALLOCATE ALL").await;
        cleaned.expect("an answer");
    }
    other.close().await.expect("it is there");
}
