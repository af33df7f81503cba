//! Rust nodes and JVM nodes share locks in DynamoDB: the published ShedLock beside our provider on one table of each emulator.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_dynamodb::aws_sdk_dynamodb::config::Credentials;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProvider, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Dynalite, Dynoxide, Unavailable};
use shedlock_tests::fuzz::mixed_contenders_never_overlap;
use shedlock_tests::jvm::{JavaClock, JavaNode, JavaPeer, NodeOptions};
use tokio::time::sleep;

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");
const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(600);
const NONE: Duration = Duration::ZERO;
const ACQUISITIONS: usize = 2000;

/// A node of each kind on one table.
struct Fleet {
    java: JavaNode,
    rust: Arc<dyn LockProvider>,
    /// The last, because the nodes end before their server.
    _server: Box<dyn Any + Send>,
}

impl Fleet {
    async fn dynalite() -> Result<Self, Unavailable> {
        let server = Dynalite::start().await?;
        Self::start(&server.endpoint(), Box::new(server)).await
    }

    async fn dynoxide() -> Result<Self, Unavailable> {
        let server = Dynoxide::start().await?;
        Self::start(&server.endpoint(), Box::new(server)).await
    }

    async fn start(endpoint: &str, server: Box<dyn Any + Send>) -> Result<Self, Unavailable> {
        let peer = JavaPeer::build(Path::new(TARGET)).await?;
        let url = format!("dynamodb://eu-central-1/Shedlock?endpoint={endpoint}");
        let rust = DynamoDbLockProvider::builder_from_url(&url)
            .credentials_provider(Credentials::new("AKIATEST", "s3cret", None, None, "test"))
            .node_name("web-2")
            .build()
            .unwrap();
        rust.ensure_schema().await.unwrap();
        let options = NodeOptions {
            url,
            table: String::new(),
            clock: JavaClock::ForcedUtc,
            zone: "Asia/Tokyo".to_owned(),
        };
        Ok(Self {
            java: peer.start(&options).await,
            rust: Arc::new(rust),
            _server: server,
        })
    }

    async fn rust_lock(&self, name: &str, at_most: Duration, at_least: Duration) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).unwrap();
        let config = config.with_at_least(at_least).unwrap();
        self.rust.try_lock(config).await.unwrap()
    }
}

async fn each_side_skips_while_the_other_holds(fleet: &Fleet) {
    let (name, java) = ("skips", &fleet.java);
    assert!(java.lock("1", name, LONG, NONE).await);
    assert!(fleet.rust_lock(name, LONG, NONE).await.is_none());
    java.unlock("1").await;
    let mut lock = fleet.rust_lock(name, LONG, NONE).await.unwrap();
    assert!(!java.lock("2", name, LONG, NONE).await);
    lock.extend(LONG * 2, NONE).await.unwrap();
    assert!(!java.lock("2", name, LONG, NONE).await);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(java.lock("2", name, LONG, NONE).await);
}

async fn each_side_honours_the_at_least_of_the_other(fleet: &Fleet) {
    let java = &fleet.java;
    assert!(java.lock("3", "least-jvm", LONG, LONG).await);
    java.unlock("3").await;
    assert!(fleet.rust_lock("least-jvm", LONG, NONE).await.is_none());
    let lock = fleet.rust_lock("least-rust", LONG, LONG).await.unwrap();
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(!java.lock("4", "least-rust", LONG, NONE).await);
}

async fn each_side_takes_over_after_expiry(fleet: &Fleet) {
    let (name, java) = ("expiry", &fleet.java);
    assert!(java.lock("5", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let lock = fleet.rust_lock(name, SHORT, NONE).await.unwrap();
    sleep(SHORT + Duration::from_millis(50)).await;
    assert!(java.lock("6", name, LONG, NONE).await);
    // Late, it finds the JVM's name in place of its own.
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Lost);
    assert!(fleet.rust_lock(name, LONG, NONE).await.is_none());
}

/// JVM nodes see a lock with a position as any other, and leave position and token as they are.
async fn a_jvm_run_leaves_position_and_token(fleet: &Fleet) {
    let (name, java) = ("chain", &fleet.java);
    let step = |number| {
        LockConfiguration::new(name, LONG)
            .unwrap()
            .with_step(number)
            .unwrap()
    };
    let first = fleet.rust.try_lock(step(1)).await.unwrap().unwrap();
    let token = first.fencing_token().unwrap();
    assert!(!java.lock("7", name, LONG, NONE).await);
    assert_eq!(first.complete().await.unwrap(), Ownership::Ours);
    assert!(java.lock("7", name, LONG, NONE).await);
    java.unlock("7").await;
    let again = fleet.rust.lock(step(1)).await.unwrap().unwrap_err();
    assert_eq!(again.reason, SkipReason::AlreadyRan);
    let second = fleet.rust.try_lock(step(2)).await.unwrap().unwrap();
    assert_eq!(second.fencing_token(), Some(token + 1));
}

/// ShedLock releases without a condition, as the README of `shedlock-dynamodb` says.
async fn a_late_jvm_release_frees_the_lock_and_the_holder_is_told(fleet: &Fleet) {
    let (name, java) = ("late", &fleet.java);
    assert!(java.lock("8", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let mut lock = fleet.rust_lock(name, LONG, NONE).await.unwrap();
    java.unlock("8").await;
    // What has ended at this very millisecond has ended at the next.
    sleep(Duration::from_millis(5)).await;
    let lost = lock.extend(LONG, NONE).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Lost);
    assert!(fleet.rust_lock(name, LONG, NONE).await.is_some());
}

/// The same tests on either server.
macro_rules! fleets {
    ($($module:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $module() {
            let fleet = server_or_skip!(Fleet::$module().await);
            each_side_skips_while_the_other_holds(&fleet).await;
            each_side_honours_the_at_least_of_the_other(&fleet).await;
            each_side_takes_over_after_expiry(&fleet).await;
            a_jvm_run_leaves_position_and_token(&fleet).await;
            a_late_jvm_release_frees_the_lock_and_the_holder_is_told(&fleet).await;
            mixed_contenders_never_overlap(&fleet.java, &fleet.rust, ACQUISITIONS).await;
        }
    )*};
}

fleets! {
    dynalite;
    dynoxide;
}
