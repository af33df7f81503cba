//! Nodes on the JVM and nodes of ours, one after the other.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::server_or_skip;
use tokio::time::sleep;

use crate::peer::Peer;
use crate::place::Place;
use crate::{JOB, MINUTE, config, try_lock};

/// A lease that ends while a test waits.
const SHORT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_none()
    );
    lock.unlock().await.expect("the store answers");
    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
    assert!(peer.expect("was released").unlock().await);

    // A lease that ended without a release.
    let lock = try_lock(&provider, config("3s")).await.expect("is free");
    sleep(SHORT + SHORT / 10).await;
    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(peer.is_some());
    let taken = place.get(JOB).await;
    drop(lock.unlock().await);
    assert_eq!(place.get(JOB).await, taken, "the lease is the peer's");
    assert!(try_lock(&provider, config("1m")).await.is_none());
}

#[tokio::test]
async fn rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let held = provider
        .get(JOB)
        .await
        .expect("the store answers")
        .expect("a record");
    assert!(held.is_held() && held.problem.is_none(), "{held:?}");
    assert_eq!(held.node, "jvm-host");
    assert!(peer.expect("is free").unlock().await);
    let lock = try_lock(&provider, config("1m"))
        .await
        .expect("was released");
    let token = lock.fencing_token().expect("a token");
    lock.unlock().await.expect("the store answers");

    // A lease that ended without a release.
    let peer = Peer::try_lock(&place, JOB, SHORT, Duration::ZERO).await;
    let mut peer = peer.expect("is free");
    sleep(SHORT + SHORT / 10).await;
    let lock = try_lock(&provider, config("1m")).await.expect("has ended");
    assert!(
        lock.fencing_token() > Some(token),
        "the peer's record has no token"
    );
    // The late extension compares the host.
    assert!(!peer.extend(MINUTE).await);
    assert!(lock.is_held());
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_none()
    );
}

#[tokio::test]
async fn both_honour_the_others_at_least() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let kept = Duration::from_secs(4);
    let asked = Instant::now();
    let peer = Peer::try_lock(&place, JOB, MINUTE, kept)
        .await
        .expect("is free");
    assert!(peer.unlock().await);
    assert!(try_lock(&provider, config("1m")).await.is_none());
    assert!(
        asked.elapsed() < kept,
        "the store is too slow for this test"
    );
    sleep(kept).await;

    let config = config("1m").with_at_least("4s").expect("legal");
    let asked = Instant::now();
    let lock = try_lock(&provider, config)
        .await
        .expect("at least has ended");
    lock.unlock().await.expect("the store answers");
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_none()
    );
    assert!(
        asked.elapsed() < kept,
        "the store is too slow for this test"
    );
    sleep(kept).await;
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_peers_extension_is_seen() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, Duration::from_secs(4), Duration::ZERO).await;
    assert!(peer.expect("is free").extend(MINUTE).await);
    sleep(Duration::from_secs(4)).await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
}

/// The limit that the README tells: a JVM node that unlocks late asks for no owner.
#[tokio::test]
async fn a_late_jvm_release_frees_the_next_holder_who_is_told() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, SHORT, Duration::ZERO).await;
    sleep(SHORT + SHORT / 10).await;
    let mut lock = try_lock(&provider, config("1m")).await.expect("has ended");
    assert!(peer.expect("is free").unlock().await);
    let error = lock.extend("1m", Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost, "{error:?}");
}
