//! The messages of etcd's JSON gateway: questions as JSON, and the parts of the answers that locks need.
//!
//! Keys and values are in base64, and 64-bit numbers are texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Value, json};

/// One question to etcd.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    /// Whether the question may change something, so that a lost answer leaves a doubt.
    pub(crate) is_write: bool,
}

impl Question {
    /// Grants the lease `id`, which ends after `seconds` if nobody revokes it. etcd raises a time that is too short for it.
    pub(crate) fn grant(id: i64, seconds: u64) -> Self {
        let body = json!({ "ID": id.to_string(), "TTL": seconds.to_string() });
        Self::new("v3/lease/grant", body)
    }

    /// Ends the lease `id`, and with it deletes the keys under that lease.
    pub(crate) fn revoke(id: i64) -> Self {
        Self::new("v3/lease/revoke", json!({ "ID": id.to_string() }))
    }

    pub(crate) fn time_to_live(id: i64) -> Self {
        Self::new("v3/lease/timetolive", json!({ "ID": id.to_string() })).that_reads()
    }

    pub(crate) fn read(key: &str) -> Self {
        Self::new("v3/kv/range", json!({ "key": STANDARD.encode(key) })).that_reads()
    }

    /// Reads at most `limit` keys, from the key `from` to the last key that begins with `prefix`.
    pub(crate) fn page(from: &[u8], prefix: &str, limit: usize) -> Self {
        let body = json!({
            "key": STANDARD.encode(from),
            "range_end": STANDARD.encode(end_of(prefix.as_bytes())),
            "limit": limit.to_string(),
        });
        Self::new("v3/kv/range", body).that_reads()
    }

    pub(crate) fn log_in(user: &str, password: &str) -> Self {
        let body = json!({ "name": user, "password": password });
        Self::new("v3/auth/authenticate", body).that_reads()
    }

    pub(crate) fn new(path: &'static str, body: Value) -> Self {
        Self {
            path,
            body,
            is_write: true,
        }
    }

    fn that_reads(self) -> Self {
        Self {
            is_write: false,
            ..self
        }
    }
}

/// The first key after all keys that begin with `prefix`.
fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // etcd's sign for "to the last key".
    vec![0]
}

/// A key with its value.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Entry {
    #[serde(deserialize_with = "bytes")]
    pub(crate) key: Vec<u8>,
    /// etcd leaves out an empty value.
    #[serde(default, deserialize_with = "bytes")]
    pub(crate) value: Vec<u8>,
    /// The lease with which the key ends; zero for a key without a lease.
    #[serde(default, deserialize_with = "number")]
    pub(crate) lease: i64,
    /// The revision of the write that created the key.
    #[serde(deserialize_with = "number")]
    pub(crate) create_revision: i64,
    /// The revision of the last write of the key.
    #[serde(deserialize_with = "number")]
    pub(crate) mod_revision: i64,
}

/// The answer to [`Question::page`], and the part of a transaction's answer about one reading operation.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) kvs: Vec<Entry>,
    #[serde(default)]
    pub(crate) more: bool,
}

/// The answer to a [`Transaction`](crate::transaction::Transaction).
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Outcome {
    header: Header,
    /// Whether all comparisons held.
    #[serde(default)]
    pub(crate) succeeded: bool,
    #[serde(default)]
    responses: Vec<Response>,
}

#[derive(Debug, serde::Deserialize)]
struct Header {
    #[serde(deserialize_with = "number")]
    revision: i64,
}

#[derive(Debug, serde::Deserialize)]
struct Response {
    /// Only an operation that reads has such an answer.
    response_range: Option<Page>,
    /// Only an operation that puts has such an answer.
    response_put: Option<Put>,
}

#[derive(Debug, serde::Deserialize)]
struct Put {
    /// The key before, if there was one and the operation asked for it.
    prev_kv: Option<Entry>,
}

impl Outcome {
    /// The revision of the store after the transaction.
    pub(crate) fn revision(&self) -> Option<u64> {
        u64::try_from(self.header.revision).ok()
    }

    /// The key that the operation with this number has read, if there was such a key.
    pub(crate) fn entry(&mut self, number: usize) -> Option<Entry> {
        let page = self.responses.get_mut(number)?.response_range.take()?;
        page.kvs.into_iter().next()
    }

    /// The key that the operation with this number has replaced, if there was such a key.
    pub(crate) fn replaced(&mut self, number: usize) -> Option<Entry> {
        self.responses.get_mut(number)?.response_put.take()?.prev_kv
    }
}

/// The answer to [`Question::time_to_live`].
#[derive(Debug, serde::Deserialize)]
pub(crate) struct TimeToLive {
    /// The whole seconds that are left; negative for a lease that has ended.
    #[serde(default, rename = "TTL", deserialize_with = "number")]
    pub(crate) seconds: i64,
}

/// The answer to [`Question::log_in`].
#[derive(serde::Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) token: String,
}

/// An answer whose contents do not matter.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Done {}

/// The answer of etcd to a question that it refuses.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Status {
    /// The code of gRPC.
    pub(crate) code: u32,
    #[serde(default)]
    pub(crate) message: String,
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(D::Error::custom)
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_behind_its_last_key() {
        assert_eq!(end_of(b"shedlock:a:"), b"shedlock:a;");
        assert_eq!(end_of(b"a\xff"), b"b");
        assert_eq!(end_of(b"\xff\xff"), [0]);
        assert_eq!(end_of(b""), [0]);
    }

    #[test]
    fn a_transaction_reads_back_what_its_operations_found_and_replaced() {
        let answer = r#"{"header":{"revision":"9"},"responses":[{"response_range":{}},{"response_range":{"kvs":[
            {"key":"Zm9v","create_revision":"4","mod_revision":"7","version":"1","lease":"9223372036854775806"}]}},
            {"response_put":{"prev_kv":{"key":"Zm9v","create_revision":"4","mod_revision":"8","value":"YmFy"}}},{"response_put":{}}]}"#;
        let mut outcome: Outcome = serde_json::from_str(answer).unwrap();
        assert!(!outcome.succeeded);
        assert_eq!(outcome.revision(), Some(9));
        assert!(outcome.entry(0).is_none() && outcome.entry(2).is_none());
        let replaced = outcome.replaced(2).unwrap();
        assert_eq!(
            (replaced.value, replaced.mod_revision),
            (b"bar".to_vec(), 8)
        );
        assert!(outcome.replaced(3).is_none() && outcome.replaced(1).is_none());
        let entry = outcome.entry(1).unwrap();
        assert_eq!((entry.key, entry.value), (b"foo".to_vec(), Vec::new()));
        assert_eq!((entry.create_revision, entry.mod_revision), (4, 7));
        assert_eq!(entry.lease, i64::MAX - 1);
    }
}
