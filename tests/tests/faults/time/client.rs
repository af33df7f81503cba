//! The clock of a node is wrong, or steps: nothing depends on it.

use std::time::Duration;

use shedlock_testkit::processes::{NodeProcess, Reexec, serve};
use shedlock_testkit::server_or_skip;

use crate::support::{FakeTime, Place, cases, connect};

cases! {
    c1_client_clocks_that_differ on postgres mariadb;
    c1_client_clock_that_steps on postgres mariadb;
}

const MINUTE: Duration = Duration::from_mins(1);
/// A second, an hour and twenty years, both ways.
const OFFSETS: [&str; 6] = ["-630720000", "-3600", "-1", "+1", "+3600", "+630720000"];

#[test]
#[ignore = "runs as the child of the other tests of this file"]
fn node() {
    serve(|url, _node| async move { connect(&url).await });
}

async fn node_in(time: &FakeTime, place: &Place) -> NodeProcess {
    let mut node = Reexec::new(concat!(module_path!(), "::node"));
    for (name, value) in time.wall_clock() {
        node = node.env(name, value);
    }
    node.node(&place.url, "node").await.expect("it connects")
}

/// Each of six nodes against each other, and against itself.
async fn c1_client_clocks_that_differ(place: Place) {
    let mut times = Vec::new();
    let mut nodes = Vec::new();
    for offset in OFFSETS {
        let time = server_or_skip!(FakeTime::new());
        time.set(offset);
        nodes.push(node_in(&time, &place).await);
        times.push(time);
    }
    for holder in 0..nodes.len() {
        let told = "the store answers";
        assert!(
            nodes[holder]
                .lock("job", MINUTE, Duration::ZERO)
                .await
                .expect(told)
        );
        for other in 0..nodes.len() {
            let stolen = nodes[other]
                .lock("job", MINUTE, Duration::ZERO)
                .await
                .expect(told);
            assert!(!stolen, "{} stole from {}", OFFSETS[other], OFFSETS[holder]);
        }
        assert!(nodes[holder].extend("job", MINUTE).await.expect(told));
        assert!(nodes[holder].unlock("job").await.expect(told));
    }
    for node in &mut nodes {
        node.kill().await.expect("it lives");
    }
}

/// The clock of the holder steps under its hands, twice, and that of another who asks.
async fn c1_client_clock_that_steps(place: Place) {
    let time = server_or_skip!(FakeTime::new());
    let mut holder = node_in(&time, &place).await;
    let mut other = node_in(&time, &place).await;
    let told = "the store answers";
    assert!(holder.lock("job", MINUTE, MINUTE).await.expect(told));
    for offset in ["+3600", "-3600", "+630720000", "-630720000", "+0"] {
        time.set(offset);
        assert!(holder.extend("job", MINUTE).await.expect(told), "{offset}");
        let stolen = other.lock("job", MINUTE, Duration::ZERO).await.expect(told);
        assert!(!stolen, "{offset}");
    }
    // `at_least` counts by the holder's forward clock, so the steps have not shortened it.
    time.set("+3600");
    assert!(holder.unlock("job").await.expect(told));
    assert!(!other.lock("job", MINUTE, Duration::ZERO).await.expect(told));
    for mut node in [holder, other] {
        node.kill().await.expect("it lives");
    }
}
