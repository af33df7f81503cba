//! The state of a lock.

use std::time::Duration;

use shedlock_dashboard::{LockState, WarningKind};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockInfo, LockProviderExt as _,
};

use crate::stores::{Scripted, first, held, memory, now, observe, snapshot};

fn config(at_least: &str) -> LockConfiguration {
    let config = LockConfiguration::new("mail", "5m").unwrap();
    config.with_at_least(at_least).unwrap()
}

async fn state(provider: &InMemoryLockProvider) -> LockState {
    first(&mut observe(provider.clone())).await.state
}

#[tokio::test]
async fn a_lock_is_held_then_kept_then_free() {
    let clock = ManualClock::new();
    let provider = memory(&clock);
    let lock = provider.try_lock(config("2m")).await.unwrap().unwrap();
    assert_eq!(state(&provider).await, LockState::Held);
    clock.advance(Duration::from_secs(60));
    lock.unlock().await.unwrap();
    assert_eq!(state(&provider).await, LockState::AtLeast);
    clock.advance(Duration::from_secs(61));
    assert_eq!(state(&provider).await, LockState::Free);
}

#[tokio::test]
async fn a_lease_that_ended_without_a_release_is_expired_until_somebody_takes_the_lock() {
    let clock = ManualClock::new();
    let provider = memory(&clock);
    let mut lock = provider.try_lock(config("0s")).await.unwrap().unwrap();
    lock.release_on_drop(false);
    drop(lock);
    clock.advance(Duration::from_secs(5 * 60 + 90));
    let seen = snapshot(&mut observe(provider.clone())).await;
    assert_eq!(seen.locks[0].state, LockState::Expired);
    assert_eq!(seen.locks[0].held_for, None);
    assert_eq!(seen.locks[0].lease(), None);
    let WarningKind::Crashed { ago, .. } = seen.warnings[0].kind else {
        panic!("{:?}", seen.warnings);
    };
    assert_eq!(ago, Duration::from_secs(90));

    // A crash that nobody has cleaned up in a week is not news.
    clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    let seen = snapshot(&mut observe(provider.clone())).await;
    assert_eq!(seen.locks[0].state, LockState::Expired);
    assert_eq!(seen.warnings, []);

    let _next = provider.try_lock(config("0s")).await.unwrap().unwrap();
    assert_eq!(state(&provider).await, LockState::Held);
}

#[tokio::test]
async fn what_an_operator_did_is_no_crash() {
    let clock = ManualClock::new();
    let provider = memory(&clock);
    let _held = provider.try_lock(config("0s")).await.unwrap().unwrap();
    assert!(provider.force_release("mail", "stuck").await.unwrap());
    assert_eq!(state(&provider).await, LockState::Free);

    let until = now(&clock) + Duration::from_secs(60);
    provider.pause("mail", until, "a release").await.unwrap();
    assert_eq!(state(&provider).await, LockState::Paused);
    clock.advance(Duration::from_secs(61));
    assert_eq!(state(&provider).await, LockState::Free);
}

#[tokio::test]
async fn a_jvm_node_does_not_tell_a_crash_from_a_release() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    store.lists([held("mail", "app.example", now(&clock), Duration::ZERO)]);
    assert_eq!(first(&mut store.observer()).await.state, LockState::Free);
}

#[tokio::test]
async fn a_broken_record_is_unreadable_and_a_taken_one_with_a_problem_is_held() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    let endless = held("a", "web-1", now(&clock), Duration::from_secs(9));
    let endless = endless.with_problem("the key has no time to live");
    store.lists([endless, LockInfo::unreadable("b", "what is\u{1b}[2J this?")]);
    let seen = snapshot(&mut store.observer()).await;
    let states: Vec<_> = seen.locks.iter().map(|row| row.state).collect();
    assert_eq!(states, [LockState::Held, LockState::Unreadable]);
    let lines: Vec<_> = seen.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "a: the record is broken: the key has no time to live",
            r"b: the record is broken: what is\u{1b}[2J this?"
        ]
    );
}

#[test]
fn the_words_of_states_lead_back_to_them() {
    for word in [
        "unreadable",
        "expired",
        "held",
        "at_least",
        "paused",
        "free",
    ] {
        assert_eq!(LockState::from_word(word).unwrap().to_string(), word);
    }
    assert_eq!(LockState::from_word("stuck"), None);
}

#[tokio::test]
async fn a_lock_is_found_by_its_name() {
    let clock = ManualClock::new();
    let store = Scripted::new(&clock);
    let names = ["a", "b", "é"];
    let minute = Duration::from_secs(60);
    store.lists(names.map(|name| held(name, "web-1", now(&clock), minute)));
    let seen = snapshot(&mut store.observer()).await;
    for name in names {
        assert_eq!(seen.lock(name).unwrap().info.name, name);
    }
    assert!(seen.lock("B").is_none() && seen.lock("").is_none());
}
