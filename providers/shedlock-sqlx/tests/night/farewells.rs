//! F10 and F11: errors that only a new connection cures, from the wrong server or from one that has taken leave.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProviderExt as _};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres as PostgresServer};
use sqlx::pool::PoolOptions;
use sqlx::{MySql, PgPool, Postgres};

use crate::connections::{Far, From};
use crate::place::{Place, TestStore as _};
use crate::support::{Night, WORKS, config, in_time, later, once, until};

on_databases! {
    the_servers_last_words on postgres mysql;
    the_servers_last_words_to_a_pool on postgres mysql;
    sessions_of_postgres_that_time_out on postgres;
    sessions_of_a_pool_that_time_out on mysql;
}

const BOTH: [From; 2] = [From::Url, From::Pool];

/// A failover by address: the old primary lives on and takes no writes.
async fn fails_over<DB: Night>(old: &str, new: &str, demote: impl AsyncFn(bool)) {
    let maker = SqlxLockProvider::<DB>::connect(new).await.expect("there");
    maker.ensure_schema().await.expect("made");
    let maker = SqlxLockProvider::<DB>::connect(old).await.expect("there");
    maker.ensure_schema().await.expect("made");
    for from in BOTH {
        // Each kind of call is the first one of one node.
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let far = Far::<DB>::new(old, from).await;
            far.warm_up("warm").await;
            nodes.push(far);
        }
        demote(true).await;
        for far in &nodes {
            far.between.set_upstream(new);
        }
        assert_eq!(once(&nodes[0].node, "a").await, WORKS, "{from:?}");
        let paused = in_time(nodes[1].node.pause("b", later(), "x")).await;
        assert!(paused.is_ok(), "{from:?}: {paused:?}");
        assert!(in_time(nodes[1].node.resume("b")).await.expect("paused"));
        let pruned = in_time(nodes[2].node.prune(Duration::ZERO)).await;
        assert!(pruned.is_ok(), "{from:?}: {pruned:?}");
        demote(false).await;
    }
}

/// There is no other server: the error stands, in time, and costs one connection at most. A pool may make one more while it takes
/// back the last one.
async fn stays_read_only<DB: Night>(url: &str, demote: impl AsyncFn(bool)) {
    let maker = SqlxLockProvider::<DB>::connect(url).await.expect("there");
    maker.ensure_schema().await.expect("made");
    for from in BOTH {
        let far = Far::<DB>::new(url, from).await;
        far.warm_up("warm").await;
        demote(true).await;
        for call in 1..=3 {
            let (before, began) = (far.between.connections(), Instant::now());
            let asked = in_time(far.node.try_lock(config("a"))).await;
            let error = asked.expect_err("no writes");
            assert_eq!(error.kind(), ErrorKind::ReadOnly, "{from:?}: {error}");
            assert!(began.elapsed() < Duration::from_secs(5), "{from:?}");
            let made = far.between.connections() - before;
            let most = if matches!(from, From::Url) { 1 } else { 2 };
            assert!(made <= most, "{from:?}, call {call}: {made} connections");
        }
        demote(false).await;
        assert_eq!(once(&far.node, "a").await, WORKS, "{from:?}");
    }
}

async fn demote_mariadb(server: &MariaDb, read_only: bool) {
    let set = format!("SET GLOBAL read_only = {read_only}");
    server.execute(&server.url(), &set).await;
}

/// The session of `watch` is older than those that matter: the server tells the newest one first.
async fn demote_postgres(server: &PostgresServer, watch: &PgPool, read_only: bool) {
    let url = server.url();
    let set = format!("ALTER SYSTEM SET default_transaction_read_only = {read_only};");
    server.execute(&url, &set).await;
    server.execute(&url, "SELECT pg_reload_conf()").await;
    let setting = if read_only { "on" } else { "off" };
    let heard = async || {
        let show = "SHOW default_transaction_read_only";
        Postgres::texts(watch, show).await == [setting]
    };
    until("sessions have heard of it", heard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_of_mariadb_by_address() {
    let old = server_or_skip!(MariaDb::start().await);
    let new = server_or_skip!(MariaDb::shared().await);
    let demote = async |read_only| demote_mariadb(&old, read_only).await;
    in_time(fails_over::<MySql>(&old.url(), &new.url(), demote)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_of_postgres_by_address() {
    let old = server_or_skip!(PostgresServer::start().await);
    let new = server_or_skip!(PostgresServer::shared().await);
    let watch = PgPool::connect(&old.url()).await.expect("it is there");
    let demote = async |read_only| demote_postgres(&old, &watch, read_only).await;
    in_time(fails_over::<Postgres>(&old.url(), &new.url(), demote)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_that_stays_read_only() {
    let server = server_or_skip!(MariaDb::start().await);
    let demote = async |read_only| demote_mariadb(&server, read_only).await;
    in_time(stays_read_only::<MySql>(&server.url(), demote)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_stays_read_only() {
    let server = server_or_skip!(PostgresServer::start().await);
    let watch = PgPool::connect(&server.url()).await.expect("it is there");
    let demote = async |read_only| demote_postgres(&server, &watch, read_only).await;
    in_time(stays_read_only::<Postgres>(&server.url(), demote)).await;
}

/// An error as MySQL sends it without being asked.
fn packet_of_mysql(number: u16, text: &str) -> Vec<u8> {
    let mut body = vec![0xff];
    body.extend(number.to_le_bytes());
    body.extend(b"#HY000");
    body.extend(text.as_bytes());
    let mut packet = vec![u8::try_from(body.len()).expect("short"), 0, 0, 0];
    packet.extend(body);
    packet
}

/// An error as PostgreSQL sends it without being asked.
fn packet_of_postgres(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0Fpostgres.c\0L1\0Rx\0\0");
    let length = u32::try_from(fields.len() + 4).expect("short");
    let mut packet = vec![b'E'];
    packet.extend(length.to_be_bytes());
    packet.extend(fields.as_bytes());
    packet
}

fn last_words<DB: Night>() -> Vec<(&'static str, Vec<u8>)> {
    match DB::NAME {
        "PostgreSQL" => ["57P01", "57P02", "57P05", "25P03"]
            .map(|code| (code, packet_of_postgres(code, "terminating connection")))
            .into(),
        _ => [
            (4031, "4031"),
            (1053, "1053"),
            (1927, "1927"),
            (3169, "3169"),
        ]
        .map(|(number, name)| (name, packet_of_mysql(number, "disconnected by the server")))
        .into(),
    }
}

async fn the_servers_last_words<DB: Night>(place: Place<DB>) {
    takes_leave(&place, From::Url).await;
}

async fn the_servers_last_words_to_a_pool<DB: Night>(place: Place<DB>) {
    takes_leave(&place, From::Pool).await;
}

async fn takes_leave<DB: Night>(place: &Place<DB>, from: From) {
    let far = Far::<DB>::new(&place.direct, from).await;
    for (code, words) in last_words::<DB>() {
        far.warm_up("warm").await;
        far.between.close_with(&words);
        assert_eq!(once(&far.node, "a").await, WORKS, "after {code}");
        far.warm_up("warm").await;
        far.between.close_with(&words);
        let listed = in_time(far.node.list()).await;
        assert!(listed.is_ok(), "after {code}: {listed:?}");
    }
}

async fn sessions_of_postgres_that_time_out(place: Place<Postgres>) {
    // Longer than a busy machine needs from a new connection to its first statement.
    let named = "idle_session_timeout%3D1000%20-capplication_name%3Dsleeper";
    let url = format!("{}?options=-c{named}", place.direct);
    let count = "SELECT CAST(count(*) AS text) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let gone = async || {
        let left = sqlx::PgPool::connect(&place.direct).await.expect("there");
        let mut one = left.acquire().await.expect("there");
        let left = Postgres::text(&mut one, count).await;
        // The test's own may be there, too.
        left.expect("an answer").parse::<u32>().expect("a number") <= place.pool.size()
    };
    for from in BOTH {
        let far = Far::<Postgres>::new(&url, from).await;
        for _ in 0..2 {
            far.warm_up("warm").await;
            until("the sessions are over", gone).await;
            assert_eq!(once(&far.node, "a").await, WORKS, "{from:?}");
            until("the sessions are over", gone).await;
            let listed = in_time(far.node.list()).await;
            assert!(listed.is_ok(), "{from:?}: {listed:?}");
        }
    }
}

async fn sessions_of_a_pool_that_time_out(place: Place<MySql>) {
    let pool = PoolOptions::<MySql>::new()
        .max_connections(4)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(MySql::on(connection, "SET wait_timeout = 1")));
    let pool = pool.connect(&place.direct).await.expect("there");
    let node = SqlxLockProvider::new(pool);
    for _ in 0..2 {
        assert_eq!(once(&node, "a").await, WORKS);
        until("the session is over", async || sessions(&place).await == 0).await;
        assert_eq!(once(&node, "a").await, WORKS);
    }
}

/// How many sessions there are that time out soon.
async fn sessions(place: &Place<MySql>) -> usize {
    let server = MariaDb::shared().await.expect("it has been started");
    let (_, database) = place.direct.rsplit_once('/').expect("a database");
    let list = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'");
    let all = server.execute(&place.direct, &list).await;
    // The client that asks, and the test's own.
    (all.lines().count() - 1).saturating_sub(place.pool.size() as usize)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_mariadb_that_time_out() {
    let server = server_or_skip!(MariaDb::start_with(&["--wait-timeout=1"]).await);
    let url = server.fresh_database().await;
    let (_, database) = url.rsplit_once('/').expect("a database");
    let list = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'");
    let gone = async || server.execute(&server.url(), &list).await.trim().is_empty();
    for from in BOTH {
        let far = Far::<MySql>::new(&url, from).await;
        in_time(far.node.ensure_schema()).await.expect("made");
        for _ in 0..2 {
            far.warm_up("warm").await;
            until("the sessions are over", gone).await;
            assert_eq!(once(&far.node, "a").await, WORKS, "{from:?}");
        }
    }
}
