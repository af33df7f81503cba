//! The conformance suite on Redis, with each way to connect.

use std::sync::Arc;

use redis::Client;
use shedlock_redis::{RedisLockProvider, RedisLockProviderBuilder};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored, WrongClock};
use shedlock_testkit::servers::Redis;
use shedlock_testkit::{Proxy, Unavailable};

/// Where the providers of a case get their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Url,
    Client,
}

/// One case's locks, in a server that all cases share.
struct Subject {
    server: Redis,
    proxy: Proxy,
    via: Via,
    environment: String,
}

impl Subject {
    async fn new(via: Via) -> Result<Self, Unavailable> {
        let server = Redis::shared().await?.clone();
        let proxy = Proxy::start(server.address()).await;
        Ok(Self {
            proxy: proxy.expect("a port can be had"),
            server,
            via,
            environment: format!("case-{:016x}", fastrand::u64(..)),
        })
    }

    /// A case whose server is its own.
    async fn alone() -> Result<Self, Unavailable> {
        let server = Redis::start().await?;
        let proxy = Proxy::start(server.address()).await;
        Ok(Self {
            proxy: proxy.expect("a port can be had"),
            server,
            via: Via::Url,
            environment: "default".to_owned(),
        })
    }

    fn builder(&self, name: &str) -> RedisLockProviderBuilder {
        let url = self.proxy.url(&self.server.url());
        let builder = match self.via {
            Via::Url => RedisLockProvider::builder_from_url(&url),
            Via::Client => RedisLockProvider::builder(Client::open(url).expect("a valid URL")),
        };
        builder.environment(&self.environment).node_name(name)
    }

    fn key(&self, lock: &str) -> String {
        format!("job-lock:{}:{lock}", self.environment)
    }
}

fn built(builder: RedisLockProviderBuilder) -> RedisLockProvider {
    builder.build().expect("the options are valid")
}

#[async_trait]
impl Harness for Subject {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        Arc::new(built(self.builder(name)))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(built(self.builder(name))))
    }

    fn address(&self) -> Option<String> {
        Some(format!("{}|{}", self.server.url(), self.environment))
    }

    async fn node_with_wrong_clock(
        &self,
        name: &str,
        ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        let builder = self.builder(name).time_source(WrongClock { ahead });
        Some(Arc::new(built(builder)))
    }

    async fn peek(&self, lock: &str) -> Peek {
        let key = self.key(lock);
        let value = self.server.execute(&["GET", &key]).await;
        if value.is_empty() {
            return Peek::Absent;
        }
        let ends = self.server.execute(&["PEXPIRETIME", &key]).await;
        Peek::Found(Stored {
            owner: value.split_once('@').map(|(_, owner)| owner.to_owned()),
            record: format!("{value} {ends}"),
        })
    }

    async fn delete(&self, lock: &str) -> bool {
        let key = self.key(lock);
        // With its fence: that one is lost changes nothing either.
        let fence = format!("shedlock-fence:{{{key}}}");
        self.server.execute(&["DEL", &key, &fence]).await;
        true
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn restart(&self) -> bool {
        if self.environment != "default" {
            return false;
        }
        self.server.kill().await.expect("the server runs");
        self.server.restart().await.expect("the server comes back");
        true
    }

    async fn broken(&self) -> Vec<Broken> {
        let reader = format!("reader-{:08x}", fastrand::u32(..));
        let rights = [
            "ACL", "SETUSER", &reader, "on", ">s3cret", "~*", "+@read", "+eval", "+evalsha",
        ];
        assert_eq!(self.server.execute(&rights).await, "OK");
        let as_user = |user: &str, port: u16| {
            let url = format!("redis://{user}@127.0.0.1:{port}");
            Arc::new(built(RedisLockProvider::builder_from_url(&url)))
        };
        let port = self.server.port();
        let wrong = as_user("nobody:s3cret", port);
        let nobody = as_user("nobody:s3cret", 1);
        let reader = as_user(&format!("{reader}:s3cret"), port);
        vec![
            Broken::new("a wrong password", wrong, ErrorKind::Configuration)
                .mentioning("redis://user:password@")
                .hiding("s3cret"),
            Broken::new("no server", nobody, ErrorKind::Unavailable).hiding("s3cret"),
            Broken::new("a read-only user", reader, ErrorKind::Permission)
                .mentioning("ACL SETUSER")
                .hiding("s3cret"),
        ]
    }
}

async fn in_another_process(address: String, node: String) -> Arc<dyn LockProvider> {
    let (url, environment) = address.split_once('|').expect("both are in the address");
    let builder = RedisLockProvider::builder_from_url(url).environment(environment);
    let connected = builder.node_name(&node).connect().await;
    Arc::new(connected.expect("the server is there"))
}

shedlock_testkit::conformance!(
    redis_url,
    Subject::new(Via::Url),
    processes = in_another_process
);
shedlock_testkit::conformance!(redis_client, Subject::new(Via::Client));

/// Cases that restart the server, which keeps its data.
mod restarted {
    use shedlock_testkit::conformance::{fencing, healing, run};

    use super::Subject;

    #[test]
    fn the_next_call_works() {
        let case = healing::a_restarted_store;
        run("restarted::the_next_call_works", Subject::alone(), case);
    }

    #[test]
    fn tokens_go_on_growing() {
        let case = fencing::survives_a_restart;
        run("restarted::tokens_go_on_growing", Subject::alone(), case);
    }
}
