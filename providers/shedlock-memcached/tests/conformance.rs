//! The conformance suite on Memcached.

use std::sync::Arc;
use std::time::Duration;

use shedlock_memcached::{MemcachedLockProvider, MemcachedLockProviderBuilder};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored, WrongClock};
use shedlock_testkit::servers::Memcached;
use shedlock_testkit::{Proxy, Unavailable};

/// One case's locks, in a server that all cases share.
struct Subject {
    server: Memcached,
    proxy: Proxy,
    environment: String,
    is_alone: bool,
}

impl Subject {
    async fn new() -> Result<Self, Unavailable> {
        Self::on(Memcached::shared().await?.clone(), false).await
    }

    /// A case whose server is its own.
    async fn alone() -> Result<Self, Unavailable> {
        Self::on(Memcached::start().await?, true).await
    }

    async fn on(server: Memcached, is_alone: bool) -> Result<Self, Unavailable> {
        let proxy = Proxy::start(server.address()).await;
        Ok(Self {
            proxy: proxy.expect("a port can be had"),
            server,
            environment: format!("case-{:016x}", fastrand::u64(..)),
            is_alone,
        })
    }

    fn builder(&self, name: &str) -> MemcachedLockProviderBuilder {
        let url = self.proxy.url(&self.server.url());
        let builder = MemcachedLockProvider::builder(&url);
        builder.environment(&self.environment).node_name(name)
    }

    fn key(&self, lock: &str) -> String {
        format!("shedlock:{}:{lock}", self.environment)
    }
}

/// Waits until the server has run for two seconds: tokens begin anew if it is restarted within the second of its start.
async fn of_age(server: &Memcached) {
    loop {
        let stats = server.execute("stats\r\n").await;
        // The server counts from two seconds before its start.
        let is_young = ["2", "3"].map(|age| stats.contains(&format!("STAT uptime {age}\r\n")));
        if is_young == [false; 2] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn built(builder: MemcachedLockProviderBuilder) -> MemcachedLockProvider {
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
        let answer = self.server.execute(&format!("gets {key}\r\n")).await;
        if answer == "END\r\n" {
            return Peek::Absent;
        }
        let owner = answer.split_once('@').expect("the value of a lock").1;
        Peek::Found(Stored {
            owner: owner.strip_suffix("\r\nEND\r\n").map(str::to_owned),
            record: answer,
        })
    }

    async fn delete(&self, lock: &str) -> bool {
        let key = self.key(lock);
        self.server.execute(&format!("delete {key}\r\n")).await;
        true
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn restart(&self) -> bool {
        if !self.is_alone {
            return false;
        }
        of_age(&self.server).await;
        self.server.kill().await.expect("the server runs");
        self.server.restart().await.expect("the server comes back");
        true
    }

    async fn broken(&self) -> Vec<Broken> {
        let of = |url: &str| Arc::new(built(MemcachedLockProvider::builder(url)));
        let nobody = of("memcached://jobs:open-sesame@127.0.0.1:1");
        vec![Broken::new("no server", nobody, ErrorKind::Unavailable).hiding("open-sesame")]
    }
}

async fn in_another_process(address: String, node: String) -> Arc<dyn LockProvider> {
    let (url, environment) = address.split_once('|').expect("both are in the address");
    let builder = MemcachedLockProvider::builder(url).environment(environment);
    let connected = builder.node_name(&node).connect().await;
    Arc::new(connected.expect("the server is there"))
}

shedlock_testkit::conformance!(memcached, Subject::new(), processes = in_another_process);

/// Cases that restart the server, which then has no locks.
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
