//! What operators see and do, with whatever clocks.

use std::time::{Duration, Instant};

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{LockAdmin as _, LockInfo, SkipReason};
use shedlock_testkit::conformance::WrongClock;

use super::place::Place;
use super::{
    JOB, LEASE, ask, built, config, dead, node, refused, taken, taken_when_free, until_ended, utc,
    wrong,
};

each_server! {
    new:
    a_held_lock_is_shown_and_spared
    a_lock_whose_holder_died_is_shown_as_taken_until_it_was_watched
    a_forced_release_frees_at_once
    a_pause_lasts_and_ends
}

async fn shown(node: &DynamoDbLockProvider) -> LockInfo {
    let listed = node.list().await.expect("the server answers");
    let [one] = &listed[..] else {
        panic!("one lock: {listed:?}")
    };
    let got = node.get(JOB).await.expect("the server answers");
    assert_eq!(got.map(|it| it.is_held()), Some(one.is_held()));
    one.clone()
}

/// A lock is not deleted while it is held, whoever's time of day says that its lease has long ended.
async fn a_held_lock_is_shown_and_spared(place: Place) {
    let pruned_by_comparison = async {
        let ahead = built(place.builder().time_source(WrongClock { ahead: true }));
        let _held = taken(&place.node(), LEASE).await;
        ahead.prune(Duration::ZERO).await.expect("an answer")
    };
    assert_eq!(pruned_by_comparison.await, 1, "the fault that is meant");

    for (holder, operator) in [(false, true), (true, false)] {
        let (holder, operator) = (wrong(&place, holder), wrong(&place, operator));
        let minute = Duration::from_mins(1);
        let held = taken(&holder, minute).await;
        let info = shown(&operator).await;
        assert!(info.is_held() && info.problem.is_none(), "{info:?}");
        assert!(info.remaining <= minute + minute / 1_000, "{info:?}");
        assert_eq!(operator.prune(Duration::ZERO).await.expect("an answer"), 0);
        held.unlock().await.expect("the server answers");
        assert!(!shown(&operator).await.is_held());
        let pruned = operator.prune(Duration::ZERO).await;
        assert_eq!(pruned.expect("an answer"), 1);
    }
}

async fn a_lock_whose_holder_died_is_shown_as_taken_until_it_was_watched(place: Place) {
    let (one, operator) = (wrong(&place, false), wrong(&place, true));
    dead(&one, LEASE).await;
    until_ended(LEASE).await;
    assert!(shown(&operator).await.is_held(), "no node may take it yet");
    until_ended(LEASE).await;
    let info = shown(&operator).await;
    assert!(!info.is_held() && info.released == Some(false), "{info:?}");
    assert_eq!(operator.prune(Duration::ZERO).await.expect("an answer"), 1);
    let _next = taken(&one, LEASE).await;
}

/// An operator need not wait, and after the release nobody else need.
async fn a_forced_release_frees_at_once(place: Place) {
    for (holder, operator) in [(false, true), (true, false)] {
        let (holder, operator) = (wrong(&place, holder), wrong(&place, operator));
        dead(&holder, Duration::from_mins(10)).await;
        let forced = operator.force_release(JOB, "its node is gone").await;
        assert!(forced.expect("the server answers"));
        let again = operator.force_release(JOB, "").await;
        assert!(!again.expect("the server answers"), "is free");
        let lock = taken(&node(&place), LEASE).await;
        lock.unlock().await.expect("the server answers");
    }
}

async fn a_pause_lasts_and_ends(place: Place) {
    for (one, operator) in [(false, true), (true, false)] {
        let (one, operator) = (wrong(&place, one), wrong(&place, operator));
        let pause = async |length| {
            let until = utc(&operator) + length;
            let paused = operator.pause(JOB, until, "upkeep").await;
            paused.expect("the server answers");
        };
        let held = taken(&one, Duration::from_mins(10)).await;
        let asked = Instant::now();
        pause(LEASE).await;
        assert!(shown(&one).await.paused);
        drop(held.unlock().await);
        let refusal = ask(&one, config(LEASE)).await.expect_err("is paused");
        assert_eq!(refusal.reason, SkipReason::Paused);
        let lock = taken_when_free(&one, LEASE).await;
        assert!(asked.elapsed() >= LEASE, "the pause has lasted");
        lock.unlock().await.expect("the server answers");

        pause(Duration::from_mins(10)).await;
        assert!(operator.resume(JOB).await.expect("the server answers"));
        let lock = taken(&one, LEASE).await;
        refused(&operator).await;
        lock.unlock().await.expect("the server answers");
    }
}
