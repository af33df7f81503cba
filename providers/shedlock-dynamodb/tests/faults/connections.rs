//! What happens when the network loses connections and replies.

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_testkit::proxy::Trigger;
use shedlock_testkit::{Proxy, RoundTrips, network, server_or_skip};

use super::place::{Place, Server, Which, client_of};
use super::{JOB, behind_proxy};

each_server! {
    alone:
    a_lost_connection_is_replaced_within_the_call
    a_lost_reply_is_made_up_for
    a_late_acquisition_takes_nothing
    a_late_extension_changes_nothing
    what_a_late_acquisition_takes_is_released
    round_trips_are_as_few_as_the_readme_says
}

/// What is in each request that writes, and in no read.
fn write() -> Trigger {
    Trigger::containing("UpdateItem")
}

async fn a_lost_connection_is_replaced_within_the_call(place: Place) {
    let (proxy, node) = behind_proxy(&place).await;
    network::must_replace_lost_connections(&proxy, &node, JOB).await;
}

async fn a_lost_reply_is_made_up_for(place: Place) {
    let (proxy, node) = behind_proxy(&place).await;
    network::must_ask_again(&proxy, &node, JOB, &write()).await;
}

async fn a_late_acquisition_takes_nothing(place: Place) {
    let (proxy, node) = behind_proxy(&place).await;
    network::must_ignore_a_late_acquisition(&proxy, &node, JOB, &write()).await;
}

async fn a_late_extension_changes_nothing(place: Place) {
    let (proxy, node) = behind_proxy(&place).await;
    let record = async || place.get(JOB).await;
    network::must_ignore_a_late_extension(&proxy, &node, JOB, &write(), record).await;
}

async fn what_a_late_acquisition_takes_is_released(place: Place) {
    let other = place.node();
    let (proxy, node) = behind_proxy(&place).await;
    network::must_release_what_a_late_acquisition_takes(&proxy, &node, &other, JOB, &write()).await;
}

/// Many jobs at one tick: with a connection for each, a server answers all of them so late that all are sent again.
#[tokio::test]
async fn many_calls_at_once_take_turns() {
    let place = server_or_skip!(Place::alone(Which::Dynalite).await);
    let (proxy, node) = behind_proxy(&place).await;
    network::must_take_turns(&proxy, &node).await;
}

#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let place = server_or_skip!(started.block_on(Place::alone(Which::Dynalite)));
    network::must_outlive_its_runtime(&place.node(), JOB);
}

/// How often a node waits for the server: a proxy counts. A server that does not tell the item of a refusal is asked for the item.
async fn round_trips_are_as_few_as_the_readme_says(place: Place) {
    let refusal = match place.server {
        Server::Dynoxide(_) => 1,
        Server::Dynalite(_) => 2,
    };
    let expected = RoundTrips {
        acquire: 1,
        refusal,
        extend: 1,
        release: 1,
    };
    let proxy = Proxy::start(place.server.address()).await;
    let proxy = proxy.expect("a port is free");
    let endpoint = proxy.url(&place.server.endpoint());
    let own = place.builder_at(&endpoint).build().expect("valid");
    let given = || DynamoDbLockProvider::builder(client_of(&endpoint)).table(&place.table);
    let observer = given().expiry_by_observation().build();
    let given = given().build();
    // The observer first, because it would watch what the others have released.
    for node in [observer.expect("valid"), own, given.expect("valid")] {
        let counted = RoundTrips::count(&proxy, &node).await;
        assert_eq!(counted, expected, "{}", place.server.endpoint());
    }
}
