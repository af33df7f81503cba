//! Rust nodes and JVM nodes share locks in MongoDB: the published ShedLock, on a stand-in for the server, by either clock of ours.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shedlock_mongodb::MongoLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProvider, LockProviderExt as _, Ownership,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Mongo, Unavailable};
use shedlock_tests::fuzz::mixed_contenders_never_overlap;
use shedlock_tests::jvm::{JavaClock, JavaNode, JavaPeer, NodeOptions};
use tokio::time::sleep;

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");
const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(600);
const NONE: Duration = Duration::ZERO;
const ACQUISITIONS: usize = 2000;

/// A node of each kind on one server.
struct Fleet {
    _server: Mongo,
    java: JavaNode,
    rust: Arc<dyn LockProvider>,
}

impl Fleet {
    async fn by_server_clock() -> Result<Self, Unavailable> {
        Self::start(Mongo::start().await?, true).await
    }

    async fn by_client_clock() -> Result<Self, Unavailable> {
        Self::start(Mongo::start_without_pipelines().await?, false).await
    }

    async fn start(server: Mongo, by_server: bool) -> Result<Self, Unavailable> {
        let peer = JavaPeer::build(Path::new(TARGET)).await?;
        let url = server.url("app");
        let options = NodeOptions {
            url: url.clone(),
            table: "shedLock".to_owned(),
            clock: JavaClock::ForcedUtc,
            zone: "Asia/Tokyo".to_owned(),
        };
        let builder = MongoLockProvider::builder_from_url(&url).node_name("web-2");
        let builder = if by_server {
            builder
        } else {
            builder.client_clock()
        };
        Ok(Self {
            java: peer.start(&options).await,
            rust: Arc::new(builder.build().unwrap()),
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
    assert!(java.extend("1", LONG * 2, NONE).await);
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
    lock.unlock().await.unwrap();
    assert!(!java.lock("4", "least-rust", LONG, NONE).await);
}

async fn each_side_takes_over_after_expiry(fleet: &Fleet) {
    let (name, java) = ("expiry", &fleet.java);
    assert!(java.lock("5", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let lock = fleet.rust_lock(name, SHORT, NONE).await.unwrap();
    assert!(!java.extend("5", LONG, NONE).await, "it has another owner");
    sleep(SHORT + Duration::from_millis(50)).await;
    assert!(java.lock("6", name, LONG, NONE).await);
    // Late, it finds the JVM's name in place of its own.
    let _lost = lock.unlock().await;
    assert!(fleet.rust_lock(name, LONG, NONE).await.is_none());
}

/// ShedLock releases on condition of the name alone, as the README of `shedlock-mongodb` says.
async fn a_late_jvm_release_frees_the_lock_and_the_holder_is_told(fleet: &Fleet) {
    let (name, java) = ("late", &fleet.java);
    assert!(java.lock("7", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let mut lock = fleet.rust_lock(name, LONG, NONE).await.unwrap();
    java.unlock("7").await;
    let lost = lock.extend(LONG, NONE).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Lost);
}

/// The same tests by either clock.
macro_rules! fleets {
    ($($module:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $module() {
            let fleet = server_or_skip!(Fleet::$module().await);
            each_side_skips_while_the_other_holds(&fleet).await;
            each_side_honours_the_at_least_of_the_other(&fleet).await;
            each_side_takes_over_after_expiry(&fleet).await;
            a_late_jvm_release_frees_the_lock_and_the_holder_is_told(&fleet).await;
            mixed_contenders_never_overlap(&fleet.java, &fleet.rust, ACQUISITIONS).await;
        }
    )*};
}

fleets! {
    by_server_clock;
    by_client_clock;
}
