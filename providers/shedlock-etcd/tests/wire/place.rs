//! A server with a node of ours, a client that knows nothing of locks, and a peer that sends what a JVM node sends, in its order.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shedlock_etcd::{EtcdLockProvider, reqwest};
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _, format_timestamp};
use shedlock_testkit::servers::Etcd;

/// A server with nothing in it, and a node of ours.
pub(crate) struct Place {
    pub(crate) server: Etcd,
    pub(crate) node: EtcdLockProvider,
    pub(crate) client: Client,
}

/// A client of etcd that knows nothing of locks.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
}

/// A key as it stands in etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: String,
    pub(crate) lease: String,
    pub(crate) version: String,
    pub(crate) create_revision: u64,
}

impl Client {
    /// The answer, or the message of the refusal.
    pub(crate) async fn ask(&self, path: &str, body: Value) -> Result<Value, String> {
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

    pub(crate) async fn get(&self, key: &str) -> Option<Entry> {
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
    pub(crate) async fn time_to_live(&self, lease: &str) -> (u64, u64) {
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
pub(crate) struct Jvm {
    client: Client,
    key: String,
    value: String,
    lease: String,
}

impl Jvm {
    /// Grants a lease, and puts the key under it if there is no such key; otherwise reads the key, and revokes the lease.
    pub(crate) async fn lock(client: &Client, name: &str, seconds: u64) -> Option<Self> {
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
    pub(crate) async fn unlock(&self) -> Result<(), String> {
        let revoked = self.client.ask("lease/revoke", json!({ "ID": self.lease }));
        revoked.await.map(drop)
    }

    /// Puts the key under a new lease for the rest of `at_least`, whoever has the key, and revokes the old lease.
    pub(crate) async fn unlock_within_at_least(&self, rest: u64) -> Result<(), String> {
        let lease = grant(&self.client, rest).await;
        let put = json!({ "key": self.key, "value": self.value, "lease": lease });
        self.client.ask("kv/put", put).await?;
        self.unlock().await
    }

    pub(crate) async fn has_the_key(&self) -> bool {
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
    pub(crate) async fn new() -> Result<Self, shedlock_testkit::Unavailable> {
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

    pub(crate) async fn lock(&self, name: &str, at_most: &str) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).expect("a legal configuration");
        self.node.try_lock(config).await.expect("etcd answers")
    }

    pub(crate) async fn held(&self, name: &str, at_most: &str) -> Lock {
        self.lock(name, at_most).await.expect("the lock is free")
    }

    pub(crate) async fn found(&self, name: &str) -> Entry {
        let key = format!("shedlock:default:{name}");
        self.client.get(&key).await.expect("there is such a key")
    }

    /// Asks until the lock is granted, and says when.
    pub(crate) async fn held_when_free(&self, name: &str, at_most: &str) -> (Lock, Instant) {
        loop {
            match self.lock(name, at_most).await {
                Some(lock) => return (lock, Instant::now()),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    pub(crate) async fn jvm_when_free(&self, name: &str, seconds: u64) -> (Jvm, Instant) {
        loop {
            match Jvm::lock(&self.client, name, seconds).await {
                Some(jvm) => return (jvm, Instant::now()),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}
