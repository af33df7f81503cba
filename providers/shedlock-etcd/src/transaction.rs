//! Transactions of etcd, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::messages::Question;

/// A transaction: if all comparisons hold, etcd carries out the operations of `then`, and otherwise those of `or_else`, in one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transaction {
    conditions: Vec<Value>,
    then: Vec<Value>,
    or_else: Vec<Value>,
}

impl Transaction {
    pub(crate) fn if_absent(mut self, key: &str) -> Self {
        let (key, version) = (STANDARD.encode(key), "0");
        self.conditions.push(
            json!({ "key": key, "target": "VERSION", "result": "EQUAL", "version": version }),
        );
        self
    }

    /// The last write of `key` has the revision `revision`, which is zero for a key that does not exist.
    pub(crate) fn if_unchanged(mut self, key: &str, revision: i64) -> Self {
        let (key, revision) = (STANDARD.encode(key), revision.to_string());
        self.conditions.push(
            json!({ "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision }),
        );
        self
    }

    /// The value of `key` is `value`. A key that does not exist has no value.
    pub(crate) fn if_value(mut self, key: &str, value: &str) -> Self {
        let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
        self.conditions
            .push(json!({ "key": key, "target": "VALUE", "result": "EQUAL", "value": value }));
        self
    }

    /// The value of `key` is greater than `lower` and less than `upper`, in the order of bytes. A key that does not exist has no value.
    pub(crate) fn if_between(mut self, key: &str, lower: &str, upper: &str) -> Self {
        for (result, value) in [("GREATER", lower), ("LESS", upper)] {
            let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
            self.conditions
                .push(json!({ "key": key, "target": "VALUE", "result": result, "value": value }));
        }
        self
    }

    /// Puts `value` under the lease `lease`; zero means that the key never ends.
    pub(crate) fn then_put(self, key: &str, value: &str, lease: i64) -> Self {
        self.put(key, value, lease, false)
    }

    /// Puts `value` under no lease, and answers with the key that was there before.
    pub(crate) fn then_replace(self, key: &str, value: &str) -> Self {
        self.put(key, value, 0, true)
    }

    fn put(mut self, key: &str, value: &str, lease: i64, asks_for_key_before: bool) -> Self {
        let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
        let put = json!({
            "key": key,
            "value": value,
            "lease": lease.to_string(),
            "prev_kv": asks_for_key_before,
        });
        self.then.push(json!({ "request_put": put }));
        self
    }

    pub(crate) fn then_delete(mut self, key: &str) -> Self {
        let delete = json!({ "key": STANDARD.encode(key) });
        self.then.push(json!({ "request_delete_range": delete }));
        self
    }

    pub(crate) fn otherwise_read(mut self, key: &str) -> Self {
        self.or_else.push(read(key));
        self
    }

    pub(crate) fn then_read(mut self, key: &str) -> Self {
        self.then.push(read(key));
        self
    }

    pub(crate) fn question(&self) -> Question {
        let body =
            json!({ "compare": self.conditions, "success": self.then, "failure": self.or_else });
        Question {
            is_write: !self.conditions.is_empty(),
            ..Question::new("v3/kv/txn", body)
        }
    }
}

fn read(key: &str) -> Value {
    json!({ "request_range": { "key": STANDARD.encode(key) } })
}
