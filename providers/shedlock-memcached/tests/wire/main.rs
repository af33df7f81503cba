//! What stands in Memcached, byte by byte, and peers on the JVM, as the commands that they send.

mod fuzz;
mod peers;
mod values;

use std::time::{Duration, Instant, SystemTime};

use shedlock_memcached::MemcachedLockProvider;
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _, format_timestamp};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::Memcached;

/// A server with nothing in it, and a node of ours.
pub(crate) struct Place {
    pub(crate) server: Memcached,
    pub(crate) node: MemcachedLockProvider,
}

impl Place {
    pub(crate) async fn new() -> Result<Self, Unavailable> {
        let server = Memcached::start().await?;
        let node = MemcachedLockProvider::builder(&server.url()).node_name("web-2");
        let node = node.build().expect("a valid URL");
        Ok(Self { server, node })
    }

    pub(crate) async fn lock(&self, name: &str, at_most: &str) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).expect("a legal configuration");
        let answer = self.node.try_lock(config).await;
        answer.expect("the server answers")
    }

    pub(crate) async fn held(&self, name: &str, at_most: &str) -> Lock {
        self.lock(name, at_most).await.expect("the lock is free")
    }

    /// The item under the key of the lock `name`: its value, and its time to live in seconds.
    pub(crate) async fn item(&self, name: &str) -> Option<(String, i64)> {
        let asked = format!("mg shedlock:default:{name} v t f\r\n");
        let answer = self.server.execute(&asked).await;
        let (head, value) = answer.split_once("\r\n").expect("a line");
        if head == "EN" {
            return None;
        }
        let parts: Vec<&str> = head.split(' ').collect();
        let [_, _, ttl, "f0"] = parts[..] else {
            panic!("JVM nodes store texts with the flags 0: {head}");
        };
        let ttl = ttl.strip_prefix('t').expect("a time to live");
        let value = value.strip_suffix("\r\n").expect("a value");
        Some((value.to_owned(), ttl.parse().expect("a number")))
    }
}

/// A node on the JVM that holds a lock: ShedLock 7 over spymemcached, command by command.
pub(crate) struct Jvm {
    server: Memcached,
    key: String,
    value: String,
    taken: Instant,
}

impl Jvm {
    /// `add`, for so many whole seconds as are left of the lease when the command is sent: the fraction is cut off, and nothing left of it means
    /// for ever.
    pub(crate) async fn lock(server: &Memcached, name: &str, at_most: Duration) -> Option<Self> {
        let taken = Instant::now();
        let jvm = Self {
            server: server.clone(),
            key: format!("shedlock:default:{name}"),
            value: format!("ADDED:{}@app.example", format_timestamp(SystemTime::now())),
            taken,
        };
        let seconds = at_most.saturating_sub(taken.elapsed()).as_secs();
        match &*jvm.store("add", seconds).await {
            "STORED\r\n" => Some(jvm),
            "NOT_STORED\r\n" => None,
            other => panic!("a JVM node takes this for an error: {other}"),
        }
    }

    /// `delete`, or `replace` as long as a whole second is left of `at_least`. Nothing is compared. Whether the server had the key: if it had
    /// not, a JVM node throws a `LockException`.
    pub(crate) async fn unlock(&self, at_least: Duration) -> bool {
        let left = at_least.saturating_sub(self.taken.elapsed()).as_secs();
        if left > 0 {
            return self.store("replace", left).await == "STORED\r\n";
        }
        let delete = format!("delete {}\r\n", self.key);
        self.server.execute(&delete).await == "DELETED\r\n"
    }

    async fn store(&self, command: &str, seconds: u64) -> String {
        let (key, value) = (&self.key, &self.value);
        let store = format!("{command} {key} 0 {seconds} {}\r\n{value}\r\n", value.len());
        self.server.execute(&store).await
    }
}
