//! D15: `PgBouncer` between the nodes and the server, in each of its modes.

use futures_util::future::join_all;
use shedlock::lock;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{PgBouncer, PgBouncerOptions, PoolMode, Postgres};

use super::{Crew, LONG, until_extended};
use crate::support::{Place, connect, in_time};

const MODES: [PoolMode; 3] = [
    PoolMode::Session,
    PoolMode::Transaction,
    PoolMode::Statement,
];

/// Keeps the job of one database alive by way of the pooler while something happens to the server behind it.
async fn is_kept(pooler: &PgBouncer, place: &Place, happens: impl AsyncFn(&Crew)) {
    let url = pooler.url(&place.url);
    let crew = Crew::default();
    let holder = connect(&url).await;
    let rivals = [
        connect(&url).await,
        connect(&url).await,
        place.connect().await,
    ];
    let script = async {
        crew.until_skipped().await;
        until_extended(place).await;
        happens(&crew).await;
        until_extended(place).await;
        until_extended(place).await;
        crew.until_skipped().await;
        assert!(lock::is_held());
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, LONG, script).await;
        for _ in 0..5 {
            crew.until_run().await;
        }
    };
    crew.beside(&rivals, scenario).await;
}

/// Few connections to the server for all: in session mode each node keeps one to itself, and a second while it asks on two.
fn options(mode: PoolMode) -> PgBouncerOptions {
    let size = if mode == PoolMode::Session { 16 } else { 2 };
    // By default it asks a server that was away no more for fifteen seconds, which is a long time for a lease.
    let options = PgBouncerOptions::new(mode).setting("server_login_retry", "1");
    options.pool_size(size)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d15_jobs_behind_a_pooler() {
    let server = server_or_skip!(Postgres::shared().await);
    for mode in MODES {
        let pooler = PgBouncer::start_before(server, options(mode)).await;
        let pooler = server_or_skip!(pooler);
        let place = Place::on_postgres(server.clone()).await;
        println!("{mode:?}");
        let happens = async |_: &Crew| {
            place.end_connections().await;
            until_extended(&place).await;
            pooler.restart().await.expect("it has run before");
        };
        in_time(is_kept(&pooler, &place, happens)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d15_server_restarted_behind_a_pooler() {
    let server = server_or_skip!(Postgres::start().await);
    let mut modes = Vec::new();
    for mode in MODES {
        let pooler = PgBouncer::start_before(&server, options(mode)).await;
        let pooler = server_or_skip!(pooler);
        modes.push((pooler, Place::on_postgres(server.clone()).await));
    }
    // All of them are at it, and then it is killed.
    let (ready, killed) = (tokio::sync::Barrier::new(4), tokio::sync::Barrier::new(4));
    let kept = modes.iter().map(|(pooler, place)| {
        let (ready, killed) = (&ready, &killed);
        let happens = async |crew: &Crew| {
            tokio::join!(crew.until_failed(), async {
                ready.wait().await;
                killed.wait().await;
            });
        };
        is_kept(pooler, place, happens)
    });
    let kill = async {
        ready.wait().await;
        server.kill().await.expect("it is ours");
        server.restart().await.expect("it has run before");
        killed.wait().await;
    };
    in_time(async { tokio::join!(join_all(kept.collect::<Vec<_>>()), kill) }).await;
}
