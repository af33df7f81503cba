//! The conformance suite on etcd.

use std::sync::Arc;
use std::time::Duration;

use shedlock_etcd::{EtcdLockProvider, EtcdLockProviderBuilder, reqwest};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored, WrongClock};
use shedlock_testkit::servers::Etcd;
use shedlock_testkit::{Proxy, Unavailable};

/// Who makes the HTTP client of the providers of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Url,
    Client,
}

/// One case's locks, in a server that all cases share.
struct Subject {
    server: Etcd,
    proxy: Proxy,
    via: Via,
    environment: String,
}

impl Subject {
    async fn new(via: Via) -> Result<Self, Unavailable> {
        let server = Etcd::shared().await?.clone();
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
        let server = Etcd::start().await?;
        let proxy = Proxy::start(server.address()).await;
        Ok(Self {
            proxy: proxy.expect("a port can be had"),
            server,
            via: Via::Url,
            environment: "default".to_owned(),
        })
    }

    fn builder(&self, name: &str) -> EtcdLockProviderBuilder {
        let url = self.proxy.url(&self.server.url());
        let builder = match self.via {
            Via::Url => EtcdLockProvider::builder_from_url(&url),
            Via::Client => {
                let client = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(1));
                EtcdLockProvider::builder(client.build().expect("a legal client"), &url)
            }
        };
        builder.environment(&self.environment).node_name(name)
    }

    fn key(&self, lock: &str) -> String {
        format!("shedlock:{}:{lock}", self.environment)
    }
}

fn built(builder: EtcdLockProviderBuilder) -> EtcdLockProvider {
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
        // Value, lease and revisions, each in a line of its own.
        let record = self.server.execute(&["get", &key, "-w", "fields"]).await;
        let ours = |line: &&str| !line.contains("RaftTerm") && !line.starts_with("\"Revision\"");
        let record: Vec<&str> = record.lines().filter(ours).collect();
        let value = record
            .iter()
            .find_map(|line| line.strip_prefix("\"Value\" : "));
        let Some(value) = value else {
            return Peek::Absent;
        };
        let owner = value.trim_matches('"').split_once('@');
        Peek::Found(Stored {
            owner: owner.map(|(_, owner)| owner.to_owned()),
            record: record.join("\n"),
        })
    }

    async fn delete(&self, lock: &str) -> bool {
        self.server.execute(&["del", &self.key(lock)]).await;
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
        let nobody = EtcdLockProvider::builder_from_url("http://nobody:s3cret@127.0.0.1:1");
        let tls = EtcdLockProvider::builder_from_url("https://nobody:s3cret@127.0.0.1:1");
        vec![
            Broken::new("no server", Arc::new(built(nobody)), ErrorKind::Unavailable)
                .hiding("s3cret"),
            Broken::new("no TLS", Arc::new(built(tls)), ErrorKind::Unavailable)
                .mentioning("TLS feature of the crate `reqwest`")
                .hiding("s3cret"),
        ]
    }
}

async fn in_another_process(address: String, node: String) -> Arc<dyn LockProvider> {
    let (url, environment) = address.split_once('|').expect("both are in the address");
    let builder = EtcdLockProvider::builder_from_url(url).environment(environment);
    let connected = builder.node_name(&node).connect().await;
    Arc::new(connected.expect("the server is there"))
}

shedlock_testkit::conformance!(
    etcd_url,
    Subject::new(Via::Url),
    processes = in_another_process
);
/// The cases about connections, on a client of the program: all else is the same as by URL.
mod client {
    use shedlock_testkit::conformance::{ambiguity, contention, errors, healing, run};

    use super::{Subject, Via};

    macro_rules! cases {
        ($($group:ident::$case:ident),* $(,)?) => {
            $(#[test]
            fn $case() {
                let name = concat!("client::", stringify!($case));
                run(name, Subject::new(Via::Client), $group::$case);
            })*
        };
    }

    cases! {
        ambiguity::a_lost_grant_is_given_back,
        ambiguity::a_cancelled_acquisition_leaves_nothing,
        ambiguity::an_acquisition_dropped_anywhere_leaves_nothing,
        ambiguity::a_silent_store_is_given_up_in_time,
        ambiguity::a_reply_lost_on_the_way_is_no_grant,
        contention::no_two_bodies_overlap,
        errors::a_store_that_is_away_is_an_error,
        healing::ended_connections,
    }
}

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
