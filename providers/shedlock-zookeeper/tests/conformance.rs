//! The conformance suite on a real server, with sessions of the provider's own and with a client of the user's.

#[path = "support/place.rs"]
mod place;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{ErrorKind, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, Stored};
use shedlock_testkit::servers::ZooKeeper;
use shedlock_testkit::{Proxy, Unavailable};
use shedlock_zookeeper::zookeeper_client::{Acls, Client, CreateMode};
use shedlock_zookeeper::{ZooKeeperLockProvider, ZooKeeperLockProviderBuilder};

use place::{Node, Place, data};

/// Where the providers of a test get their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Client,
    Url,
}

/// A path behind a proxy.
struct Subject {
    server: &'static ZooKeeper,
    place: Place,
    proxy: Proxy,
    via: Via,
}

impl Subject {
    async fn new(via: Via) -> Result<Self, Unavailable> {
        let server = ZooKeeper::shared().await?;
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

    async fn builder(&self, node: &str) -> ZooKeeperLockProviderBuilder {
        let address = self.proxy.address().to_string();
        let builder = match self.via {
            Via::Url => ZooKeeperLockProvider::builder_from_url(&format!("zookeeper://{address}")),
            Via::Client => {
                // The session outlives what a test does to the connection.
                let connector = Client::connector().with_session_timeout(Duration::from_secs(10));
                let connector = connector.with_connection_timeout(Duration::from_secs(2));
                let client = connector.connect(&address).await;
                ZooKeeperLockProvider::builder(client.expect("a client"))
            }
        };
        builder.path(&self.place.path).node_name(node)
    }

    async fn provider(&self, node: &str) -> Arc<ZooKeeperLockProvider> {
        let built = self.builder(node).await.build();
        Arc::new(built.expect("the options are valid"))
    }

    /// A node whose ACL grants all rights to the user `app`, and the others to read.
    async fn private(&self) -> String {
        let path = format!("{}-private", self.place.path);
        let connector = Client::connector().with_auth("digest", b"app:correct-horse");
        let servers = self.server.address().to_string();
        let client = connector.connect(&servers).await.expect("a session");
        let acl: Vec<_> = [Acls::creator_all(), Acls::anyone_read()]
            .iter()
            .flat_map(|acls| acls.iter().cloned())
            .collect();
        let options = CreateMode::Persistent.with_acls(Acls::from(&*acl));
        let made = client.mkdir(&path, &options).await;
        made.expect("the node can be created");
        path
    }

    fn of_user(&self, login: &str, path: &str) -> Arc<ZooKeeperLockProvider> {
        let url = format!("zookeeper://{login}{}", self.server.address());
        let builder = ZooKeeperLockProvider::builder_from_url(&url).path(path);
        Arc::new(builder.build().expect("the options are valid"))
    }
}

fn text(node: Option<&Node>) -> String {
    node.map_or_else(String::new, |node| {
        format!("{} {}", node.stat.mzxid, node.data)
    })
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
        Some(format!("{} {}", self.server.url(), self.place.path))
    }

    async fn peek(&self, lock: &str) -> Peek {
        let Some(node) = self.place.get(lock).await else {
            return Peek::Absent;
        };
        let owner = self.place.owner_node(lock).await;
        let record = owner
            .as_ref()
            .map(|owner| shedlock_runtime::LockRecord::from_json(&owner.data).expect("a record"));
        Peek::Found(Stored {
            owner: record.map(|record| record.locked_by),
            record: format!("{} {}", text(Some(&node)), text(owner.as_ref())),
        })
    }

    async fn delete(&self, lock: &str) -> bool {
        self.place.delete(lock).await
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        self.place.create(lock, &data(yesterday)).await
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    async fn broken(&self) -> Vec<Broken> {
        let private = self.private().await;
        let nobody =
            ZooKeeperLockProvider::builder_from_url("zookeeper://app:open-sesame@127.0.0.1:1");
        let nobody = nobody.build().expect("the options are valid");
        let rootless = format!("{}/nowhere", self.server.url());
        let rootless = ZooKeeperLockProvider::builder_from_url(&rootless).build();
        let rootless = rootless.expect("the options are valid");
        vec![
            Broken::new("a missing root", Arc::new(rootless), ErrorKind::Schema)
                .mentioning("create the node at the end of the URL"),
            Broken::new(
                "a wrong password",
                self.of_user("app:open-sesame@", &private),
                ErrorKind::Permission,
            )
            .mentioning(format!("CREATE below `{private}`"))
            .hiding("open-sesame"),
            Broken::new("no server", Arc::new(nobody), ErrorKind::Unavailable)
                .hiding("open-sesame"),
            Broken::new(
                "no login",
                self.of_user("", &private),
                ErrorKind::Permission,
            )
            .mentioning(format!("CREATE below `{private}`")),
        ]
    }
}

shedlock_testkit::conformance!(
    url,
    Subject::new(Via::Url),
    processes = async |address: String, node: String| {
        let (url, path) = address.split_once(' ').expect("a path");
        let builder = ZooKeeperLockProvider::builder_from_url(url).path(path);
        let provider = builder.node_name(&node).connect().await;
        Arc::new(provider.expect("ZooKeeper is there")) as Arc<dyn LockProvider>
    },
);
shedlock_testkit::conformance!(client, Subject::new(Via::Client));
