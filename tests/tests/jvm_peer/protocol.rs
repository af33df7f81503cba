//! What one side does with the locks of the other, step by step.

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Acquisition, Lock, LockConfiguration, LockProvider, LockProviderExt as _,
    Ownership,
};
use shedlock_tests::holds::monotonic_nanos;
use tokio::time::sleep;

use crate::fleet::Fleet;

/// Longer than any test here takes.
const LONG: Duration = Duration::from_mins(10);
/// What a test waits for.
const SHORT: Duration = Duration::from_millis(1_500);
const NONE: Duration = Duration::ZERO;
/// JVM nodes cut instants to milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);
/// How late a takeover may be seen on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn config(name: &str, at_most: Duration) -> LockConfiguration {
    LockConfiguration::new(name, at_most).unwrap()
}

pub(crate) async fn each_side_skips_while_the_other_holds(fleet: &Fleet) {
    let (name, rust, java) = ("skips", fleet.rust().await, &fleet.java);

    assert!(java.lock("skips-1", name, LONG, NONE).await);
    assert!(rust.try_lock(config(name, LONG)).await.unwrap().is_none());
    java.unlock("skips-1").await;

    let lock = rust
        .try_lock(config(name, LONG))
        .await
        .unwrap()
        .expect("the JVM has released it");
    assert!(!java.lock("skips-2", name, LONG, NONE).await);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);

    // At once, though a JVM that goes by its own clock cuts the time to milliseconds.
    assert!(java.lock("skips-3", name, LONG, NONE).await);
    java.unlock("skips-3").await;
}

pub(crate) async fn each_side_honours_the_at_least_of_the_other(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);

    // Released, but kept for longer than the test lasts.
    assert!(java.lock("least-1", "least-jvm", LONG, LONG).await);
    java.unlock("least-1").await;
    assert!(
        rust.try_lock(config("least-jvm", LONG))
            .await
            .unwrap()
            .is_none()
    );
    let least = config("least-rust", LONG).with_at_least(LONG).unwrap();
    let lock = rust
        .try_lock(least)
        .await
        .unwrap()
        .expect("nobody holds it");
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(!java.lock("least-2", "least-rust", LONG, NONE).await);

    // And free when that time is over, not when `at_most` is.
    let asked = monotonic_nanos();
    assert!(java.lock("least-3", "least-jvm-short", LONG, SHORT).await);
    java.unlock("least-3").await;
    rust_takes_over(&rust, "least-jvm-short", asked).await;
    let asked = monotonic_nanos();
    let least = config("least-rust-short", LONG)
        .with_at_least(SHORT)
        .unwrap();
    let lock = rust
        .try_lock(least)
        .await
        .unwrap()
        .expect("nobody holds it");
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    java_takes_over(fleet, "least-4", "least-rust-short", asked).await;
}

pub(crate) async fn each_side_takes_over_after_expiry(fleet: &Fleet) {
    let rust = fleet.rust().await;

    let asked = monotonic_nanos();
    assert!(fleet.java.lock("expiry-1", "expiry-jvm", SHORT, NONE).await);
    rust_takes_over(&rust, "expiry-jvm", asked).await;

    let asked = monotonic_nanos();
    let mut lock = rust
        .try_lock(config("expiry-rust", SHORT))
        .await
        .unwrap()
        .expect("nobody holds it");
    lock.release_on_drop(false);
    drop(lock);
    java_takes_over(fleet, "expiry-2", "expiry-rust", asked).await;
}

pub(crate) async fn each_side_goes_by_the_extension_of_the_other(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);

    // To a shorter lease: then no test depends on how soon the machine gets around to extending it.
    assert!(java.lock("extension-1", "extension-jvm", LONG, NONE).await);
    let asked = monotonic_nanos();
    assert!(java.extend("extension-1", SHORT, NONE).await);
    rust_takes_over(&rust, "extension-jvm", asked).await;

    let config = config("extension-rust", LONG);
    let mut lock = rust
        .try_lock(config)
        .await
        .unwrap()
        .expect("nobody holds it");
    let asked = monotonic_nanos();
    lock.extend(SHORT, NONE).await.unwrap();
    java_takes_over(fleet, "extension-2", "extension-rust", asked).await;
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Lost);
}

pub(crate) async fn a_stale_jvm_holder_changes_nothing(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);
    for name in ["stale-jvm-unlock", "stale-jvm-extend"] {
        assert!(java.lock(name, name, SHORT, NONE).await);
        let lock = wait_for_rust(&rust, name).await;
        let row = fleet.row(name).await;
        if name == "stale-jvm-unlock" {
            java.unlock(name).await;
        } else {
            assert!(
                !java.extend(name, LONG, NONE).await,
                "a stale extension was granted"
            );
        }
        assert_eq!(fleet.row(name).await, row);
        assert!(!java.lock("stale-jvm-again", name, LONG, NONE).await);
        assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
        assert!(java.lock("stale-jvm-again", name, LONG, NONE).await);
        java.unlock("stale-jvm-again").await;
    }
}

pub(crate) async fn a_stale_rust_holder_changes_nothing(fleet: &Fleet) {
    let (rust, java, name) = (fleet.rust().await, &fleet.java, "stale-rust");
    // Below the guard, which would not even ask the store to extend what it knows to be over.
    let request = AcquireRequest::new(config(name, SHORT), rust.info().clock().boot());
    let Acquisition::Granted(lease) = rust.acquire(&request).await.unwrap() else {
        panic!("nobody holds it");
    };
    wait_for_java(fleet, "stale-rust-1", name).await;
    let row = fleet.row(name).await;
    assert_eq!(rust.extend(&lease, LONG).await.unwrap(), Ownership::Lost);
    assert_eq!(
        rust.release(&lease, Duration::ZERO).await.unwrap(),
        Ownership::Lost
    );
    assert_eq!(fleet.row(name).await, row);
    assert!(rust.try_lock(config(name, LONG)).await.unwrap().is_none());
    assert!(java.extend("stale-rust-1", LONG, NONE).await);
    java.unlock("stale-rust-1").await;
    let lock = wait_for_rust(&rust, name).await;
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
}

async fn rust_takes_over(rust: &Arc<dyn LockProvider>, name: &str, asked: u64) {
    let lock = wait_for_rust(rust, name).await;
    check_it_was_over(asked);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
}

async fn java_takes_over(fleet: &Fleet, id: &str, name: &str, asked: u64) {
    wait_for_java(fleet, id, name).await;
    check_it_was_over(asked);
    fleet.java.unlock(id).await;
}

/// A lease of `SHORT` that was asked for at `asked` must have ended by now.
fn check_it_was_over(asked: u64) {
    let lasted = Duration::from_nanos(monotonic_nanos() - asked);
    assert!(
        lasted >= SHORT.saturating_sub(ROUNDING),
        "taken over after {lasted:?} of {SHORT:?}"
    );
}

/// Takes the lock as soon as it is free.
async fn wait_for_rust(rust: &Arc<dyn LockProvider>, name: &str) -> Lock {
    let taken = async {
        loop {
            match rust.try_lock(config(name, LONG)).await.unwrap() {
                Some(lock) => return lock,
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("Rust must get the lock")
}

/// As [`wait_for_rust`], for the JVM.
async fn wait_for_java(fleet: &Fleet, id: &str, name: &str) {
    let taken = async {
        while !fleet.java.lock(id, name, LONG, NONE).await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("the JVM must get the lock");
}
