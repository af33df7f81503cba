//! Rust nodes and JVM nodes share locks in MongoDB: the published ShedLock, on a stand-in for the server, by either clock of ours.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::path::Path;
use std::time::Duration;

use shedlock_mongodb::MongoLockProvider;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Mongo, Unavailable};
use shedlock_tests::pair::{LONG, NONE, Pair, SHORT};
use tokio::time::sleep;

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");

/// A node of each kind on one server.
struct Fleet {
    pair: Pair,
    /// The last, because the nodes end before their server.
    _server: Mongo,
}

impl Fleet {
    async fn by_server_clock() -> Result<Self, Unavailable> {
        Self::start(Mongo::start().await?, true).await
    }

    async fn by_client_clock() -> Result<Self, Unavailable> {
        Self::start(Mongo::start_without_pipelines().await?, false).await
    }

    async fn start(server: Mongo, by_server: bool) -> Result<Self, Unavailable> {
        let url = server.url("app");
        let builder = MongoLockProvider::builder_from_url(&url).node_name("web-2");
        let builder = if by_server {
            builder
        } else {
            builder.client_clock()
        };
        let rust = builder.build().unwrap();
        Ok(Self {
            pair: Pair::start(Path::new(TARGET), url, "shedLock", rust).await?,
            _server: server,
        })
    }
}

/// The published ShedLock extends its own lock, and no lock that another node has taken over.
async fn a_jvm_node_extends_what_is_its_own(pair: &Pair) {
    let (name, java) = ("extends", &pair.java);
    assert!(java.lock("10", name, LONG, NONE).await);
    assert!(pair.rust_lock(name, LONG, NONE).await.is_none());
    assert!(java.extend("10", LONG * 2, NONE).await);
    assert!(pair.rust_lock(name, LONG, NONE).await.is_none());
    java.unlock("10").await;

    assert!(java.lock("11", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let _lock = pair.rust_lock(name, LONG, NONE).await.unwrap();
    assert!(!java.extend("11", LONG, NONE).await, "it has another owner");
}

/// The same tests by either clock.
macro_rules! fleets {
    ($($module:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $module() {
            let Fleet { pair, _server } = &server_or_skip!(Fleet::$module().await);
            pair.each_side_skips_while_the_other_holds("skips").await;
            pair.each_side_honours_the_at_least_of_the_other().await;
            pair.each_side_takes_over_after_expiry().await;
            a_jvm_node_extends_what_is_its_own(pair).await;
            pair.a_late_jvm_release_frees_the_lock_and_the_holder_is_told().await;
            pair.mixed_contenders_never_overlap().await;
        }
    )*};
}

fleets! {
    by_server_clock;
    by_client_clock;
}
