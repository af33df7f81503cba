//! A path for one test, and requests about the nodes below it past the provider.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use shedlock_runtime::{format_timestamp, parse_timestamp};
use shedlock_testkit::servers::ZooKeeper;
use shedlock_zookeeper::zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error, Stat};
use shedlock_zookeeper::{ZooKeeperLockProvider, ZooKeeperLockProviderBuilder};

/// A path that no other test has.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) path: String,
    pub(crate) client: Client,
}

/// A node as it is in ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) data: String,
    pub(crate) stat: Stat,
}

impl Node {
    /// The end of the lease, as a JVM node reads it.
    pub(crate) fn lock_until(&self) -> SystemTime {
        parse_timestamp(&self.data).expect("a time")
    }
}

pub(crate) const OPEN_ACLS: Acls<'static> = Acls::anyone_all();
pub(crate) const OPEN: CreateOptions<'static> = CreateMode::Persistent.with_acls(OPEN_ACLS);

impl Place {
    pub(crate) async fn new(server: &ZooKeeper) -> Self {
        Self::at(&server.url()).await
    }

    pub(crate) async fn at(url: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let servers = url.strip_prefix("zookeeper://").expect("a URL");
        let client = Client::connect(servers).await.expect("ZooKeeper is there");
        Self {
            url: url.to_owned(),
            path: format!("/test-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            client,
        }
    }

    pub(crate) fn builder(&self) -> ZooKeeperLockProviderBuilder {
        ZooKeeperLockProvider::builder_from_url(&self.url).path(&self.path)
    }

    pub(crate) fn provider(&self) -> ZooKeeperLockProvider {
        self.builder().build().expect("the options are valid")
    }

    /// The node with this path below the place's.
    pub(crate) async fn get(&self, name: &str) -> Option<Node> {
        let read = self.client.get_data(&format!("{}/{name}", self.path)).await;
        match read {
            Ok((data, stat)) => {
                let data = String::from_utf8(data).expect("text");
                Some(Node { data, stat })
            }
            Err(Error::NoNode) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What this crate keeps of the lock `name` besides the node that JVM nodes know.
    pub(crate) async fn owner_node(&self, name: &str) -> Option<Node> {
        let hidden = format!("{}/.rust", self.path);
        for shard in self.client.list_children(&hidden).await.unwrap_or_default() {
            if let Some(node) = self.get(&format!(".rust/{shard}/{name}")).await {
                return Some(node);
            }
        }
        None
    }

    /// Creates a node and its parents as Curator does.
    pub(crate) async fn create(&self, name: &str, data: &str) -> bool {
        let path = format!("{}/{name}", self.path);
        let (parent, _) = path.rsplit_once('/').expect("an absolute path");
        let made = self.client.mkdir(parent, &OPEN).await;
        made.expect("the parents can be created");
        match self.client.create(&path, data.as_bytes(), &OPEN).await {
            Ok(_) => true,
            Err(Error::NodeExists) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets the data of a node; whether the node had the version, if there is one to have.
    pub(crate) async fn set(&self, name: &str, data: &str, version: Option<i32>) -> bool {
        let path = format!("{}/{name}", self.path);
        match self.client.set_data(&path, data.as_bytes(), version).await {
            Ok(_) => true,
            Err(Error::BadVersion) => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn delete(&self, name: &str) -> bool {
        let path = format!("{}/{name}", self.path);
        self.client.delete(&path, None).await.is_ok()
    }

    /// Deletes all nodes of the place.
    pub(crate) async fn remove(&self) {
        let mut paths = vec![self.path.clone()];
        let mut next = 0;
        while let Some(path) = paths.get(next).cloned() {
            let children = self.client.list_children(&path).await.unwrap_or_default();
            paths.extend(children.iter().map(|child| format!("{path}/{child}")));
            next += 1;
        }
        for path in paths.iter().rev() {
            let deleted = self.client.delete(path, None).await;
            deleted.expect("the node is there");
        }
    }
}

/// An instant as JVM nodes write it.
pub(crate) fn data(instant: SystemTime) -> String {
    format_timestamp(instant)
}
