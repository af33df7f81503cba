//! Rust nodes and JVM nodes share locks in Redis: the published ShedLock, in both of its modes, beside our provider on one server.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProvider, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Redis, Unavailable};
use shedlock_tests::fuzz::mixed_contenders_never_overlap;
use shedlock_tests::holds::monotonic_nanos;
use shedlock_tests::jvm::{JavaClock, JavaNode, JavaPeer, NodeOptions};
use tokio::sync::OnceCell;
use tokio::time::sleep;

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");
const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(600);
const NONE: Duration = Duration::ZERO;
/// How late a takeover may be seen on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
const ACQUISITIONS: usize = 2000;

/// A node of each kind on one server.
struct Fleet {
    server: Redis,
    java: JavaNode,
    rust: Arc<dyn LockProvider>,
}

impl Fleet {
    /// A fleet whose JVM node compares the owner before it changes a lock, or does not.
    async fn start(safe_update: bool) -> Result<Self, Unavailable> {
        let server = Redis::start().await?;
        let peer = JavaPeer::build(Path::new(TARGET)).await?;
        let options = NodeOptions {
            url: format!("{}?safeUpdate={safe_update}", server.url()),
            table: String::new(),
            clock: JavaClock::Database,
            zone: "Asia/Tokyo".to_owned(),
        };
        let rust = RedisLockProvider::builder_from_url(&server.url()).node_name("web-2");
        Ok(Self {
            java: peer.start(&options).await,
            rust: Arc::new(rust.build().unwrap()),
            server,
        })
    }

    async fn rust_lock(&self, config: LockConfiguration) -> Option<Lock> {
        self.rust.try_lock(config).await.unwrap()
    }

    /// Takes the lock as soon as it is free.
    async fn wait_for_rust(&self, name: &str) -> Lock {
        let taken = async {
            loop {
                match self.rust_lock(config(name, LONG)).await {
                    Some(lock) => return lock,
                    None => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let taken = tokio::time::timeout(PATIENCE, taken).await;
        taken.expect("Rust must get the lock")
    }

    /// As [`wait_for_rust`](Self::wait_for_rust), for the JVM.
    async fn wait_for_java(&self, id: &str, name: &str) {
        let taken = async {
            while !self.java.lock(id, name, LONG, NONE).await {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let taken = tokio::time::timeout(PATIENCE, taken).await;
        taken.expect("the JVM must get the lock");
    }

    async fn value(&self, name: &str) -> String {
        let key = format!("job-lock:default:{name}");
        self.server.execute(&["GET", &key]).await
    }
}

fn config(name: &str, at_most: Duration) -> LockConfiguration {
    LockConfiguration::new(name, at_most).unwrap()
}

/// A lease of `SHORT` that was asked for at `asked` must have ended by now.
fn check_it_was_over(asked: u64) {
    let lasted = Duration::from_nanos(monotonic_nanos() - asked);
    assert!(lasted >= SHORT, "taken over after {lasted:?} of {SHORT:?}");
}

async fn each_side_skips_while_the_other_holds(fleet: &Fleet) {
    let (name, java) = ("skips", &fleet.java);
    assert!(java.lock("1", name, LONG, NONE).await);
    assert!(fleet.rust_lock(config(name, LONG)).await.is_none());
    assert!(java.extend("1", LONG * 2, NONE).await);
    assert!(fleet.rust_lock(config(name, LONG)).await.is_none());
    java.unlock("1").await;
    let mut lock = fleet.rust_lock(config(name, LONG)).await.unwrap();
    assert!(!java.lock("2", name, LONG, NONE).await);
    lock.extend(LONG * 2, NONE).await.unwrap();
    assert!(!java.lock("2", name, LONG, NONE).await);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(java.lock("2", name, LONG, NONE).await);
    java.unlock("2").await;
}

async fn each_side_honours_the_at_least_of_the_other(fleet: &Fleet) {
    let java = &fleet.java;
    assert!(java.lock("3", "least-jvm", LONG, LONG).await);
    java.unlock("3").await;
    assert!(fleet.rust_lock(config("least-jvm", LONG)).await.is_none());
    let least = config("least-rust", LONG).with_at_least(LONG).unwrap();
    let lock = fleet.rust_lock(least).await.unwrap();
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(!java.lock("4", "least-rust", LONG, NONE).await);

    // And free when that time is over, not when `at_most` is.
    let asked = monotonic_nanos();
    assert!(java.lock("5", "least-jvm-short", LONG, SHORT).await);
    java.unlock("5").await;
    let lock = fleet.wait_for_rust("least-jvm-short").await;
    check_it_was_over(asked);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    let asked = monotonic_nanos();
    let least = config("least-rust-short", LONG);
    let least = least.with_at_least(SHORT).unwrap();
    let lock = fleet.rust_lock(least).await.unwrap();
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    fleet.wait_for_java("6", "least-rust-short").await;
    check_it_was_over(asked);
}

async fn each_side_takes_over_after_expiry(fleet: &Fleet) {
    let asked = monotonic_nanos();
    assert!(fleet.java.lock("7", "expiry-jvm", SHORT, NONE).await);
    let lock = fleet.wait_for_rust("expiry-jvm").await;
    check_it_was_over(asked);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);

    let asked = monotonic_nanos();
    let lock = fleet.rust_lock(config("expiry-rust", SHORT)).await;
    let late = lock.unwrap();
    fleet.wait_for_java("8", "expiry-rust").await;
    check_it_was_over(asked);
    let value = fleet.value("expiry-rust").await;
    assert_eq!(late.unlock().await.unwrap(), Ownership::Lost);
    assert_eq!(fleet.value("expiry-rust").await, value);
    assert!(fleet.java.extend("8", LONG, NONE).await);
    fleet.java.unlock("8").await;
}

/// JVM nodes see a lock with a position as any other, and leave the position as it is.
async fn a_jvm_run_leaves_the_position(fleet: &Fleet) {
    let (name, java) = ("chain", &fleet.java);
    let step = |number| config(name, LONG).with_step(number).unwrap();
    let first = fleet.rust_lock(step(1)).await.unwrap();
    assert!(!java.lock("9", name, LONG, NONE).await);
    assert_eq!(first.complete().await.unwrap(), Ownership::Ours);
    for least in [NONE, SHORT] {
        fleet.wait_for_java("9", name).await;
        assert!(java.extend("9", LONG, least).await);
        java.unlock("9").await;
    }
    let free = fleet.wait_for_rust(name).await;
    assert_eq!(free.unlock().await.unwrap(), Ownership::Ours);
    let again = fleet.rust.lock(step(1)).await.unwrap().unwrap_err();
    assert_eq!(again.reason, SkipReason::AlreadyRan);
    assert!(fleet.rust_lock(step(2)).await.is_some());
}

/// A late unlock and a late extension of a JVM node, on the lock of the next holder, which is ours.
async fn late_jvm_calls(fleet: &Fleet, safe_update: bool) {
    let java = &fleet.java;
    for name in ["late-unlock", "late-extend"] {
        assert!(java.lock(name, name, SHORT, NONE).await);
        let mut lock = fleet.wait_for_rust(name).await;
        let value = fleet.value(name).await;
        if name == "late-unlock" {
            java.unlock(name).await;
        } else {
            let extended = java.extend(name, LONG, NONE).await;
            assert_ne!(extended, safe_update);
        }
        if safe_update {
            assert_eq!(fleet.value(name).await, value, "nothing was changed");
            lock.extend(LONG, NONE).await.unwrap();
        } else {
            assert_ne!(fleet.value(name).await, value, "as the README says");
            let lost = lock.extend(LONG, NONE).await.unwrap_err();
            assert_eq!(lost.kind(), ErrorKind::Lost);
        }
    }
}

/// The same tests for each mode of JVM nodes.
macro_rules! modes {
    ($($module:ident: $safe_update:literal;)*) => {$(
        mod $module {
            use super::*;

            /// Shared by the tests of this module: they differ in the names of their locks.
            async fn fleet() -> Result<&'static Fleet, Unavailable> {
                static FLEET: OnceCell<Fleet> = OnceCell::const_new();
                FLEET.get_or_try_init(|| Fleet::start($safe_update)).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_late_jvm_holder_does_what_the_readme_says() {
                let fleet = server_or_skip!(fleet().await);
                late_jvm_calls(fleet, $safe_update).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mixed_contenders_never_overlap() {
                // One of its own, as it leaves a server little time for others.
                let fleet = server_or_skip!(Fleet::start($safe_update).await);
                super::mixed_contenders_never_overlap(&fleet.java, &fleet.rust, ACQUISITIONS).await;
            }

            modes! { @tests
                each_side_skips_while_the_other_holds;
                each_side_honours_the_at_least_of_the_other;
                each_side_takes_over_after_expiry;
                a_jvm_run_leaves_the_position;
            }
        }
    )*};
    (@tests $($test:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            super::$test(server_or_skip!(fleet().await)).await;
        }
    )*};
}

modes! {
    safe_update: true;
    without_safe_update: false;
}
