//! What stands in etcd, byte by byte, and a peer that sends what a JVM node sends, in its order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shedlock_etcd::{EtcdLockProvider, reqwest};
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProviderExt as _, Ownership, SkipReason,
    format_timestamp,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

/// A server with nothing in it, and a node of ours.
struct Place {
    server: Etcd,
    node: EtcdLockProvider,
    client: Client,
}

/// A client of etcd that knows nothing of locks.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
}

/// A key as it stands in etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    value: String,
    lease: String,
    version: String,
    create_revision: u64,
}

impl Client {
    /// The answer, or the message of the refusal.
    async fn ask(&self, path: &str, body: Value) -> Result<Value, String> {
        let request = self.http.post(format!("{}/v3/{path}", self.url));
        let response = request.body(body.to_string()).send().await;
        let response = response.expect("etcd answers");
        let is_done = response.status().is_success();
        let body = response.bytes().await.expect("the whole answer");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        if is_done {
            Ok(answer)
        } else {
            Err(answer["message"].to_string())
        }
    }

    async fn get(&self, key: &str) -> Option<Entry> {
        let range = json!({ "key": STANDARD.encode(key) });
        let answer = self.ask("kv/range", range).await.expect("may be read");
        let found = answer["kvs"].get(0)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        let value = STANDARD.decode(text("value")).expect("base64");
        Some(Entry {
            value: String::from_utf8(value).expect("UTF-8"),
            lease: text("lease"),
            version: text("version"),
            create_revision: text("create_revision").parse().expect("a number"),
        })
    }

    /// The seconds for which a lease was granted, and those that are left.
    async fn time_to_live(&self, lease: &str) -> (u64, u64) {
        let answer = self.ask("lease/timetolive", json!({ "ID": lease })).await;
        let answer = answer.expect("may be read");
        let number = |field: &str| {
            let text = answer[field].as_str().unwrap_or("0");
            text.parse().expect("a number")
        };
        (number("grantedTTL"), number("TTL"))
    }
}

/// A node on the JVM that has asked for a lock.
struct Jvm {
    client: Client,
    key: String,
    value: String,
    lease: String,
}

impl Jvm {
    /// Grants a lease, and puts the key under it if there is no such key; otherwise reads the key, and revokes the lease.
    async fn lock(client: &Client, name: &str, seconds: u64) -> Option<Self> {
        let now = format_timestamp(SystemTime::now());
        let jvm = Self {
            client: client.clone(),
            key: STANDARD.encode(format!("shedlock:default:{name}")),
            value: STANDARD.encode(format!("ADDED:{now}@app.example")),
            lease: grant(client, seconds).await,
        };
        let answer = jvm.client.ask("kv/txn", json!({
            "compare": [{ "key": jvm.key, "target": "VERSION", "result": "EQUAL", "version": "0" }],
            "success": [{ "request_put": { "key": jvm.key, "value": jvm.value, "lease": jvm.lease } }],
            "failure": [{ "request_range": { "key": jvm.key } }],
        }));
        if answer.await.expect("may be written")["succeeded"] == json!(true) {
            return Some(jvm);
        }
        jvm.unlock().await.expect("the lease is there");
        None
    }

    /// Revokes the lease, and with it the key.
    async fn unlock(&self) -> Result<(), String> {
        let revoked = self.client.ask("lease/revoke", json!({ "ID": self.lease }));
        revoked.await.map(drop)
    }

    /// Puts the key under a new lease for the rest of `at_least`, whoever has the key, and revokes the old lease.
    async fn unlock_within_at_least(&self, rest: u64) -> Result<(), String> {
        let lease = grant(&self.client, rest).await;
        let put = json!({ "key": self.key, "value": self.value, "lease": lease });
        self.client.ask("kv/put", put).await?;
        self.unlock().await
    }

    async fn has_the_key(&self) -> bool {
        let key = STANDARD.decode(&self.key).expect("base64");
        let key = String::from_utf8(key).expect("UTF-8");
        let found = self.client.get(&key).await;
        found.is_some_and(|entry| STANDARD.encode(entry.value) == self.value)
    }
}

async fn grant(client: &Client, seconds: u64) -> String {
    let granted = client.ask("lease/grant", json!({ "TTL": seconds.to_string() }));
    let granted = granted.await.expect("may be granted");
    granted["ID"].as_str().expect("an id").to_owned()
}

impl Place {
    async fn new() -> Result<Self, shedlock_testkit::Unavailable> {
        let server = Etcd::start().await?;
        let node = EtcdLockProvider::builder_from_url(&server.url()).node_name("web-2");
        let client = Client {
            http: reqwest::Client::new(),
            url: server.url(),
        };
        Ok(Self {
            node: node.build().expect("a valid URL"),
            server,
            client,
        })
    }

    async fn lock(&self, name: &str, at_most: &str) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).expect("a legal configuration");
        self.node.try_lock(config).await.expect("etcd answers")
    }

    async fn held(&self, name: &str, at_most: &str) -> Lock {
        self.lock(name, at_most).await.expect("the lock is free")
    }

    async fn found(&self, name: &str) -> Entry {
        let key = format!("shedlock:default:{name}");
        self.client.get(&key).await.expect("there is such a key")
    }

    /// Asks until the lock is granted, and says when.
    async fn held_when_free(&self, name: &str, at_most: &str) -> (Lock, Instant) {
        loop {
            match self.lock(name, at_most).await {
                Some(lock) => return (lock, Instant::now()),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn jvm_when_free(&self, name: &str, seconds: u64) -> (Jvm, Instant) {
        loop {
            match Jvm::lock(&self.client, name, seconds).await {
                Some(jvm) => return (jvm, Instant::now()),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
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
async fn keys_are_as_jvm_nodes_write_them() {
    let place = server_or_skip!(Place::new().await);
    let secret = "x".repeat(32);
    let mut lock = place.held("n1", "30s").await;
    let taken = place.found("n1").await;
    assert_eq!(
        shape(&taken.value),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}")
    );
    assert_eq!(taken.version, "1");
    let (granted, left) = place.client.time_to_live(&taken.lease).await;
    assert!(granted == 30 && left >= 28, "{granted} {left}");
    let keys = place
        .server
        .execute(&["get", "", "--prefix", "--keys-only"])
        .await;
    assert_eq!(keys.trim(), "shedlock:default:n1");

    lock.extend("50s", "0s").await.expect("the lease is live");
    let extended = place.found("n1").await;
    assert_eq!(
        extended.value,
        format!("{}000000000002", taken.value),
        "the time stays, the write has a number"
    );
    assert_eq!(place.client.time_to_live(&extended.lease).await.0, 50);
    assert_eq!(
        place.server.leases().await.len(),
        1,
        "the old lease has ended"
    );
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
    assert!(place.client.get("shedlock:default:n1").await.is_none());
    assert_eq!(place.server.leases().await, [""; 0]);

    let config = LockConfiguration::new("n2", "30s").and_then(|it| it.with_at_least("10s"));
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("etcd answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    let kept = place.found("n2").await;
    assert_eq!(
        shape(&kept.value),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}xxxxxxxxxxxx")
    );
    assert_eq!(kept.version, "2", "the same key, put once more");
    let (granted, left) = place.client.time_to_live(&kept.lease).await;
    assert!((9..=10).contains(&granted) && left >= 7, "{granted} {left}");
}

/// Whole seconds, and never less than was asked for.
#[tokio::test]
async fn leases_are_rounded_up() {
    let place = server_or_skip!(Place::new().await);
    for (at_most, seconds) in [("2s", 2), ("2001ms", 3), ("2500ms", 3), ("1h", 3600)] {
        let lock = place.held("n1", at_most).await;
        let lease = place.found("n1").await.lease;
        assert_eq!(
            place.client.time_to_live(&lease).await.0,
            seconds,
            "{at_most}"
        );
        lock.unlock().await.expect("etcd answers");
    }
    let config = LockConfiguration::new("n1", "1999ms").expect("a legal configuration");
    let short = place.node.try_lock(config).await.expect_err("etcd cannot");
    assert_eq!(short.kind(), ErrorKind::InvalidDuration);
    // What etcd makes longer stays taken for longer, and ends all the same.
    let config = LockConfiguration::new("n1", "10s").and_then(|it| it.with_at_least("300ms"));
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("etcd answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    let lease = place.found("n1").await.lease;
    assert_eq!(place.client.time_to_live(&lease).await.0, 2);
}

#[tokio::test]
async fn prefix_and_environment_are_where_jvm_nodes_put_them() {
    let place = server_or_skip!(Place::new().await);
    let node = EtcdLockProvider::builder_from_url(&place.server.url());
    let node = node.prefix("locks").environment("prod").build();
    let config = LockConfiguration::new("a:b/c é", "30s").and_then(|it| it.with_step(1));
    let lock = node
        .expect("a valid URL")
        .try_lock(config.expect("legal"))
        .await;
    let lock = lock.expect("etcd answers").expect("it is free");
    assert!(place.client.get("locks:prod:a:b/c é").await.is_some());
    lock.complete().await.expect("etcd answers");
    let position = place.client.get("locks-position:prod:a:b/c é").await;
    let position = position.expect("there is a position");
    let value: Value = serde_json::from_str(&position.value).expect("JSON");
    assert_eq!(
        (&value["number"], &value["done"], &value["tries"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert_eq!(position.lease, "", "it does not end by itself");
}

#[tokio::test]
async fn tokens_are_revisions_of_the_store() {
    let place = server_or_skip!(Place::new().await);
    let mut last = None;
    for _ in 0..3 {
        let mut lock = place.held("n1", "30s").await;
        let token = lock.fencing_token();
        assert_eq!(token, Some(place.found("n1").await.create_revision));
        assert!(token > last, "{token:?} after {last:?}");
        lock.extend("50s", "0s").await.expect("the lease is live");
        assert_eq!(token, Some(place.found("n1").await.create_revision));
        last = token;
        lock.unlock().await.expect("etcd answers");
    }
}

#[tokio::test]
async fn each_skips_what_the_other_holds() {
    let place = server_or_skip!(Place::new().await);
    let lock = place.held("n1", "30s").await;
    assert!(Jvm::lock(&place.client, "n1", 30).await.is_none());
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);

    let jvm = Jvm::lock(&place.client, "n1", 30)
        .await
        .expect("it is free");
    let config = LockConfiguration::new("n1", "30s").expect("a legal configuration");
    let refusal = place.node.lock(config).await.expect("etcd answers");
    let refusal = refusal.expect_err("it is held");
    assert_eq!(refusal.reason, SkipReason::Held);
    assert_eq!(refusal.node.as_deref(), Some("app.example"));
    assert!(jvm.has_the_key().await);
    jvm.unlock().await.expect("the lease is there");
    assert!(place.lock("n1", "30s").await.is_some());
}

#[tokio::test]
async fn each_respects_the_others_at_least() {
    let place = server_or_skip!(Place::new().await);
    let kept = Duration::from_secs(3);
    let config = LockConfiguration::new("n1", "30s").and_then(|it| it.with_at_least(kept));
    let began = Instant::now();
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("etcd answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    let (jvm, granted) = place.jvm_when_free("n1", 30).await;
    assert!(granted - began >= kept, "{:?}", granted - began);

    let began = Instant::now();
    jvm.unlock_within_at_least(3)
        .await
        .expect("its lease is there");
    let (_lock, granted) = place.held_when_free("n1", "30s").await;
    assert!(granted - began >= kept, "{:?}", granted - began);
}

#[tokio::test]
async fn each_takes_over_what_the_other_let_run_out() {
    let place = server_or_skip!(Place::new().await);
    let began = Instant::now();
    let jvm = Jvm::lock(&place.client, "n1", 2).await.expect("it is free");
    let (ours, granted) = place.held_when_free("n1", "2s").await;
    assert!(granted - began >= Duration::from_secs(2));
    // Its late unlock fails, and touches nothing of ours.
    let before = place.found("n1").await;
    let refused = jvm.unlock().await.expect_err("its lease has ended");
    assert!(refused.contains("requested lease not found"), "{refused}");
    assert_eq!(place.found("n1").await, before);

    let (next, _) = place.jvm_when_free("n1", 30).await;
    assert_eq!(ours.unlock().await.expect("etcd answers"), Ownership::Lost);
    assert!(
        next.has_the_key().await,
        "a late release of ours touches nobody's lock"
    );
}

/// What only a JVM node does, and what we make of it.
#[tokio::test]
async fn a_late_unlock_within_at_least_is_found_out() {
    let place = server_or_skip!(Place::new().await);
    let jvm = Jvm::lock(&place.client, "n1", 2).await.expect("it is free");
    let (mut lock, _) = place.held_when_free("n1", "30s").await;
    // It puts its own value over ours, and fails only behind that.
    jvm.unlock_within_at_least(30)
        .await
        .expect_err("its lease has ended");
    assert!(jvm.has_the_key().await);
    let lost = lock.extend("30s", "0s").await.expect_err("it is captured");
    assert_eq!(lost.kind(), ErrorKind::Lost);
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Lost);
    assert!(jvm.has_the_key().await, "what it holds now is left to it");
    assert_eq!(place.server.leases().await.len(), 1, "and no lease of ours");
}

/// Four of ours and four of theirs on one lock: nobody is ever in twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_contenders_never_overlap() {
    const WANTED: usize = 2_000;
    let place = Arc::new(server_or_skip!(Place::new().await));
    let inside = Arc::new(AtomicUsize::new(0));
    let ours = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::new(AtomicUsize::new(0));
    let contenders = (0..8).map(|number| {
        let (place, inside) = (Arc::clone(&place), Arc::clone(&inside));
        let (ours, theirs) = (Arc::clone(&ours), Arc::clone(&theirs));
        let own_node = EtcdLockProvider::builder_from_url(&place.server.url());
        let own_node = own_node.build().expect("a valid URL");
        tokio::spawn(async move {
            let body = async || {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
            };
            while ours.load(Ordering::Relaxed) + theirs.load(Ordering::Relaxed) < WANTED {
                if number % 2 == 0 {
                    let config = LockConfiguration::new("fuzz", "10m").expect("legal");
                    let lock = own_node.try_lock(config).await.expect("etcd answers");
                    if let Some(mut lock) = lock {
                        body().await;
                        if ours.fetch_add(1, Ordering::Relaxed) % 7 == 0 {
                            lock.extend("10m", "0s").await.expect("the lease is live");
                            body().await;
                        }
                        assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
                    }
                } else if let Some(jvm) = Jvm::lock(&place.client, "fuzz", 600).await {
                    body().await;
                    theirs.fetch_add(1, Ordering::Relaxed);
                    jvm.unlock().await.expect("its lease is there");
                }
            }
        })
    });
    for contender in contenders.collect::<Vec<_>>() {
        contender.await.expect("nobody overlaps");
    }
    let (ours, theirs) = (ours.load(Ordering::Relaxed), theirs.load(Ordering::Relaxed));
    assert!(
        ours > 100 && theirs > 100,
        "{ours} and {theirs}: one side never had a chance"
    );
    assert_eq!(place.server.leases().await, [""; 0]);
}
