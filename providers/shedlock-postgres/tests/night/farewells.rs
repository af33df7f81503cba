//! Errors that only a new connection cures, from the wrong server or from one that has taken leave.

use std::time::{Duration, Instant};

use shedlock_postgres::PostgresLockProvider;
use shedlock_postgres::tokio_postgres::Client;
use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProviderExt as _};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Postgres;

use crate::asking::{WORKS, config, in_time, later, once, until};
use crate::connections::warm_up;
use crate::place::{Place, Table, Via, builder, client, rows};

tests! {
    the_servers_last_words
    sessions_that_time_out
}

/// Whether new and old sessions of the server accept no writes. The session `watch` is older than those that matter: the server tells the
/// newest one first.
async fn demote(server: &Postgres, watch: &Client, read_only: bool) {
    let url = server.url();
    let set = format!("ALTER SYSTEM SET default_transaction_read_only = {read_only};");
    server.execute(&url, &set).await;
    server.execute(&url, "SELECT pg_reload_conf()").await;
    let setting = if read_only { "on" } else { "off" };
    let heard = async || rows(watch, "SHOW default_transaction_read_only").await == [setting];
    until("sessions have heard of it", heard).await;
}

/// The old primary lives on at its address and accepts no writes; the name leads to the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_address() {
    let old = server_or_skip!(Postgres::start().await);
    let new = server_or_skip!(Postgres::shared().await);
    in_time(async {
        for url in [old.url(), new.url()] {
            let maker = PostgresLockProvider::connect(&url).await.expect("there");
            maker.ensure_schema().await.expect("made");
        }
        let watch = client(&old.url()).await;
        for via in Via::REPLACING {
            // Each kind of call is the first one of one node.
            let mut nodes = Vec::new();
            for _ in 0..3 {
                let place = Place::at(&old, old.url()).await;
                let node = place.provider(*via).await;
                warm_up(&node, "warm").await;
                nodes.push((node, place));
            }
            demote(&old, &watch, true).await;
            for (_, place) in &nodes {
                place.proxy.set_upstream(new.address());
            }
            assert_eq!(once(&nodes[0].0, "a").await, WORKS, "{via:?}");
            let paused = in_time(nodes[1].0.pause("b", later(), "x")).await;
            assert!(paused.is_ok(), "{via:?}: {paused:?}");
            assert!(in_time(nodes[1].0.resume("b")).await.expect("paused"));
            let pruned = in_time(nodes[2].0.prune(Duration::ZERO)).await;
            assert!(pruned.is_ok(), "{via:?}: {pruned:?}");
            demote(&old, &watch, false).await;
        }
    })
    .await;
}

/// The URL names both servers: the provider finds the one that accepts writes, within the call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_among_several_hosts() {
    let old = server_or_skip!(Postgres::start().await);
    let new = server_or_skip!(Postgres::shared().await);
    in_time(async {
        for url in [old.url(), new.url()] {
            let maker = PostgresLockProvider::connect(&url).await.expect("there");
            maker.ensure_schema().await.expect("made");
        }
        let (one, two) = (old.address(), new.address());
        let url =
            format!("postgres://shedlock@{one},{two}/shedlock?target_session_attrs=read-write");
        let watch = client(&old.url()).await;
        let node = PostgresLockProvider::connect(&url).await.expect("there");
        assert_eq!(once(&node, "several").await, WORKS);
        let at = async |server: &Postgres| {
            let count = "SELECT count(*) FROM shedlock WHERE name = 'several'";
            server.execute(&server.url(), count).await.trim() == "1"
        };
        assert!(at(&old).await, "the first host accepts writes");
        demote(&old, &watch, true).await;
        assert_eq!(once(&node, "several").await, WORKS);
        assert!(at(new).await, "the second host is the primary now");
        old.kill().await.expect("it can be killed");
        let node = PostgresLockProvider::connect(&url).await.expect("there");
        assert_eq!(once(&node, "several").await, WORKS);
    })
    .await;
}

/// There is no other server: the error stands, in time, and costs one connection at most. A pool may open one more for its ping.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_read_only() {
    let server = server_or_skip!(Postgres::start().await);
    in_time(async {
        let url = server.url();
        let maker = PostgresLockProvider::connect(&url).await.expect("there");
        maker.ensure_schema().await.expect("made");
        let watch = client(&url).await;
        for via in Via::REPLACING {
            let place = Place::at(&server, url.clone()).await;
            let node = place.provider(*via).await;
            warm_up(&node, "warm").await;
            demote(&server, &watch, true).await;
            for call in 1..=3 {
                let (before, began) = (place.proxy.connections().len(), Instant::now());
                let asked = in_time(node.try_lock(config("a"))).await;
                let error = asked.expect_err("no writes");
                assert_eq!(error.kind(), ErrorKind::ReadOnly, "{via:?}: {error}");
                assert!(error.is_transient(), "{error}");
                assert!(began.elapsed() < Duration::from_secs(5), "{via:?}");
                let made = place.proxy.connections().len() - before;
                assert!(made <= 1, "{via:?}, call {call}: {made} connections");
            }
            demote(&server, &watch, false).await;
            assert_eq!(once(&node, "a").await, WORKS, "{via:?}");
        }
    })
    .await;
}

/// An error as the server sends it without being asked.
fn last_words(code: &str) -> Vec<u8> {
    let fields =
        format!("SFATAL\0VFATAL\0C{code}\0Mterminating connection\0Fpostgres.c\0L1\0Rx\0\0");
    let length = u32::try_from(fields.len() + 4).expect("short");
    let mut packet = vec![b'E'];
    packet.extend(length.to_be_bytes());
    packet.extend(fields.as_bytes());
    packet
}

async fn the_servers_last_words(place: Place) {
    for via in Via::REPLACING {
        let node = place.provider(*via).await;
        for code in ["57P01", "57P02", "57P05", "25P03"] {
            warm_up(&node, "warm").await;
            place.proxy.send_and_close(&last_words(code));
            assert_eq!(once(&node, "a").await, WORKS, "after {code}");
            warm_up(&node, "warm").await;
            place.proxy.send_and_close(&last_words(code));
            let listed = in_time(node.list()).await;
            assert!(listed.is_ok(), "after {code}: {listed:?}");
        }
    }
}

async fn sessions_that_time_out(place: Place) {
    // Longer than a busy machine needs from a new connection to its first statement.
    let parameters = "options=-cidle_session_timeout%3D1000&application_name=sleeper";
    let url = format!("{}?{parameters}", place.direct);
    let count = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'sleeper'";
    let gone = async || place.rows(count).await == ["0"];
    for via in Via::REPLACING {
        let node = builder(*via, &url).await.build().expect("legal options");
        for _ in 0..2 {
            warm_up(&node, "warm").await;
            until("the sessions are over", gone).await;
            assert_eq!(once(&node, "a").await, WORKS, "{via:?}");
            until("the sessions are over", gone).await;
            let listed = in_time(node.list()).await;
            assert!(listed.is_ok(), "{via:?}: {listed:?}");
        }
    }
}

/// The server has no room, and later it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_room_for_a_connection_heals_by_itself() {
    let place = server_or_skip!(Place::with(Table::Ours).await);
    let server = server_or_skip!(Postgres::shared().await);
    let role = format!("role_{:08x}", fastrand::u32(..));
    let make = format!("CREATE ROLE {role} LOGIN IN ROLE shedlock CONNECTION LIMIT 0;");
    server.execute(&place.direct, &make).await;
    let url = place.direct.replace("shedlock@", &format!("{role}@"));
    let node = PostgresLockProvider::builder_from_url(&url)
        .build()
        .expect("a valid URL");
    let said = once(&node, "a").await;
    assert!(said.starts_with("Unavailable"), "{said}");
    let allow = format!("ALTER ROLE {role} CONNECTION LIMIT -1;");
    server.execute(&place.direct, &allow).await;
    assert_eq!(once(&node, "a").await, WORKS);
}
