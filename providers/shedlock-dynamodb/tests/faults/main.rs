//! What happens when the server, the network or another program misbehaves.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

mod connections;
mod errors;
mod refusals;
mod servers;

use std::time::{Duration, Instant};

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockError, LockProviderExt as _, Ownership,
};
use shedlock_testkit::Proxy;

use place::Place;

pub(crate) const JOB: &str = "a";

/// Both places of a test, each with a server of its own, or the skip of the whole test.
macro_rules! places {
    () => {{
        let mut places = Vec::new();
        for which in [crate::place::Which::Dynoxide, crate::place::Which::Dynalite] {
            places.push(shedlock_testkit::server_or_skip!(
                crate::place::Place::alone(which).await
            ));
        }
        places
    }};
}
pub(crate) use places;

pub(crate) fn config() -> LockConfiguration {
    LockConfiguration::new(JOB, "10m").expect("a legal configuration")
}

pub(crate) async fn held(node: &DynamoDbLockProvider) -> Lock {
    let lock = node.try_lock(config()).await.expect("the server answers");
    lock.expect("the lock is free")
}

pub(crate) async fn is_free(node: &DynamoDbLockProvider) -> bool {
    match node.try_lock(config()).await.expect("the server answers") {
        Some(lock) => {
            let unlocked = lock.unlock().await.expect("the server answers");
            unlocked == Ownership::Ours
        }
        None => false,
    }
}

/// The lock becomes free: what nobody holds is given back in the background.
pub(crate) async fn must_become_free(node: &DynamoDbLockProvider) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !is_free(node).await {
        assert!(Instant::now() < limit, "an orphan lock stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks until there is an answer, as a scheduler does.
pub(crate) async fn until_answered(node: &DynamoDbLockProvider) -> Option<Lock> {
    let limit = Instant::now() + Duration::from_mins(1);
    loop {
        match node.try_lock(config()).await {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < limit, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn problem(node: &DynamoDbLockProvider) -> LockError {
    let asked = node.try_lock(config()).await;
    asked.expect_err("the lock cannot be taken")
}

/// Whose the lease was, as an extension tells.
pub(crate) async fn extended(lock: &mut Lock) -> Ownership {
    match lock.extend("10m", "0s").await {
        Ok(()) => Ownership::Ours,
        Err(lost) if lost.kind() == ErrorKind::Lost => Ownership::Lost,
        Err(error) => panic!("an extension must be made or lost: {error:?}"),
    }
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
