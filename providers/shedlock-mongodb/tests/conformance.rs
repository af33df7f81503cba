//! The conformance suite, with each way to connect and with each clock that can decide.

#[path = "support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mongodb::Client;
use mongodb::bson::{DateTime, doc};
use shedlock_mongodb::{MongoLockProvider, MongoLockProviderBuilder, mongodb};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored, WrongClock};
use shedlock_testkit::servers::Mongo;
use shedlock_testkit::{Proxy, Unavailable};

use place::{Deciding, Place, decided_by};

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
}

impl Subject {
    async fn new(via: Via, deciding: Deciding) -> Result<Self, Unavailable> {
        Self::at(Place::new(deciding).await?, via, false).await
    }

    /// A case whose server is its own.
    async fn alone(deciding: Deciding) -> Result<Self, Unavailable> {
        Self::at(Place::alone(deciding).await?, Via::Url, true).await
    }

    async fn at(place: Place, via: Via, is_alone: bool) -> Result<Self, Unavailable> {
        let proxy = Proxy::start(place.server.address()).await;
        Ok(Self {
            place,
            proxy: proxy.expect("a port is free"),
            via,
            is_alone,
        })
    }

    async fn builder(&self, name: &str) -> MongoLockProviderBuilder {
        let url = self.proxy.url(&self.place.url());
        let builder = match self.via {
            Via::Url => MongoLockProvider::builder_from_url(&url),
            Via::Client => {
                let client = Client::with_uri_str(url).await.expect("a valid URL");
                MongoLockProvider::builder(client.database(self.place.database.name()))
            }
        };
        decided_by(self.place.deciding, builder).node_name(name)
    }
}

fn built(builder: MongoLockProviderBuilder) -> MongoLockProvider {
    builder.build().expect("the options are valid")
}

#[async_trait]
impl Harness for Subject {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        Arc::new(built(self.builder(name).await))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(built(self.builder(name).await)))
    }

    fn address(&self) -> Option<String> {
        Some(format!("{:?}|{}", self.place.deciding, self.place.url()))
    }

    async fn node_with_wrong_clock(
        &self,
        name: &str,
        ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        let builder = self.builder(name).await.time_source(WrongClock { ahead });
        Some(Arc::new(built(builder)))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.place.get(lock).await {
            None => Peek::Absent,
            Some(document) => Peek::Found(Stored {
                owner: document.get_str("lockedBy").ok().map(str::to_owned),
                record: document.to_string(),
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.place.delete(lock).await;
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let day = Duration::from_secs(24 * 60 * 60);
        let ended = DateTime::from_system_time(SystemTime::now() - day);
        let jvm =
            doc! { "_id": lock, "lockUntil": ended, "lockedAt": ended, "lockedBy": "app.example" };
        self.place.put(jvm).await;
        true
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn restart(&self) -> bool {
        if !self.is_alone {
            return false;
        }
        let server = &self.place.server;
        server.kill().await.expect("the server runs");
        server.restart().await.expect("the server comes back");
        true
    }

    async fn broken(&self) -> Vec<Broken> {
        let nowhere = "mongodb://app:s3cret@127.0.0.1:1/app?directConnection=true";
        let builder = MongoLockProvider::builder_from_url(nowhere);
        let nobody = built(decided_by(self.place.deciding, builder));
        let mut broken = vec![
            Broken::new("no server", Arc::new(nobody), ErrorKind::Unavailable).hiding("s3cret"),
        ];
        if let Ok(server) = Mongo::shared_without_pipelines().await {
            let builder = MongoLockProvider::builder_from_url(&server.url("app"));
            let what = "a server that is not MongoDB";
            let other = Arc::new(built(builder));
            broken.push(
                Broken::new(what, other, ErrorKind::Indeterminate).mentioning("client_clock()"),
            );
        }
        broken
    }
}

async fn in_another_process(address: String, node: String) -> Arc<dyn LockProvider> {
    let (deciding, url) = address.split_once('|').expect("both are in the address");
    let builder = MongoLockProvider::builder_from_url(url).node_name(&node);
    let builder = match deciding {
        "Server" => builder,
        _ => builder.client_clock(),
    };
    let connected = builder.connect().await;
    Arc::new(connected.expect("the server is there"))
}

shedlock_testkit::conformance!(
    mongo_url,
    Subject::new(Via::Url, Deciding::Server),
    processes = in_another_process
);
shedlock_testkit::conformance!(mongo_client, Subject::new(Via::Client, Deciding::Server));
shedlock_testkit::conformance!(
    client_clock_url,
    Subject::new(Via::Url, Deciding::Client),
    processes = in_another_process
);
shedlock_testkit::conformance!(
    client_clock_client,
    Subject::new(Via::Client, Deciding::Client)
);

/// Cases that restart the server, which loses its data.
mod restarted {
    use shedlock_testkit::conformance::{fencing, healing, run};

    use super::{Deciding, Subject};

    #[test]
    fn the_next_call_works() {
        let case = healing::a_restarted_store;
        let subject = Subject::alone(Deciding::Server);
        run("restarted::the_next_call_works", subject, case);
    }

    #[test]
    fn the_next_call_works_by_the_clients_clock() {
        let case = healing::a_restarted_store;
        let name = "restarted::the_next_call_works_by_the_clients_clock";
        run(name, Subject::alone(Deciding::Client), case);
    }

    #[test]
    fn tokens_go_on_growing() {
        let case = fencing::survives_a_restart;
        let subject = Subject::alone(Deciding::Server);
        run("restarted::tokens_go_on_growing", subject, case);
    }
}
