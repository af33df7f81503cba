//! Many nodes at once, whose times of day differ by hours.

use std::sync::Arc;
use std::time::Duration;

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{LockConfiguration, SkipReason};
use shedlock_testkit::requests::is_free;
use tokio::sync::Barrier;

use super::place::Place;
use super::{LEASE, ask, node, until_ended, wrong};

each_server! {
    alone:
    one_of_twenty_wins_each_race
}

const RACERS: usize = 20;
const ROUNDS: usize = 40;

fn config(name: &str, at_most: Duration) -> LockConfiguration {
    LockConfiguration::new(name, at_most).expect("a legal configuration")
}

/// Twenty at once, for a new lock and for one whose lease has ended while all nodes knew of it.
async fn one_of_twenty_wins_each_race(place: Place) {
    let nodes = [
        node(&place),
        node(&place),
        wrong(&place, true),
        wrong(&place, false),
    ];
    // A server that has answered nothing yet answers twenty at once too late.
    for node in nodes.iter().cycle().take(40) {
        assert!(is_free(node, "warm").await);
    }
    let names: Vec<_> = (0..ROUNDS).map(|round| format!("race-{round}")).collect();
    for name in &names {
        race(&nodes, name, LEASE).await;
    }
    // All nodes have seen the leases that the winners leave.
    until_ended(LEASE).await;
    for name in &names {
        race(&nodes, name, Duration::from_mins(10)).await;
    }
}

/// Lets the racers ask at once for a lock, which one of them must get and leave.
async fn race(nodes: &[DynamoDbLockProvider], name: &str, at_most: Duration) {
    let start = Arc::new(Barrier::new(RACERS));
    let racers = (0..RACERS).map(|number| {
        let (node, start) = (nodes[number % nodes.len()].clone(), Arc::clone(&start));
        let config = config(name, at_most);
        tokio::spawn(async move {
            start.wait().await;
            ask(&node, config).await
        })
    });
    let racers: Vec<_> = racers.collect();
    let mut winners = 0;
    for racer in racers {
        match racer.await.expect("no task panics") {
            Ok(mut lock) => {
                winners += 1;
                lock.release_on_drop(false);
            }
            Err(refusal) => assert!(
                matches!(refusal.reason, SkipReason::Held | SkipReason::Contended),
                "{refusal:?}"
            ),
        }
    }
    assert_eq!(winners, 1, "`{name}`");
}
