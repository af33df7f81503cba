//! Behind `PgBouncer`, with the options that nobody has chosen.

use std::sync::Arc;
use std::time::Duration;

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    LockAdmin as _, LockConfiguration, LockProvider as _, Ownership, SkipReason,
};
use shedlock_testkit::servers::{PgBouncer, PgBouncerOptions, PoolMode, Postgres};
use shedlock_testkit::{Unavailable, server_or_skip};

use crate::asking::{MINUTE, WORKS, in_time, keep_for, later, once_with, place, refused, request};
use crate::place::{Place, client, pool, rows};

const MODES: [(&str, PoolMode); 3] = [
    ("session", PoolMode::Session),
    ("transaction", PoolMode::Transaction),
    ("statement", PoolMode::Statement),
];

/// So long a pooler with one connection may take for what several nodes do at once.
const SLOW: Duration = Duration::from_secs(20);

/// A pooler with one connection to the server, which refuses or ignores the startup parameters that it does not know.
async fn pooler(mode: PoolMode, ignoring: bool) -> Result<PgBouncer, Unavailable> {
    let server = Postgres::shared().await?;
    let options = PgBouncerOptions::new(mode).pool_size(1);
    let options = if ignoring {
        options.setting("ignore_startup_parameters", "extra_float_digits,options")
    } else {
        options.strict()
    };
    PgBouncer::start_before(server, options).await
}

macro_rules! cases {
    ($($test:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            for (mode, of_mode) in MODES {
                for ignoring in [true, false] {
                    let place = server_or_skip!(place().await);
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
    everything_works_on_what_the_program_has
    six_nodes_share_one_connection
    many_tasks_share_one_connection
    named_statements_are_told_how_to_do_without
}

/// With time for others, who have the pooler's one connection.
fn patient(name: &str) -> LockConfiguration {
    let config = LockConfiguration::new(name, "10m");
    let config = config.and_then(|config| config.with_timeout(SLOW));
    config.expect("a legal configuration")
}

async fn once(node: &PostgresLockProvider, name: &str) -> String {
    once_with(node, patient(name)).await
}

mod with_pooler {
    use super::*;

    pub(super) async fn everything_works_by_default(place: &Place, pooler: &PgBouncer, mode: &str) {
        let url = pooler.url(&place.direct);
        // The second one has a pooler's connection that another one has used.
        for _ in 0..2 {
            let node = PostgresLockProvider::connect(&url).await;
            let node = node.unwrap_or_else(|error| panic!("{mode}: {error}"));
            works(&node, mode).await;
            drop(node);
            leaves_nothing(&url, mode).await;
        }
    }

    /// A client and a pool do not say what they lead to.
    pub(super) async fn everything_works_on_what_the_program_has(
        place: &Place,
        pooler: &PgBouncer,
        mode: &str,
    ) {
        let url = pooler.url(&place.direct);
        let theirs = client(&url).await;
        let node = PostgresLockProvider::builder(Arc::clone(&theirs)).persistent_statements(false);
        works(&node.build().expect("the options are valid"), mode).await;
        drop(theirs);
        leaves_nothing(&url, mode).await;
        let pool = pool(&url, 1);
        let node = PostgresLockProvider::builder(pool.clone()).persistent_statements(false);
        works(&node.build().expect("the options are valid"), mode).await;
        pool.close();
        leaves_nothing(&url, mode).await;
    }

    pub(super) async fn six_nodes_share_one_connection(
        place: &Place,
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

    /// Their statements are pipelined through the pooler, which gives the connection away in between.
    pub(super) async fn many_tasks_share_one_connection(
        place: &Place,
        pooler: &PgBouncer,
        mode: &str,
    ) {
        let url = pooler.url(&place.direct);
        let node = PostgresLockProvider::connect(&url).await.expect("there");
        let asking = (0..16).map(|number| {
            let node = node.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    assert_eq!(once(&node, &format!("job-{number}")).await, WORKS);
                }
            })
        });
        for asked in asking.collect::<Vec<_>>() {
            let asked = in_time(asked).await;
            assert!(asked.is_ok(), "{mode}: {asked:?}");
        }
        drop(node);
        leaves_nothing(&url, mode).await;
    }

    pub(super) async fn named_statements_are_told_how_to_do_without(
        place: &Place,
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
    assert!(lease.fencing_token().is_some(), "{mode}");
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
    assert!(in_time(node.list()).await.expect("listed").len() >= 2);
    assert!(in_time(node.resume("p")).await.expect("an answer"));
    for _ in 0..2 {
        let checked = in_time(node.check_schema()).await;
        let checked = checked.unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(checked.warnings(), [""; 0], "{mode}");
    }
    for name in [
        "'; DROP TABLE shedlock; --",
        "\\'; DROP TABLE shedlock; --",
        "$1",
        "E'\\\\",
    ] {
        assert_eq!(once(node, name).await, WORKS, "{mode}: {name}");
    }
}

/// The pooler's connection is as it was, for whoever gets it next.
async fn leaves_nothing(url: &str, mode: &str) {
    let other = in_time(client(url)).await;
    let left = rows(&other, "SELECT count(*) FROM pg_prepared_statements").await;
    assert_eq!(left, ["0"], "{mode}: named statements");
    let wait = rows(&other, "SHOW lock_timeout").await;
    assert_eq!(wait, ["0"], "{mode}: settings");
}
