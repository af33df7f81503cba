//! Partitions of a network, and not of a proxy: what is lost is lost, no connection breaks, and nobody is told.

use std::time::{Duration, Instant};

use shedlock_testkit::processes::{Reexec, serve};
use shedlock_testkit::proxy::Direction;
use shedlock_testkit::servers::{MariaDb, Postgres};
use shedlock_testkit::{Cable, Unavailable};
use shedlock_tests::holds::monotonic_nanos;
use tokio::time::sleep;

use crate::support::{
    Child, LATENESS, Place, Scenario, cases, connect, in_time, is_free, nanos, take, until,
};

cases! {
    of crate::network::cables::Cabled:
    g1_reply_to_acquire_lost_on_a_cable on postgres mariadb;
    g5_cable_of_the_holder_cut on postgres mariadb;
    g6_cable_of_all_cut on postgres mariadb;
    g7_server_gone_at_the_other_end_of_a_cut_cable on postgres mariadb;
}

const LEASE: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_mins(1);

/// A store of the test's own, and a cable to it. Who watches needs no cable.
#[derive(Debug)]
struct Cabled {
    cable: Cable,
    place: Place,
    /// For those behind the cable.
    url: String,
}

impl Cabled {
    async fn postgres() -> Result<Self, Unavailable> {
        let cable = Cable::create().await?;
        let listen = format!("listen_addresses=127.0.0.1,{}", cable.near_address());
        let server = Postgres::start_with(&["-c", &listen]).await?;
        Ok(Self::new(cable, Place::on_postgres(server).await))
    }

    async fn mariadb() -> Result<Self, Unavailable> {
        let cable = Cable::create().await?;
        let listen = format!("--bind-address=127.0.0.1,{}", cable.near_address());
        let server = MariaDb::start_with(&[&listen]).await?;
        Ok(Self::new(cable, Place::on_mariadb(server).await))
    }

    fn new(cable: Cable, place: Place) -> Self {
        let url = place.url_at(&format!(
            "{}:{}",
            cable.near_address(),
            place.address().port()
        ));
        Self { cable, place, url }
    }

    fn child(&self, scenario: Scenario, at_most: Duration) -> Child {
        Child::start_behind(&self.cable, scenario, &self.url, at_most)
    }
}

/// Waits until the child has noted this once more than it has now.
async fn again(child: &Child, what: &str) {
    let before = child.count(what);
    until(async || (child.count(what) > before).then_some(())).await;
}

/// Requests arrive, replies do not: the body is not run, and what was granted is given back when the cable is whole.
async fn g1_reply_to_acquire_lost_on_a_cable(far: Cabled) {
    // Longer than the test: the lease does not end by itself.
    let child = far.child(Scenario::Tick, MINUTE);
    again(&child, "executed").await;
    // Between two calls: one whose reply to a release is lost would need a new connection, and send no request.
    child.tell("rest");
    child.until("rests").await;
    far.cable.cut(Direction::ToClient).await;
    child.tell("go");
    again(&child, "failed: Timeout").await;
    assert!(far.place.is_held().await, "the request has arrived");
    let runs = child.count("enter");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(child.count("enter"), runs, "runs without an answer");
    let mended = Instant::now();
    far.cable.restore().await;
    again(&child, "executed").await;
    println!("runs again {:?} after the mending", mended.elapsed());
}

/// The holder has ended before anybody else begins.
async fn g5_cable_of_the_holder_cut(far: Cabled) {
    let near = far.place.connect().await;
    let child = far.child(Scenario::KeepAlive, LEASE);
    let entered = child.until_at_work().await.at;
    // After the first extension, so that the end of that is what counts.
    let extended = entered + nanos(LEASE * 3 / 4);
    until(async || (monotonic_nanos() > extended).then_some(())).await;
    far.cable.cut(Direction::Both).await;
    let (mut heir, granted) = take(&near, "job", MINUTE).await;
    // Dropping the body is no work: a busy machine may do that later.
    let left = child.until("left").await.at;
    assert!(granted >= entered + nanos(LEASE), "it was extended once");
    let last = child.last_step();
    assert!(last < granted, "overlap of {} ns", last - granted);
    assert!(last < left);
    child.until("failed: Lost").await;
    // What the first holder has on its way does nothing to the second.
    far.cable.restore().await;
    sleep(Duration::from_millis(500)).await;
    heir.extend(MINUTE, "0s").await.expect("it is held");
    assert!(!is_free(&near, "job").await);
    heir.unlock().await.expect("the store answers");
}

/// Three nodes lose the store, and are told so in time; they run again, the same processes, when the cable is whole.
async fn g6_cable_of_all_cut(far: Cabled) {
    let near = far.place.connect().await;
    let fleet = [0; 3].map(|_| far.child(Scenario::Tick, LEASE));
    for node in &fleet {
        again(node, "executed").await;
    }
    let (held, _) = take(&near, "job", MINUTE).await;
    for node in &fleet {
        again(node, "skipped: held").await;
    }
    far.cable.cut(Direction::Both).await;
    for node in &fleet {
        again(node, "failed: Timeout").await;
    }
    held.unlock().await.expect("the store answers");
    let runs = || fleet.each_ref().map(|node| node.count("enter"));
    let before = runs();
    for node in &fleet {
        again(node, "failed: Timeout").await;
        let notes = node.notes();
        let took = notes
            .windows(2)
            .filter(|pair| pair[1].what.starts_with("failed"));
        let longest = took.map(|pair| pair[1].at - pair[0].at).max();
        // The call's limit is the lease.
        let limit = nanos(LEASE + LATENESS);
        assert!(longest < Some(limit), "{longest:?}");
    }
    assert_eq!(runs(), before, "runs without a store");
    let mended = Instant::now();
    far.cable.restore().await;
    for node in &fleet {
        again(node, "executed").await;
    }
    println!("all run again {:?} after the mending", mended.elapsed());
}

#[test]
#[ignore = "runs as the child of another test of this file"]
fn node() {
    serve(|url, _node| async move { connect(&url).await });
}

/// The server's end goes while nothing comes through: the node's connection stays half open, and nobody says so.
async fn g7_server_gone_at_the_other_end_of_a_cut_cable(far: Cabled) {
    let node = Reexec::new(concat!(module_path!(), "::node")).behind(&far.cable);
    let mut node = in_time(node.node(&far.url, "node"))
        .await
        .expect("it connects");
    far.cable.cut(Direction::Both).await;
    far.place.kill().await;
    far.cable.restore().await;
    let asked = Instant::now();
    let nobody = in_time(node.lock("job", MINUTE, Duration::ZERO)).await;
    let nobody = nobody.expect_err("nobody is there").to_string();
    // It was sent on a connection that looked alive.
    assert!(nobody.contains("broke before the answer"), "{nobody}");
    assert!(asked.elapsed() < Duration::from_secs(6), "{nobody}");
    far.place.restart().await;
    let back = in_time(node.lock("job", MINUTE, Duration::ZERO)).await;
    assert!(back.expect("it is back"));
    // The same with a server that is back before the node asks: the dead connection is replaced within the call.
    far.cable.cut(Direction::Both).await;
    far.place.kill().await;
    far.place.restart().await;
    far.cable.restore().await;
    let unlocked = in_time(node.unlock("job")).await;
    assert!(unlocked.expect("it has a connection again"), "it was held");
    assert!(is_free(&far.place.connect().await, "job").await);
}
