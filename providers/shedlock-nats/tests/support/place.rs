//! A bucket for one test, and requests to it past the provider.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use async_nats::jetstream::response::Response;
use serde_json::{Value, json};
use shedlock_nats::{NatsLockProvider, NatsLockProviderBuilder, async_nats};
use shedlock_testkit::servers::Nats;

/// A bucket that no other test has.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) bucket: String,
    pub(crate) client: async_nats::Client,
}

/// An entry as it lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) sequence: u64,
    pub(crate) headers: Vec<(String, String)>,
}

impl Entry {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.header("KV-Operation") == Some("DEL")
    }

    /// The end of the lease, as a JVM node reads it.
    pub(crate) fn lock_until(&self) -> SystemTime {
        let value = <[u8; 8]>::try_from(&*self.value).expect("8 bytes");
        UNIX_EPOCH + Duration::from_millis(u64::from_be_bytes(value))
    }
}

impl Place {
    /// A name for a bucket of the shared server, which has none yet.
    pub(crate) async fn without_bucket(server: &Nats) -> Self {
        Self::at(&server.url()).await
    }

    /// A bucket that the provider has made.
    pub(crate) async fn new(server: &Nats) -> Self {
        let place = Self::without_bucket(server).await;
        place.make().await;
        place
    }

    pub(crate) async fn at(url: &str) -> Self {
        let servers: Vec<_> = url.split(',').map(str::to_owned).collect();
        let client = async_nats::connect(servers).await.expect("NATS is there");
        let unique = client.new_inbox().replace(['.', '_'], "");
        Self {
            url: url.to_owned(),
            bucket: format!("b-{unique}"),
            client,
        }
    }

    pub(crate) fn builder(&self) -> NatsLockProviderBuilder {
        NatsLockProvider::builder_from_url(&self.url).bucket(&self.bucket)
    }

    pub(crate) fn provider(&self) -> NatsLockProvider {
        self.builder().build().expect("the options are valid")
    }

    pub(crate) async fn make(&self) {
        let made = self.provider().ensure_bucket().await;
        made.expect("the bucket can be made");
    }

    /// Makes the bucket with these options in place of the usual.
    pub(crate) async fn make_with(&self, options: Value) {
        let mut config = json!({
            "name": format!("KV_{}", self.bucket),
            "subjects": [format!("$KV.{}.>", self.bucket)],
            "max_msgs_per_subject": 1, "discard": "new", "storage": "file", "num_replicas": 1,
        });
        let config = config.as_object_mut().expect("an object");
        config.extend(options.as_object().expect("an object").clone());
        let answer = self.api("STREAM.CREATE", &json!(config)).await;
        assert!(answer.get("error").is_none(), "{answer}");
    }

    pub(crate) async fn remove(&self) {
        self.api("STREAM.DELETE", &json!({})).await;
    }

    /// JetStream's answer to a request about the bucket.
    pub(crate) async fn api(&self, verb: &str, body: &Value) -> Value {
        let subject = format!("$JS.API.{verb}.KV_{}", self.bucket);
        let asked = self.client.request(subject, body.to_string().into());
        let answer = asked.await.expect("NATS answers");
        serde_json::from_slice(&answer.payload).expect("JSON")
    }

    /// The entry with this key as a JVM node reads it, by a direct get.
    pub(crate) async fn get(&self, key: &str) -> Option<Entry> {
        let subject = format!("$JS.API.DIRECT.GET.KV_{0}.$KV.{0}.{key}", self.bucket);
        let asked = self.client.request(subject, "".into());
        let message = asked.await.expect("NATS answers");
        if message.status.is_some() {
            return None;
        }
        let headers = message.headers.unwrap_or_default();
        let sequence = headers.get("Nats-Sequence").expect("a sequence").as_str();
        Some(Entry {
            value: message.payload.to_vec(),
            sequence: sequence.parse().expect("a number"),
            headers: pairs(&headers),
        })
    }

    /// Puts an entry with this header.
    pub(crate) async fn put_with(&self, key: &str, value: &[u8], header: (&str, &str)) {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1);
        let subject = format!("$KV.{}.{key}", self.bucket);
        let value = value.to_vec().into();
        let asked = self.client.request_with_headers(subject, headers, value);
        asked.await.expect("NATS answers");
    }

    /// Puts an entry, on condition of the last one's sequence if there is a condition; whether it was done.
    pub(crate) async fn put(
        &self,
        key: &str,
        value: &[u8],
        operation: Option<&str>,
        expected: Option<u64>,
    ) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(operation) = operation {
            headers.insert("KV-Operation", operation);
        }
        if let Some(expected) = expected {
            headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string());
        }
        let subject = format!("$KV.{}.{key}", self.bucket);
        let value = value.to_vec().into();
        let asked = self.client.request_with_headers(subject, headers, value);
        let answer = asked.await.expect("NATS answers");
        let answer = serde_json::from_slice(&answer.payload).expect("JSON");
        match answer {
            Response::Ok::<Value>(_) => true,
            Response::Err { error } => {
                assert_eq!(error.error_code().0, 10071, "{error}");
                false
            }
        }
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let ours = |name: &str| !name.starts_with("Nats-");
    let mut pairs: Vec<_> = headers
        .iter()
        .filter(|(name, _)| ours(name.as_ref()))
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| (name.to_string(), value.to_string()))
        })
        .collect();
    pairs.sort();
    pairs
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
