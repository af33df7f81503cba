//! What stands in Redis, byte by byte, and peers on the JVM: both of their modes, as raw commands.

use std::time::Duration;

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Redis;

/// As JVM nodes with `safeUpdate` send them, white space included.
const JVM_EXTEND: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then\n   return redis.call('pexpire', KEYS[1], ARGV[2])\nelse\n   return 0\nend\n";
const JVM_DELETE: &str = "if redis.call(\"get\",KEYS[1]) == ARGV[1] then\n    return redis.call(\"del\",KEYS[1])\nelse\n    return 0\nend\n";

/// A server with nothing in it, and a node of ours.
struct Place {
    server: Redis,
    node: RedisLockProvider,
}

/// A node on the JVM that has asked for a lock.
struct Jvm<'a> {
    server: &'a Redis,
    key: String,
    value: String,
}

impl Place {
    async fn new() -> Result<Self, shedlock_testkit::Unavailable> {
        let server = Redis::start().await?;
        let node = RedisLockProvider::builder_from_url(&server.url()).node_name("web-2");
        let node = node.build().expect("a valid URL");
        Ok(Self { server, node })
    }

    async fn lock(&self, name: &str, at_most: &str) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).expect("a legal configuration");
        self.node
            .try_lock(config)
            .await
            .expect("the server answers")
    }

    async fn held(&self, name: &str, at_most: &str) -> Lock {
        self.lock(name, at_most).await.expect("the lock is free")
    }

    async fn ask(&self, command: &[&str]) -> String {
        self.server.execute(command).await
    }

    async fn pttl(&self, key: &str) -> u64 {
        let answer = self.ask(&["PTTL", key]).await;
        answer.parse().expect("a time to live")
    }
}

impl<'a> Jvm<'a> {
    /// `SET NX PX`, the same in both modes: whether it was granted.
    async fn lock(place: &'a Place, name: &str, millis: &str) -> (Self, bool) {
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

    async fn extend(&self, millis: &str) -> bool {
        let set = ["SET", &self.key, &self.value, "XX", "PX", millis];
        self.server.execute(&set).await == "OK"
    }

    async fn unlock(&self) -> bool {
        self.server.execute(&["DEL", &self.key]).await == "1"
    }

    async fn extend_safely(&self, millis: &str) -> bool {
        let eval = ["EVAL", JVM_EXTEND, "1", &self.key, &self.value, millis];
        self.server.execute(&eval).await == "1"
    }

    async fn unlock_safely(&self) -> bool {
        let eval = ["EVAL", JVM_DELETE, "1", &self.key, &self.value];
        self.server.execute(&eval).await == "1"
    }

    async fn is_held(&self) -> bool {
        self.server.execute(&["GET", &self.key]).await == self.value
    }
}

/// The value with the digits of its time as `0` and those of its owner as `x`.
fn shape(value: &str) -> String {
    let (time, owner) = value.split_once('@').expect("a value");
    let (node, secret) = owner.split_once('#').expect("an owner of ours");
    let digits = |text: &str, as_what: &str| text.replace(|c: char| c.is_ascii_hexdigit(), as_what);
    let time = time.strip_prefix("ADDED:").expect("a value");
    format!("ADDED:{}@{node}#{}", digits(time, "0"), digits(secret, "x"))
}

#[tokio::test]
async fn values_are_as_jvm_nodes_write_them() {
    let place = server_or_skip!(Place::new().await);
    let key = "job-lock:default:n1";
    let secret = "x".repeat(32);
    let mut lock = place.held("n1", "30s").await;
    let taken = place.ask(&["GET", key]).await;
    assert_eq!(
        shape(&taken),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}")
    );
    assert!((29_000..=30_000).contains(&place.pttl(key).await));
    let keys = place.ask(&["KEYS", "*"]).await;
    let mut keys: Vec<&str> = keys.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, [key, "shedlock-fence:{job-lock:default:n1}"]);

    lock.extend("50s", "0s").await.expect("the lease is live");
    let extended = place.ask(&["GET", key]).await;
    assert_eq!(
        extended,
        format!("{taken}000000000002"),
        "the time stays, the write has a number"
    );
    assert!((49_000..=50_000).contains(&place.pttl(key).await));
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Ours
    );
    assert_eq!(place.ask(&["EXISTS", key]).await, "0");

    let config = LockConfiguration::new("n2", "30s").and_then(|config| config.with_at_least("10s"));
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("the server answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("the server answers");
    let kept = place.ask(&["GET", "job-lock:default:n2"]).await;
    assert_eq!(
        shape(&kept),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}xxxxxxxxxxxx")
    );
    assert!((8_000..=10_000).contains(&place.pttl("job-lock:default:n2").await));
}

#[tokio::test]
async fn prefix_and_environment_are_where_jvm_nodes_put_them() {
    let place = server_or_skip!(Place::new().await);
    let node = RedisLockProvider::builder_from_url(&place.server.url());
    let node = node
        .prefix("locks")
        .environment("prod")
        .build()
        .expect("a valid URL");
    let config = LockConfiguration::new("a:b {c} é", "30s").expect("a legal configuration");
    let _lock = node
        .try_lock(config)
        .await
        .expect("the server answers")
        .expect("it is free");
    assert_eq!(place.ask(&["EXISTS", "locks:prod:a:b {c} é"]).await, "1");
    assert_eq!(
        place
            .ask(&["EXISTS", "shedlock-fence:locks:prod:a:b {c} é"])
            .await,
        "1"
    );
}

#[tokio::test]
async fn a_token_is_greater_than_any_before_also_without_its_fence() {
    let place = server_or_skip!(Place::new().await);
    let mut last = None;
    for _ in 0..3 {
        let lock = place.held("n1", "30s").await;
        assert!(
            lock.fencing_token() > last,
            "{:?} after {last:?}",
            lock.fencing_token()
        );
        last = lock.fencing_token();
        place.ask(&["FLUSHALL"]).await;
    }
    // And where the server's clock was set back.
    let ahead = last.expect("there is one") + 1_000_000_000_000;
    let fence = "shedlock-fence:{job-lock:default:n1}";
    place
        .ask(&["HSET", fence, "token", &ahead.to_string()])
        .await;
    assert_eq!(
        place.held("n1", "30s").await.fencing_token(),
        Some(ahead + 1)
    );
    let stays: u64 = place.ask(&["TTL", fence]).await.parse().expect("seconds");
    assert!(
        (2_592_000..=2_592_030).contains(&stays),
        "30 days after the lease: {stays}"
    );
}

#[tokio::test]
async fn each_skips_what_the_other_holds() {
    let place = server_or_skip!(Place::new().await);
    let lock = place.held("n1", "30s").await;
    let (jvm, granted) = Jvm::lock(&place, "n1", "30000").await;
    assert!(!granted);
    assert!(!jvm.extend_safely("1").await && !jvm.unlock_safely().await);
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Ours
    );

    let (jvm, granted) = Jvm::lock(&place, "n1", "30000").await;
    assert!(granted);
    let config = LockConfiguration::new("n1", "30s").expect("a legal configuration");
    let refusal = place
        .node
        .lock(config)
        .await
        .expect("the server answers")
        .expect_err("it is held");
    assert_eq!(refusal.reason, SkipReason::Held);
    // The JVM's owner is the host with a random part of its own.
    assert!(
        refusal
            .node
            .as_deref()
            .is_some_and(|node| node.starts_with("app.example:")),
        "{refusal:?}"
    );
    assert!(
        refusal
            .remaining
            .is_some_and(|left| left > Duration::from_secs(25)),
        "{refusal:?}"
    );
    assert!(jvm.is_held().await);
    assert!(jvm.unlock_safely().await);
    assert!(place.lock("n1", "30s").await.is_some());
}

#[tokio::test]
async fn each_takes_over_what_the_other_let_run_out() {
    let place = server_or_skip!(Place::new().await);
    let (jvm, _) = Jvm::lock(&place, "n1", "300").await;
    let ours = loop {
        match place.lock("n1", "300ms").await {
            Some(lock) => break lock,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(!jvm.extend_safely("30000").await && !jvm.unlock_safely().await);
    let next = loop {
        match Jvm::lock(&place, "n1", "30000").await {
            (next, true) => break next,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!(
        ours.unlock().await.expect("the server answers"),
        Ownership::Lost
    );
    assert!(
        next.is_held().await,
        "a late release of ours touches nobody's lock"
    );
}

/// JVM nodes see a lock with a position as any other lock, and leave the position as it is. Nor do their runs count.
#[tokio::test]
async fn a_position_is_of_our_nodes_alone() {
    let place = server_or_skip!(Place::new().await);
    let config = LockConfiguration::new("n1", "30s").expect("a legal configuration");
    let step = |number| config.clone().with_step(number).expect("a legal step");
    let refused = async |config| {
        let answer = place.node.lock(config).await.expect("the server answers");
        answer.expect_err("it must not run").reason
    };
    let lock = place.node.try_lock(step(1)).await;
    let lock = lock.expect("the server answers").expect("it is free");
    let value = place.ask(&["GET", "job-lock:default:n1"]).await;
    let secret = "x".repeat(32);
    assert_eq!(
        shape(&value),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}")
    );
    assert!(!Jvm::lock(&place, "n1", "30000").await.1);
    assert_eq!(
        lock.complete().await.expect("the server answers"),
        Ownership::Ours
    );
    for safe in [true, false] {
        let (jvm, granted) = Jvm::lock(&place, "n1", "30000").await;
        assert!(granted);
        assert_eq!(refused(step(2)).await, SkipReason::Held);
        if safe {
            assert!(jvm.extend_safely("30000").await && jvm.unlock_safely().await);
        } else {
            assert!(jvm.extend("30000").await && jvm.unlock().await);
        }
    }
    assert_eq!(refused(step(1)).await, SkipReason::AlreadyRan);
    // What the JVM node ran is not known: step 2 may be its, and is run here.
    let lock = place.node.try_lock(step(2)).await;
    assert!(lock.expect("the server answers").is_some());
}

/// What only nodes with `safeUpdate` off can do, and what we make of it.
#[tokio::test]
async fn a_late_peer_without_safe_update_is_found_out() {
    let place = server_or_skip!(Place::new().await);
    let late = |name: &'static str| {
        let place = &place;
        async move {
            let (jvm, granted) = Jvm::lock(place, name, "1").await;
            assert!(granted);
            tokio::time::sleep(Duration::from_millis(20)).await;
            (jvm, place.held(name, "30s").await)
        }
    };
    // It deletes our lock: a third node may take it, and ours is told so when it asks.
    let (jvm, mut lock) = late("deleted").await;
    assert!(jvm.unlock().await);
    let lost = lock.extend("30s", "0s").await.expect_err("it is deleted");
    assert_eq!(lost.kind(), ErrorKind::Lost);
    assert_eq!(
        place.ask(&["EXISTS", &jvm.key]).await,
        "0",
        "an extension brings nothing back"
    );
    // It captures our lock: others go on skipping, and ours is told so.
    let (jvm, lock) = late("captured").await;
    assert!(jvm.extend("30000").await);
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Lost
    );
    assert!(jvm.is_held().await, "what it holds now is left to it");
}
