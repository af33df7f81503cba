//! Rust nodes and JVM nodes share locks in DynamoDB: the published ShedLock beside our provider on one table of each emulator.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::any::Any;
use std::path::Path;

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_dynamodb::aws_sdk_dynamodb::config::Credentials;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Dynalite, Dynoxide, Unavailable};
use shedlock_tests::pair::{LONG, NONE, Pair};

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");

/// A node of each kind on one table.
struct Fleet {
    pair: Pair,
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
        let url = format!("dynamodb://eu-central-1/Shedlock?endpoint={endpoint}");
        let rust = DynamoDbLockProvider::builder_from_url(&url)
            .credentials_provider(Credentials::new("AKIATEST", "s3cret", None, None, "test"))
            .node_name("web-2")
            .build()
            .unwrap();
        rust.ensure_schema().await.unwrap();
        Ok(Self {
            pair: Pair::start(Path::new(TARGET), url, "", rust).await?,
            _server: server,
        })
    }
}

/// The same tests on either server.
macro_rules! fleets {
    ($($module:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $module() {
            let Fleet { pair, _server } = &server_or_skip!(Fleet::$module().await);
            pair.each_side_skips_while_the_other_holds("skips").await;
            pair.each_side_honours_the_at_least_of_the_other().await;
            pair.each_side_takes_over_after_expiry().await;
            let [first, second] = pair.a_jvm_run_leaves_the_position().await;
            assert_eq!(second, Some(first.unwrap() + 1), "it leaves the token, too");
            pair.a_late_jvm_release_frees_the_lock_and_the_holder_is_told().await;
            assert!(pair.rust_lock("late", LONG, NONE).await.is_some());
            pair.mixed_contenders_never_overlap().await;
        }
    )*};
}

fleets! {
    dynalite;
    dynoxide;
}
