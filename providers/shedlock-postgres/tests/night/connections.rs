//! Connections that only look alive.

use std::time::{Duration, Instant};

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    Acquisition, Lease, LockAdmin as _, LockConfiguration, LockProvider as _, LockingTaskExecutor,
    Outcome, Ownership, SkipReason, lock,
};

use crate::asking::{
    MINUTE, WORKS, ask, config, in_time, keep_for, later, limited, once, refused, request, take,
};
use crate::place::{Place, Via};

tests! {
    idle_connections_are_forgotten
    idle_connections_of_a_pool_are_forgotten
    a_kept_lock_is_kept
    a_kept_lock_is_kept_on_a_pool
    a_connection_forgotten_in_the_middle
    a_client_that_has_ended_is_told
}

/// So long a connection has been idle when it is not trusted any more.
const IDLE: Duration = Duration::from_millis(2_200);

/// Uses the provider's connections, which are idle afterwards.
pub(crate) async fn warm_up(node: &PostgresLockProvider, name: &str) {
    for _ in 0..3 {
        let asking = (0..4).map(|number| {
            let (node, name) = (node.clone(), format!("{name}-{number}"));
            tokio::spawn(async move { once(&node, &name).await })
        });
        for asked in asking.collect::<Vec<_>>() {
            assert_eq!(asked.await.expect("no panic"), WORKS);
        }
    }
}

/// The first call of each kind after the connections have died.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Acquire,
    Extend,
    Release,
    List,
    Pause,
}

const VERBS: [Verb; 5] = [
    Verb::Acquire,
    Verb::Extend,
    Verb::Release,
    Verb::List,
    Verb::Pause,
];

async fn idle_connections_are_forgotten(place: Place) {
    first_calls(&place, Via::Url).await;
}

async fn idle_connections_of_a_pool_are_forgotten(place: Place) {
    first_calls(&place, Via::Pool).await;
}

async fn first_calls(place: &Place, via: Via) {
    let mut nodes = Vec::new();
    for verb in VERBS {
        // Each has its own way to the database.
        let far = Place::beside(place).await;
        let node = far.provider(via).await;
        let name = format!("{verb:?}");
        warm_up(&node, &name).await;
        let lease = match verb {
            Verb::Extend | Verb::Release => Some(take(&node, &name).await),
            _ => None,
        };
        nodes.push((verb, name, lease, node, far));
    }
    for (.., far) in &nodes {
        far.proxy.blackhole_connections();
    }
    // They are to be old, and nothing else is waited for.
    tokio::time::sleep(IDLE).await;
    let asking = nodes.into_iter().map(|(verb, name, lease, node, far)| {
        tokio::spawn(async move {
            let began = Instant::now();
            let said = first_call(verb, &name, lease, &node).await;
            drop(far);
            (verb, said, began.elapsed())
        })
    });
    let mut failed = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        let (verb, said, took) = asked.await.expect("no panic");
        let said = said.err();
        failed.extend(said.map(|error| format!("{verb:?} after {took:.1?}: {error}")));
    }
    assert_eq!(failed, [""; 0]);
}

async fn first_call(
    verb: Verb,
    name: &str,
    lease: Option<Lease>,
    node: &PostgresLockProvider,
) -> Result<(), String> {
    let said = match (verb, &lease) {
        (Verb::Extend, Some(lease)) => limited(node.extend(lease, MINUTE))
            .await
            .map(|extended| assert_eq!(extended, Ownership::Ours)),
        (Verb::Release, Some(lease)) => limited(node.release(lease, keep_for(node, lease)))
            .await
            .map(|released| assert_eq!(released, Ownership::Ours)),
        (Verb::List, _) => limited(node.list())
            .await
            .map(|listed| assert!(!listed.is_empty())),
        (Verb::Pause, _) => limited(node.pause(name, later(), "x")).await,
        _ => ask(node, name)
            .await
            .map(|asked| assert!(matches!(asked, Acquisition::Granted(_)))),
    };
    said.map_err(|error| format!("{:?}: {error}", error.kind()))
}

async fn a_kept_lock_is_kept(place: Place) {
    keeps(&place, Via::Url).await;
}

async fn a_kept_lock_is_kept_on_a_pool(place: Place) {
    keeps(&place, Via::Pool).await;
}

async fn keeps(place: &Place, via: Via) {
    let node = place.provider(via).await;
    warm_up(&node, "warm").await;
    let kept = LockConfiguration::new("kept", "9s").and_then(LockConfiguration::with_keep_alive);
    let other = place.provider_past_proxy();
    let body = async {
        place.proxy.blackhole_connections();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(13) {
            assert!(lock::is_held(), "lost after {:?}", began.elapsed());
            assert_eq!(refused(&other, "kept").await.reason, SkipReason::Held);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let executor = LockingTaskExecutor::new(node);
    let ran = Box::pin(executor.execute(kept.expect("legal"), body));
    let ran = in_time(ran).await;
    assert!(matches!(ran, Ok(Outcome::Executed(()))), "{ran:?}");
    assert_eq!(once(&other, "kept").await, WORKS);
}

/// Nobody has been idle: many tasks use the connection when it dies, and each of them goes on within its time over the one new connection.
async fn a_connection_forgotten_in_the_middle(place: Place) {
    let node = place.provider(Via::Url).await;
    warm_up(&node, "warm").await;
    let before = place.proxy.connections().len();
    let asking = (0..16).map(|number| {
        let node = node.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(4) {
                let request = request(&node, config(&format!("job-{number}")));
                let lease = limited(node.acquire(&request)).await?.granted();
                let lease = lease.expect("it is free");
                limited(node.release(&lease, Duration::ZERO)).await?;
            }
            Ok::<_, shedlock_runtime::LockError>(())
        })
    });
    let asking: Vec<_> = asking.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    place.proxy.blackhole_connections();
    for asked in asking {
        let asked = asked.await.expect("no panic");
        assert!(asked.is_ok(), "{asked:?}");
    }
    let made = place.proxy.connections().len() - before;
    assert!(made <= 2, "{made} connections instead of one");
}

async fn a_client_that_has_ended_is_told(place: Place) {
    let node = place.provider(Via::Client).await;
    assert_eq!(once(&node, "a").await, WORKS);
    place
        .proxy
        .end_connections(shedlock_testkit::proxy::Ending::Reset);
    let said = in_time(async {
        loop {
            let said = once(&node, "a").await;
            if said.starts_with("Unavailable") {
                return said;
            }
            // Until the client has heard of it.
            assert!(said.starts_with("Indeterminate"), "{said}");
        }
    });
    let said = said.await;
    assert!(
        said.contains("has ended") && said.contains("hand over a pool"),
        "{said}"
    );
}
