//! What happens when the server, the network or another program misbehaves.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

#[macro_use]
#[path = "../support/each_server.rs"]
mod each_server;

mod connections;
mod errors;
mod refusals;
mod servers;

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::LockConfiguration;
use shedlock_testkit::Proxy;

use place::Place;

pub(crate) const JOB: &str = "a";

pub(crate) fn config() -> LockConfiguration {
    LockConfiguration::new(JOB, "10m").expect("a legal configuration")
}

/// A node that reaches the place's server through a proxy.
pub(crate) async fn behind_proxy(place: &Place) -> (Proxy, DynamoDbLockProvider) {
    let proxy = Proxy::start(place.server.address()).await;
    let proxy = proxy.expect("a port is free");
    let node = place
        .builder_at(&proxy.url(&place.server.endpoint()))
        .build();
    (proxy, node.expect("valid"))
}
