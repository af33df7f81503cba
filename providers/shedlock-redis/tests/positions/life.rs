//! How long a position lives, and what ends it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    LockAdmin as _, LockConfiguration, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::requests::until;
use shedlock_testkit::server_or_skip;

use super::{DAY, FENCE, KEY, Place, legal, plain, slot, step};

const DAYS_30: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How exact a time to live is judged: a command may be carried out late.
const SLACK: Duration = Duration::from_secs(60);

/// A slot lives until nobody can ask for it, and 30 days more; an instant 30 days; nothing shortens the life of either.
#[tokio::test]
async fn a_position_outlives_every_request_for_it() {
    let place = server_or_skip!(Place::new().await);
    let lease = Duration::from_secs(600);
    let must_live = async |expected: Duration, what: &str| {
        let life = place.life().await.expect("an end");
        let bounds = expected.saturating_sub(SLACK)..=expected + SLACK;
        assert!(bounds.contains(&life), "{what}: {life:?}, {bounds:?}");
    };
    place.run(plain()).await;
    must_live(DAYS_30 + lease, "without a position").await;
    place.run(slot(DAY * 100)).await;
    let number = place.position().await.number;
    let ahead = (UNIX_EPOCH + Duration::from_millis(number)).duration_since(place.now().await);
    let slot_life = DAYS_30 + DAY * 100 + lease + ahead.unwrap_or_default();
    must_live(slot_life, "a slot").await;
    place.run(plain()).await;
    must_live(slot_life, "no position after a slot").await;

    place.put(None).await;
    let now = place.now().await;
    place.run(legal(plain().with_instant(now))).await;
    must_live(DAYS_30 + lease, "an instant").await;
    place.run(legal(plain().with_instant(now + DAY * 7))).await;
    must_live(DAYS_30 + DAY * 7 + lease, "an instant to come").await;
}

#[tokio::test]
async fn a_chain_has_no_end_until_an_operator_prunes_it() {
    let place = server_or_skip!(Place::new().await);
    place.run(plain()).await;
    assert!(place.life().await.is_some());
    place.run(step(1)).await;
    assert_eq!(place.life().await, None, "a chain");
    // Neither a lock without a position nor an instant ends it.
    place.run(plain()).await;
    assert_eq!(place.life().await, None);
    let mut held = place.try_lock(step(2)).await.expect("it is due");
    let prune = async |unused_for| place.node.prune(unused_for).await.expect("is answered");
    assert_eq!(prune(Duration::ZERO).await, 0, "a step is running");
    held.extend("20m", "0s").await.expect("the lease is live");
    assert_eq!(held.complete().await.expect("is answered"), Ownership::Ours);
    assert_eq!(prune(DAY).await, 0, "it was used just now");
    assert_eq!(prune(Duration::MAX).await, 0);
    let refused = place.try_lock(step(2)).await.expect_err("it is done");
    assert_eq!(refused.reason, SkipReason::AlreadyRan);

    // Another chain, one of another environment, a fence that ends, and what belongs to others.
    place
        .ask(&["SET", "shedlock-fence:{job-lock:default:x}", "precious"])
        .await;
    let b = legal(legal(LockConfiguration::new("b}c", "10m")).with_step(1));
    place.run(b).await;
    let elsewhere = RedisLockProvider::builder_from_url(&place.server.url()).environment("prod");
    let elsewhere = elsewhere.build().expect("a valid URL");
    let theirs = elsewhere.lock(step(1)).await.expect("is answered");
    let theirs = theirs.expect("it is free").complete().await;
    assert_eq!(theirs.expect("is answered"), Ownership::Ours);
    place
        .run(legal(LockConfiguration::new("ends", "10m")))
        .await;

    let pruned = place.node.prune_prefix("b", Duration::ZERO).await;
    assert_eq!(pruned.expect("is answered"), 1);
    assert_ne!(place.ask(&["EXISTS", FENCE]).await, "0");
    assert_eq!(prune(Duration::ZERO).await, 1);
    assert_eq!(place.ask(&["EXISTS", FENCE]).await, "0");
    let keys = place.ask(&["KEYS", "*"]).await;
    let mut keys: Vec<&str> = keys.lines().collect();
    keys.sort_unstable();
    let kept = ["default:ends", "default:x", "prod:a"];
    assert_eq!(
        keys,
        kept.map(|key| format!("shedlock-fence:{{job-lock:{key}}}"))
    );
    place.run(step(1)).await;
}

/// A chain counts as free since an operator ended its pause or its run, and not since its last run.
#[tokio::test]
async fn a_chain_that_was_paused_for_long_is_not_forgotten_after_it() {
    let place = server_or_skip!(Place::new().await);
    place.run(step(1)).await;
    let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("after 1970");
    let long_ago = since_1970(place.now().await - DAY * 40).as_millis();
    let age = async || {
        let long_ago = long_ago.to_string();
        place.ask(&["HSET", FENCE, "until", &long_ago]).await;
    };
    let prune = async || place.node.prune(DAYS_30).await.expect("is answered");
    let pause = async |length: Duration| {
        let until = place.now().await + length;
        let paused = place.node.pause("a", until, "").await;
        paused.expect("is answered");
        assert_eq!(prune().await, 0, "it is paused");
    };

    age().await;
    pause(Duration::from_secs(2)).await;
    let is_over = async || place.ask(&["EXISTS", KEY]).await == "0";
    until("the pause is over", is_over).await;
    assert_eq!(prune().await, 0, "a pause that ended by itself");

    pause(DAY).await;
    age().await;
    assert!(place.node.resume("a").await.expect("is answered"));
    assert_eq!(prune().await, 0, "a pause that was ended");

    let held = place.try_lock(step(2)).await.expect("it is due");
    age().await;
    let freed = place.node.force_release("a", "").await;
    assert!(freed.expect("is answered"));
    assert_eq!(prune().await, 0, "a run that was ended");
    assert_eq!(held.complete().await.expect("is answered"), Ownership::Lost);

    // Also where the lease would have gone on.
    let _held = place.try_lock(step(2)).await.expect("it is not done");
    let freed = place.node.force_release("a", "").await;
    assert!(freed.expect("is answered"));
    let pruned = place.node.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("is answered"), 1);
    // The fence of a lock without a position ends by itself.
    place.run(plain()).await;
    pause(DAY).await;
    assert_eq!(place.ask(&["HEXISTS", FENCE, "until"]).await, "0");
}

/// A lease that ended is lost, also if nobody has taken the lock since: its run is not done.
#[tokio::test]
async fn a_run_that_outlives_its_lease_is_not_done() {
    let place = server_or_skip!(Place::new().await);
    let short = legal(legal(LockConfiguration::new("a", "1s")).with_step(1));
    let lock = place.try_lock(short).await.expect("it is free");
    while place.ask(&["EXISTS", KEY]).await != "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let completed = lock.complete().await.expect("the server answers");
    assert_eq!(completed, Ownership::Lost);
    assert!(!place.position().await.is_done);
    let again = place.try_lock(step(1)).await.expect("it is not done");
    assert_eq!(place.position().await.tries, 2);
    drop(again);
}

/// A release that keeps the lock for its `at_least` marks the run as done, too.
#[tokio::test]
async fn a_lock_that_stays_taken_has_its_run_marked_as_done() {
    let place = server_or_skip!(Place::new().await);
    let kept = legal(step(1).with_at_least("5m"));
    place.run(kept).await;
    assert!(place.position().await.is_done);
    let held = place.try_lock(step(2)).await.expect_err("at_least");
    assert_eq!(held.reason, SkipReason::Held);
    assert!(
        place
            .node
            .force_release("a", "")
            .await
            .expect("is answered")
    );
    place.run(step(2)).await;
    let position = place.position().await;
    assert_eq!((position.number, position.is_done), (2, true));
}

/// A server that lost the fence has lost the position: a release does not make a hash without an end.
#[tokio::test]
async fn a_lost_fence_is_not_made_by_a_release() {
    let place = server_or_skip!(Place::new().await);
    let lock = place.try_lock(step(1)).await.expect("it is free");
    place.ask(&["DEL", FENCE]).await;
    assert_eq!(lock.complete().await.expect("is answered"), Ownership::Ours);
    assert_eq!(place.ask(&["DBSIZE"]).await, "0");
}
