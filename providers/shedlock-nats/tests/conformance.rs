//! The conformance suite on a real server, with a connection of the provider's own and with a client of the user's.

#[path = "support/place.rs"]
mod place;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_nats::{NatsLockProvider, NatsLockProviderBuilder, async_nats};
use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored};
use shedlock_testkit::servers::Nats;
use shedlock_testkit::{Proxy, Unavailable};

use place::{Place, hex};

/// Where the providers of a test get their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Client,
    Url,
}

/// A bucket behind a proxy.
struct Subject {
    server: &'static Nats,
    place: Place,
    proxy: Proxy,
    via: Via,
}

impl Subject {
    async fn new(via: Via) -> Result<Self, Unavailable> {
        let server = Nats::shared().await?;
        let proxy = Proxy::start(server.address())
            .await
            .expect("a port is free");
        let place = Place::new(server).await;
        Ok(Self {
            server,
            place,
            proxy,
            via,
        })
    }

    async fn builder(&self, node: &str) -> NatsLockProviderBuilder {
        let url = format!("nats://{}", self.proxy.address());
        let builder = match self.via {
            Via::Url => NatsLockProvider::builder_from_url(&url),
            Via::Client => {
                let options = async_nats::ConnectOptions::new().ignore_discovered_servers();
                let client = options.retry_on_initial_connect().connect(url).await;
                NatsLockProvider::builder(client.expect("a client"))
            }
        };
        builder.bucket(&self.place.bucket).node_name(node)
    }

    async fn provider(&self, node: &str) -> Arc<NatsLockProvider> {
        Arc::new(
            self.builder(node)
                .await
                .build()
                .expect("the options are valid"),
        )
    }

    fn of_user(&self, user: &str, password: &str) -> Arc<NatsLockProvider> {
        let builder = NatsLockProvider::builder_from_url(&self.server.url_of(user, password));
        let built = builder.bucket(&self.place.bucket).build();
        Arc::new(built.expect("the options are valid"))
    }
}

#[async_trait]
impl Harness for Subject {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        self.provider(name).await
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(self.provider(name).await)
    }

    fn address(&self) -> Option<String> {
        Some(format!("{}/{}", self.server.url(), self.place.bucket))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.place.get(lock).await {
            Some(entry) if !entry.is_deleted() => Peek::Found(Stored {
                owner: entry.header("Shedlock-Owner").map(str::to_owned),
                record: format!("{} {:?}", hex(&entry.value), entry.headers),
            }),
            _ => Peek::Absent,
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.place.put(lock, &[], Some("DEL"), None).await
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        let millis = yesterday
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_millis();
        let value = u64::try_from(millis).expect("before the year 500 million");
        self.place.put(lock, &value.to_be_bytes(), None, None).await
    }

    async fn remove_schema(&self) -> bool {
        self.place.remove().await;
        true
    }

    async fn restore_schema(&self) {
        self.place.make().await;
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn broken(&self) -> Vec<Broken> {
        let nowhere = self.builder("n").await.bucket("nowhere").build();
        let nobody =
            NatsLockProvider::builder_from_url("nats://app:open-sesame@127.0.0.1:1").build();
        let missing = Broken::new(
            "a missing bucket",
            Arc::new(nowhere.expect("valid")),
            ErrorKind::Schema,
        );
        let login = self.of_user("app", "open-sesame");
        let reader = self.of_user("reader", "correct-horse");
        vec![
            missing
                .mentioning("`nowhere` does not exist")
                .mentioning("nats kv add nowhere --history=1 --storage=file"),
            Broken::new("a wrong password", login, ErrorKind::Configuration).hiding("open-sesame"),
            Broken::new(
                "no server",
                Arc::new(nobody.expect("valid")),
                ErrorKind::Unavailable,
            )
            .hiding("open-sesame"),
            Broken::new("a user who may only read", reader, ErrorKind::Permission)
                .mentioning(format!("publish to `$KV.{}.", self.place.bucket))
                .hiding("correct-horse"),
        ]
    }
}

shedlock_testkit::conformance!(
    url,
    Subject::new(Via::Url),
    processes = async |address: String, node: String| {
        let (url, bucket) = address.rsplit_once('/').expect("a bucket");
        let builder = NatsLockProvider::builder_from_url(url).bucket(bucket);
        let provider = builder.node_name(&node).connect().await;
        Arc::new(provider.expect("NATS is there")) as Arc<dyn LockProvider>
    },
);
shedlock_testkit::conformance!(client, Subject::new(Via::Client));
