//! What lies in the bucket is what JVM nodes write and read, and both sides honour each other's locks.

#[path = "support/place.rs"]
mod place;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use shedlock_nats::NatsLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockAdmin as _, LockConfiguration, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::requests::until;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Nats;
use tokio::time::sleep;

use place::Place;

const JOB: &str = "nightly_report";

fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

async fn try_lock(provider: &NatsLockProvider, config: LockConfiguration) -> Option<Lock> {
    provider.try_lock(config).await.expect("NATS answers")
}

/// ShedLock 7 on the JVM, request by request.
struct Peer<'a> {
    place: &'a Place,
    lock_until: SystemTime,
    at_least: SystemTime,
}

fn value(instant: SystemTime) -> [u8; 8] {
    let millis = instant
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    u64::try_from(millis).expect("not that late").to_be_bytes()
}

impl<'a> Peer<'a> {
    async fn try_lock(place: &'a Place, at_most: u64, at_least: u64) -> Option<Self> {
        let now = SystemTime::now();
        let peer = Self {
            place,
            lock_until: now + Duration::from_millis(at_most),
            at_least: now + Duration::from_millis(at_least),
        };
        let new = value(peer.lock_until);
        let taken = match place.get(JOB).await {
            None => place.put(JOB, &new, None, Some(0)).await,
            // Its client's `create` tries without an entry first, and then in the place of the marker.
            Some(marker) if marker.is_deleted() => {
                assert!(!place.put(JOB, &new, None, Some(0)).await);
                place.put(JOB, &new, None, Some(marker.sequence)).await
            }
            Some(entry) if entry.lock_until() <= now => {
                place.put(JOB, &new, None, Some(entry.sequence)).await
            }
            Some(_) => false,
        };
        taken.then_some(peer)
    }

    /// Whether it has changed anything.
    async fn unlock(self) -> bool {
        let found = self
            .place
            .get(JOB)
            .await
            .filter(|entry| !entry.is_deleted());
        match found {
            Some(entry) if entry.lock_until() <= self.lock_until => {
                if SystemTime::now() < self.at_least {
                    let kept = value(self.at_least);
                    return self.place.put(JOB, &kept, None, Some(entry.sequence)).await;
                }
                self.place.put(JOB, &[], Some("DEL"), None).await
            }
            _ => false,
        }
    }
}

#[tokio::test]
async fn an_entry_is_eight_bytes_and_the_rest_is_in_headers() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.builder().node_name("web-ü 1").build().expect("valid");
    let before = SystemTime::now();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");

    let entry = place.get(JOB).await.expect("an entry");
    assert_eq!(entry.value.len(), 8);
    let lasts = entry.lock_until().duration_since(before).expect("later");
    assert!(
        lasts.abs_diff(Duration::from_secs(60)) < Duration::from_secs(20),
        "{lasts:?}"
    );
    assert_eq!(lock.fencing_token(), Some(entry.sequence));
    let owner = entry.header("Shedlock-Owner").expect("an owner");
    assert!(owner.starts_with("web-%C3%BC%201#"), "{owner}");
    let at: u64 = entry
        .header("Shedlock-At")
        .expect("a time")
        .parse()
        .expect("a number");
    let at = UNIX_EPOCH + Duration::from_millis(at);
    assert!(at.duration_since(before - Duration::from_millis(1)).is_ok());
    assert!(
        provider
            .get(JOB)
            .await
            .expect("NATS answers")
            .expect("a record")
            .is_held()
    );

    lock.unlock().await.expect("NATS answers");
    let freed = place.get(JOB).await.expect("free records stay");
    assert!(freed.lock_until() <= SystemTime::now());
    assert!(
        freed
            .header("Shedlock-Owner")
            .expect("an owner")
            .starts_with(owner)
    );
}

#[tokio::test]
async fn the_bucket_is_as_jvm_nodes_make_it_but_in_files() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let info = place.api("STREAM.INFO", &json!({})).await;
    let config = &info["config"];
    for (option, value) in [
        ("subjects", json!([format!("$KV.{}.>", place.bucket)])),
        ("retention", json!("limits")),
        ("max_msgs_per_subject", json!(1)),
        ("storage", json!("file")),
        ("num_replicas", json!(1)),
        ("discard", json!("new")),
        ("duplicate_window", json!(120_000_000_000_u64)),
        ("allow_rollup_hdrs", json!(true)),
        ("allow_direct", json!(true)),
        ("deny_delete", json!(true)),
    ] {
        assert_eq!(config[option], value, "{option}");
    }
}

#[tokio::test]
async fn a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");
    assert!(Peer::try_lock(&place, 60_000, 0).await.is_none());
    lock.unlock().await.expect("NATS answers");
    let peer = Peer::try_lock(&place, 60_000, 0)
        .await
        .expect("was released");
    assert!(try_lock(&provider, config("1m")).await.is_none());
    assert!(peer.unlock().await);

    // A lease that ended without a release.
    let lock = try_lock(&provider, config("2s")).await.expect("is free");
    sleep(Duration::from_millis(2_100)).await;
    assert!(Peer::try_lock(&place, 60_000, 0).await.is_some());
    let entry = place.get(JOB).await;
    drop(lock.unlock().await);
    assert_eq!(place.get(JOB).await, entry, "the lease is the peer's");
    assert!(try_lock(&provider, config("1m")).await.is_none());
}

#[tokio::test]
async fn rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let peer = Peer::try_lock(&place, 60_000, 0).await.expect("is free");
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let held = provider
        .get(JOB)
        .await
        .expect("NATS answers")
        .expect("a record");
    assert!(held.is_held() && held.problem.is_none(), "{held:?}");

    // The peer deletes the key, whose marker is free.
    assert!(peer.unlock().await);
    let marker = place.get(JOB).await.expect("a marker");
    assert!(marker.is_deleted());
    assert_eq!(provider.get(JOB).await.expect("NATS answers"), None);
    assert_eq!(provider.list().await.expect("NATS answers"), []);
    let lock = try_lock(&provider, config("1m"))
        .await
        .expect("was released");
    let token = lock.fencing_token().expect("a token");
    assert_eq!(token, marker.sequence + 1, "one write took the lock");
    lock.unlock().await.expect("NATS answers");

    // A lease that ended without a release.
    let peer = Peer::try_lock(&place, 300, 0).await.expect("is free");
    sleep(Duration::from_millis(400)).await;
    let lock = try_lock(&provider, config("1m")).await.expect("has ended");
    assert!(lock.fencing_token() > Some(token));
    // The late release sees that the end is not its own.
    assert!(!peer.unlock().await);
    assert!(lock.is_held() && Peer::try_lock(&place, 60_000, 0).await.is_none());
}

#[tokio::test]
async fn both_honour_the_others_at_least() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let peer = Peer::try_lock(&place, 60_000, 3_000)
        .await
        .expect("is free");
    assert!(peer.unlock().await);
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let kept = config("1m").with_at_least("3s").expect("legal");
    let mut taken = None;
    until("the peer's `at_least` has ended", async || {
        taken = try_lock(&provider, kept.clone()).await;
        taken.is_some()
    })
    .await;

    let lock = taken.expect("it was taken");
    lock.unlock().await.expect("NATS answers");
    let peer = async || Peer::try_lock(&place, 60_000, 0).await.is_some();
    assert!(!peer().await);
    until("our `at_least` has ended", peer).await;
}

/// A position is a header, so a JVM node sees a lock like any other. The limit that the README tells: what a JVM node writes in its place has
/// no header, so the position is lost.
#[tokio::test]
async fn a_position_is_a_header_and_lost_with_a_jvm_nodes_write() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let step = |number| config("1m").with_step(number).expect("a legal step");
    let position = async || {
        let entry = place.get(JOB).await.expect("an entry");
        entry.header("Shedlock-Position").map(str::to_owned)
    };
    let refused = async |config| {
        let answer = provider.lock(config).await.expect("NATS answers");
        answer.expect_err("it must not run").reason
    };
    let run = async |config| {
        let lock = try_lock(&provider, config).await.expect("it may run");
        assert!(Peer::try_lock(&place, 60_000, 0).await.is_none());
        let completed = lock.complete().await.expect("NATS answers");
        assert_eq!(completed, Ownership::Ours);
    };
    assert_eq!(refused(step(2)).await, SkipReason::Gap);
    let lock = try_lock(&provider, step(1)).await.expect("it may run");
    assert_eq!(position().await.as_deref(), Some("1,begun,1"));
    lock.unlock().await.expect("NATS answers");
    run(step(1)).await;
    assert_eq!(position().await.as_deref(), Some("1,done,2"));
    run(config("1m")).await;
    assert_eq!(position().await.as_deref(), Some("1,done,2"));
    assert_eq!(refused(step(1)).await, SkipReason::AlreadyRan);

    let peer = Peer::try_lock(&place, 60_000, 0).await.expect("is free");
    assert_eq!(position().await, None);
    assert_eq!(refused(step(2)).await, SkipReason::Held);
    assert!(peer.unlock().await);
    assert_eq!(refused(step(2)).await, SkipReason::Gap);
    run(step(1)).await;

    // What no node of ours writes.
    let entry = place.get(JOB).await.expect("an entry");
    place
        .put_with(JOB, &entry.value, ("Shedlock-Position", "1"))
        .await;
    let error = provider.try_lock(step(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("Shedlock-Position"), "{error}");
}

/// The limit that the README tells: a JVM node compares ends, and then deletes without a condition.
#[tokio::test]
async fn a_late_jvm_release_can_free_a_shorter_lease_and_the_holder_is_told() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let mut peer = Peer::try_lock(&place, 300, 0).await.expect("is free");
    sleep(Duration::from_millis(400)).await;
    let mut lock = try_lock(&provider, config("10s")).await.expect("has ended");
    peer.lock_until = SystemTime::now() + Duration::from_secs(60);
    assert!(peer.unlock().await);
    let extended = lock.extend("1m", Duration::ZERO).await;
    assert!(extended.is_err(), "{extended:?}");
}

#[tokio::test]
async fn what_is_no_lock_is_told_and_left_alone() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    // What an administrator's purge leaves is as free as a deletion's.
    assert!(place.put(JOB, &[], Some("PURGE"), None).await);
    drop(try_lock(&provider, config("1m")).await.expect("is free"));
    assert!(place.put(JOB, b"cache entry", None, None).await);
    let before = place.get(JOB).await;
    let error = provider.try_lock(config("1m")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(
        error.to_string().contains("11 bytes instead of 8"),
        "{error}"
    );
    let listed = provider.list().await.expect("NATS answers");
    assert_eq!(listed.len(), 1);
    assert!(listed[0].problem.is_some(), "{listed:?}");
    assert_eq!(
        provider.prune(Duration::ZERO).await.expect("NATS answers"),
        0
    );
    assert_eq!(place.get(JOB).await, before);
}

#[tokio::test]
async fn sequences_grow_over_a_deletion_and_begin_anew_in_a_new_bucket() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let token = async || {
        let lock = try_lock(&provider, config("1m")).await.expect("is free");
        let token = lock.fencing_token().expect("a token");
        lock.unlock().await.expect("NATS answers");
        token
    };
    let first = token().await;
    sleep(Duration::from_millis(5)).await;
    assert_eq!(
        provider.prune(Duration::ZERO).await.expect("NATS answers"),
        1
    );
    assert_eq!(place.get(JOB).await, None);
    assert!(token().await > first);
    place.remove().await;
    place.make().await;
    assert_eq!(token().await, 1, "as the README says");
}
