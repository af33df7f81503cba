//! What happens when the server, the network or another program misbehaves.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

mod connections;
mod refusals;
mod servers;

use shedlock_mongodb::MongoLockProvider;
use shedlock_runtime::LockConfiguration;
use shedlock_testkit::Proxy;

use place::Place;

pub(crate) const JOB: &str = "nightly_report";

/// Both places of a test, each with a server of its own, or the skip of the whole test.
macro_rules! places {
    () => {{
        let mut places = Vec::new();
        for deciding in crate::place::BOTH {
            places.push(shedlock_testkit::server_or_skip!(
                crate::place::Place::alone(deciding).await
            ));
        }
        places
    }};
}
pub(crate) use places;

pub(crate) fn config() -> LockConfiguration {
    LockConfiguration::new(JOB, "10m").expect("a legal configuration")
}

/// A node that reaches the place's server through a proxy.
pub(crate) async fn behind_proxy(place: &Place) -> (Proxy, MongoLockProvider) {
    let proxy = Proxy::start(place.server.address()).await;
    let proxy = proxy.expect("a port is free");
    let node = place.builder_at(&proxy.url(&place.url())).build();
    (proxy, node.expect("valid"))
}
