//! The conformance suite on a cluster of three servers.

use std::sync::Arc;

use shedlock_redis::{RedisLockProvider, RedisLockProviderBuilder};
use shedlock_runtime::{LockAdmin, LockProvider, async_trait};
use shedlock_testkit::Unavailable;
use shedlock_testkit::conformance::{Harness, Peek, Stored};
use shedlock_testkit::servers::RedisCluster;
use tokio::sync::OnceCell;

/// One case's locks, in a cluster that all cases share.
struct Subject {
    cluster: &'static RedisCluster,
    environment: String,
}

impl Subject {
    async fn new() -> Result<Self, Unavailable> {
        static CLUSTER: OnceCell<RedisCluster> = OnceCell::const_new();
        Ok(Self {
            cluster: CLUSTER.get_or_try_init(RedisCluster::start).await?,
            environment: format!("case-{:016x}", fastrand::u64(..)),
        })
    }

    fn built(&self, name: &str) -> RedisLockProvider {
        self.builder(name).build().expect("the options are valid")
    }

    fn builder(&self, name: &str) -> RedisLockProviderBuilder {
        let builder = RedisLockProvider::builder_from_url(&self.cluster.url());
        builder.environment(&self.environment).node_name(name)
    }

    fn key(&self, lock: &str) -> String {
        format!("job-lock:{}:{lock}", self.environment)
    }

    /// The answer of the server that has the key of the command.
    async fn execute(&self, command: &[&str]) -> String {
        for server in self.cluster.primaries() {
            let answer = server.execute(command).await;
            if !answer.starts_with("MOVED ") {
                return answer;
            }
        }
        panic!("no server has the key of {command:?}");
    }
}

#[async_trait]
impl Harness for Subject {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.built(name))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(self.built(name)))
    }

    async fn peek(&self, lock: &str) -> Peek {
        let key = self.key(lock);
        let value = self.execute(&["GET", &key]).await;
        if value.is_empty() {
            return Peek::Absent;
        }
        let ends = self.execute(&["PEXPIRETIME", &key]).await;
        Peek::Found(Stored {
            owner: value.split_once('@').map(|(_, owner)| owner.to_owned()),
            record: format!("{value} {ends}"),
        })
    }

    async fn delete(&self, lock: &str) -> bool {
        let key = self.key(lock);
        let fence = format!("shedlock-fence:{{{key}}}");
        self.execute(&["DEL", &key, &fence]).await;
        true
    }
}

shedlock_testkit::conformance!(redis_cluster, Subject::new());
