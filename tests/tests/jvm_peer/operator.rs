//! What an operator does to the locks of both sides.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, LockAdmin, LockInfo, LockProvider, LockProviderExt as _,
    SkipReason,
};
use tokio::time::sleep;

use crate::fleet::Fleet;
use crate::protocol::config;

const LONG: Duration = Duration::from_mins(10);
const NONE: Duration = Duration::ZERO;
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks as a Rust node: `None` if the lock was granted, and else why it was not.
async fn skipped(rust: &Arc<dyn LockProvider>, name: &str) -> Option<SkipReason> {
    let request = AcquireRequest::new(config(name, LONG), rust.info().clock().boot());
    match rust.acquire(&request).await.unwrap() {
        Acquisition::Granted(lease) => {
            rust.release(&lease, Duration::ZERO).await.unwrap();
            None
        }
        Acquisition::Refused(refusal) => Some(refusal.reason),
    }
}

async fn seen(operator: &Arc<dyn LockAdmin>, name: &str) -> LockInfo {
    let info = operator.get(name).await.unwrap();
    let info = info.unwrap_or_else(|| panic!("there is no row for `{name}`"));
    let listed = operator.list().await.unwrap();
    assert!(
        listed
            .iter()
            .any(|each| each.name == name && each.until == info.until),
        "{listed:?}"
    );
    info
}

pub(crate) async fn a_pause_holds_on_both_sides(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);
    let operator = fleet.operator().await;
    for (name, known_by_java) in [("pause-known", true), ("pause-new", false)] {
        if known_by_java {
            assert!(java.lock(name, name, LONG, NONE).await);
            java.unlock(name).await;
        }
        let until = SystemTime::now() + LONG;
        operator.pause(name, until, "upkeep").await.unwrap();
        for _ in 0..2 {
            assert!(!java.lock(name, name, LONG, NONE).await, "the JVM ran it");
            assert_eq!(skipped(&rust, name).await, Some(SkipReason::Paused));
        }
        let info = seen(&operator, name).await;
        assert!(
            info.paused && info.until <= Some(until + Duration::from_millis(1)),
            "{info:?}"
        );
        assert!(info.remaining > LONG / 2, "{info:?}");

        assert!(operator.resume(name).await.unwrap());
        // At once, though a JVM that goes by its own clock cuts the time to milliseconds.
        assert!(java.lock(name, name, LONG, NONE).await);
        assert_eq!(skipped(&rust, name).await, Some(SkipReason::Held));
        java.unlock(name).await;
        assert_eq!(skipped(&rust, name).await, None);
    }
    // And until its end, without a word from the operator.
    let name = "pause-ends";
    let until = SystemTime::now() + Duration::from_secs(2);
    operator.pause(name, until, "a moment").await.unwrap();
    let taken = async {
        while !java.lock(name, name, LONG, NONE).await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("the JVM must get the lock");
    let early = until.duration_since(SystemTime::now()).unwrap_or_default();
    assert!(early <= Duration::from_millis(2), "{early:?} too early");
    java.unlock(name).await;
}

pub(crate) async fn a_pause_takes_the_lock_from_a_jvm_holder(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);
    let operator = fleet.operator().await;
    for name in ["pause-unlock", "pause-extend"] {
        assert!(java.lock(name, name, LONG, NONE).await);
        let until = SystemTime::now() + LONG;
        operator.pause(name, until, "stop").await.unwrap();
        let row = fleet.row(name).await;
        if name == "pause-unlock" {
            java.unlock(name).await;
        } else {
            assert!(!java.extend(name, LONG * 2, NONE).await, "it was extended");
        }
        assert_eq!(
            fleet.row(name).await,
            row,
            "the late holder changed the pause"
        );
        assert_eq!(skipped(&rust, name).await, Some(SkipReason::Paused));
        assert!(operator.force_release(name, "enough").await.unwrap());
        assert!(java.lock("pause-again", name, LONG, NONE).await);
        java.unlock("pause-again").await;
    }
}

pub(crate) async fn locks_of_the_jvm_are_seen_and_freed(fleet: &Fleet) {
    let (rust, java) = (fleet.rust().await, &fleet.java);
    let (operator, name) = (fleet.operator().await, "freed");
    let before = SystemTime::now();
    assert!(java.lock("freed-1", name, LONG, LONG).await);
    let info = seen(&operator, name).await;
    let near = |a: Option<SystemTime>, b: SystemTime| {
        let a = a.unwrap_or(SystemTime::UNIX_EPOCH);
        a.max(b).duration_since(a.min(b)).unwrap_or_default() < Duration::from_secs(30)
    };
    assert!(
        near(info.since, before) && near(info.until, before + LONG),
        "since {before:?}: {info:?}"
    );
    assert!(
        !info.node.is_empty() && info.is_held() && !info.paused,
        "{info:?}"
    );
    assert_eq!((&info.problem, &info.reason), (&None, &None));
    assert!(!operator.resume(name).await.unwrap(), "it is no pause");

    assert!(
        operator
            .force_release(name, "its node is gone")
            .await
            .unwrap()
    );
    let row = fleet.row(name).await;
    java.unlock("freed-1").await;
    assert_eq!(
        fleet.row(name).await,
        row,
        "the late holder kept it for its `at_least`"
    );
    let lock = rust.try_lock(config(name, LONG)).await.unwrap();
    let lock = lock.expect("the operator has freed it");
    assert!(!java.lock("freed-2", name, LONG, NONE).await);
    assert!(operator.force_release(name, "and again").await.unwrap());
    assert!(java.lock("freed-3", name, LONG, NONE).await);
    let lost = lock.unlock().await.unwrap();
    assert_eq!(lost, shedlock_runtime::Ownership::Lost);
    assert_eq!(skipped(&rust, name).await, Some(SkipReason::Held));
    java.unlock("freed-3").await;
}
