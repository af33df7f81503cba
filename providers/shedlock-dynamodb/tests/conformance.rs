//! The conformance suite, with each way to connect, on each server, and in each format.

#[path = "support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_dynamodb::{DynamoDbLockProvider, DynamoDbLockProviderBuilder};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait, format_timestamp};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored, WrongClock};
use shedlock_testkit::{Proxy, Unavailable};

use place::{Place, Which, builder_for, client_of, item, text};

/// Where the providers of a case get their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Url,
    Client,
}

/// One case's locks.
struct Subject {
    place: Place,
    proxy: Proxy,
    via: Via,
    is_alone: bool,
    is_observed: bool,
}

impl Subject {
    async fn new(via: Via, which: Which) -> Result<Self, Unavailable> {
        Self::at(Place::new(which).await?, via, false).await
    }

    /// A case whose server is its own.
    async fn alone(which: Which) -> Result<Self, Unavailable> {
        Self::at(Place::alone(which).await?, Via::Url, true).await
    }

    async fn at(place: Place, via: Via, is_alone: bool) -> Result<Self, Unavailable> {
        let proxy = Proxy::start(place.server.address()).await;
        Ok(Self {
            place,
            proxy: proxy.expect("a port is free"),
            via,
            is_alone,
            is_observed: false,
        })
    }

    /// A case whose nodes end leases by observation.
    async fn observed(via: Via, which: Which) -> Result<Self, Unavailable> {
        let subject = Self::new(via, which).await?;
        Ok(Self {
            is_observed: true,
            ..subject
        })
    }

    fn builder(&self, name: &str) -> DynamoDbLockProviderBuilder {
        let endpoint = self.proxy.url(&self.place.server.endpoint());
        let builder = match self.via {
            Via::Url => self.place.builder_at(&endpoint),
            Via::Client => {
                DynamoDbLockProvider::builder(client_of(&endpoint)).table(&self.place.table)
            }
        };
        let builder = builder.node_name(name);
        if self.is_observed {
            builder.expiry_by_observation()
        } else {
            builder
        }
    }
}

fn built(builder: DynamoDbLockProviderBuilder) -> DynamoDbLockProvider {
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
        Some(format!(
            "{}|{}|{}",
            self.place.table,
            self.is_observed,
            self.place.server.endpoint()
        ))
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
        match self.place.get(lock).await {
            None => Peek::Absent,
            Some(found) => Peek::Found(Stored {
                owner: found.get("lockedBy").and_then(|it| it.as_s().ok()).cloned(),
                record: format!("{:?}", found.into_iter().collect::<BTreeMap<_, _>>()),
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.place.delete(lock).await;
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let day = Duration::from_hours(24);
        let ended = text(&format_timestamp(SystemTime::now() - day));
        let jvm = item([
            ("_id", text(lock)),
            ("lockUntil", ended.clone()),
            ("lockedAt", ended),
            ("lockedBy", text("app.example")),
        ]);
        self.place.put(jvm).await;
        true
    }

    async fn remove_schema(&self) -> bool {
        self.place.delete_table().await;
        true
    }

    async fn restore_schema(&self) {
        let node = self.place.node();
        node.ensure_schema().await.expect("can be created");
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn restart(&self) -> bool {
        if !self.is_alone {
            return false;
        }
        self.place.server.kill().await;
        self.place.server.restart().await;
        true
    }

    async fn broken(&self) -> Vec<Broken> {
        let nobody = built(builder_for("http://127.0.0.1:1", "locks"));
        let elsewhere = built(self.builder("web").table("elsewhere"));
        vec![
            Broken::new("no server", Arc::new(nobody), ErrorKind::Unavailable).hiding("s3cret"),
            Broken::new("no table", Arc::new(elsewhere), ErrorKind::Schema)
                .mentioning("ensure_schema"),
        ]
    }
}

async fn in_another_process(address: String, node: String) -> Arc<dyn LockProvider> {
    let parts: Vec<_> = address.splitn(3, '|').collect();
    let [table, is_observed, endpoint] = parts[..] else {
        panic!("`{address}` has three parts");
    };
    let mut builder = builder_for(endpoint, table).node_name(&node);
    if is_observed == "true" {
        builder = builder.expiry_by_observation();
    }
    let connected = builder.connect().await;
    Arc::new(connected.expect("the server is there"))
}

shedlock_testkit::conformance!(
    dynoxide_url,
    Subject::new(Via::Url, Which::Dynoxide),
    processes = in_another_process
);
shedlock_testkit::conformance!(
    dynalite_url,
    Subject::new(Via::Url, Which::Dynalite),
    processes = in_another_process
);
shedlock_testkit::conformance!(
    dynalite_client_observed,
    Subject::observed(Via::Client, Which::Dynalite),
    processes = in_another_process
);

/// Cases that restart the server.
macro_rules! restarted {
    ($($server:ident $which:ident;)*) => {$(
        mod $server {
            use shedlock_testkit::conformance::{fencing, healing, run};

            use super::{Subject, Which};

            #[test]
            fn the_next_call_works() {
                let name = concat!(stringify!($server), "::the_next_call_works");
                run(name, Subject::alone(Which::$which), healing::a_restarted_store);
            }

            #[test]
            fn tokens_go_on_growing() {
                let name = concat!(stringify!($server), "::tokens_go_on_growing");
                run(name, Subject::alone(Which::$which), fencing::survives_a_restart);
            }
        }
    )*};
}

restarted! {
    dynoxide_restarted Dynoxide;
    dynalite_restarted Dynalite;
}
