//! What stands in Redis, byte by byte, and peers on the JVM: both of their modes, as raw commands.

mod fuzz;
mod peers;
mod values;

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _};
use shedlock_testkit::servers::Redis;

/// As JVM nodes with `safeUpdate` send them, white space included.
const JVM_EXTEND: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then\n   return redis.call('pexpire', KEYS[1], ARGV[2])\nelse\n   return 0\nend\n";
pub(crate) const JVM_DELETE: &str = "if redis.call(\"get\",KEYS[1]) == ARGV[1] then\n    return redis.call(\"del\",KEYS[1])\nelse\n    return 0\nend\n";

/// A server with nothing in it, and a node of ours.
pub(crate) struct Place {
    pub(crate) server: Redis,
    pub(crate) node: RedisLockProvider,
}

/// A node on the JVM that has asked for a lock.
pub(crate) struct Jvm<'a> {
    server: &'a Redis,
    pub(crate) key: String,
    value: String,
}

impl Place {
    pub(crate) async fn new() -> Result<Self, shedlock_testkit::Unavailable> {
        let server = Redis::start().await?;
        let node = RedisLockProvider::builder_from_url(&server.url()).node_name("web-2");
        let node = node.build().expect("a valid URL");
        Ok(Self { server, node })
    }

    pub(crate) async fn lock(&self, name: &str, at_most: &str) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).expect("a legal configuration");
        self.node
            .try_lock(config)
            .await
            .expect("the server answers")
    }

    pub(crate) async fn held(&self, name: &str, at_most: &str) -> Lock {
        self.lock(name, at_most).await.expect("the lock is free")
    }

    pub(crate) async fn ask(&self, command: &[&str]) -> String {
        self.server.execute(command).await
    }

    pub(crate) async fn pttl(&self, key: &str) -> u64 {
        let answer = self.ask(&["PTTL", key]).await;
        answer.parse().expect("a time to live")
    }
}

impl<'a> Jvm<'a> {
    /// `SET NX PX`, the same in both modes: whether it was granted.
    pub(crate) async fn lock(place: &'a Place, name: &str, millis: &str) -> (Self, bool) {
        let jvm = Self {
            server: &place.server,
            key: format!("job-lock:default:{name}"),
            value: format!(
                "ADDED:2026-11-28T10:41:11.355Z@app.example:db68e6ca-8c6f-42ce-b43f-{:012x}",
                fastrand::u64(..1 << 48)
            ),
        };
        let set = ["SET", &jvm.key, &jvm.value, "NX", "PX", millis];
        let granted = jvm.server.execute(&set).await == "OK";
        (jvm, granted)
    }

    pub(crate) async fn extend(&self, millis: &str) -> bool {
        let set = ["SET", &self.key, &self.value, "XX", "PX", millis];
        self.server.execute(&set).await == "OK"
    }

    pub(crate) async fn unlock(&self) -> bool {
        self.server.execute(&["DEL", &self.key]).await == "1"
    }

    pub(crate) async fn extend_safely(&self, millis: &str) -> bool {
        let eval = ["EVAL", JVM_EXTEND, "1", &self.key, &self.value, millis];
        self.server.execute(&eval).await == "1"
    }

    pub(crate) async fn unlock_safely(&self) -> bool {
        let eval = ["EVAL", JVM_DELETE, "1", &self.key, &self.value];
        self.server.execute(&eval).await == "1"
    }

    pub(crate) async fn is_held(&self) -> bool {
        self.server.execute(&["GET", &self.key]).await == self.value
    }
}

/// The value with the digits of its time as `0` and those of its owner as `x`.
pub(crate) fn shape(value: &str) -> String {
    let (time, owner) = value.split_once('@').expect("a value");
    let (node, secret) = owner.split_once('#').expect("an owner of ours");
    let digits = |text: &str, as_what: &str| text.replace(|c: char| c.is_ascii_hexdigit(), as_what);
    let time = time.strip_prefix("ADDED:").expect("a value");
    format!("ADDED:{}@{node}#{}", digits(time, "0"), digits(secret, "x"))
}
