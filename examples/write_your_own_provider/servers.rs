//! Three toy servers in this process. Each does one request at a time, and has a clock of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A server that keeps a `T`. A clone is another connection to the same server.
#[derive(Default)]
pub(crate) struct Server<T>(Arc<Mutex<T>>);

impl<T> Clone for Server<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// What it keeps is not printed: owners have a secret.
impl<T> fmt::Debug for Server<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl<T> Server<T> {
    /// Sends a request, and waits for its answer.
    pub(crate) async fn ask<R>(&self, request: impl FnOnce(&mut T, SystemTime) -> R) -> R {
        // On the way there and on the way back, others are served.
        tokio::task::yield_now().await;
        let answer = self.now(request);
        tokio::task::yield_now().await;
        answer
    }

    /// A look at the server's memory, for tests.
    pub(crate) fn now<R>(&self, look: impl FnOnce(&mut T, SystemTime) -> R) -> R {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut kept, SystemTime::now())
    }
}

/// A cache: keys with a time to live in whole seconds, and a number for each write.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: BTreeMap<String, (CacheEntry, SystemTime)>,
    writes: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct CacheEntry {
    pub(crate) value: String,
    pub(crate) write: u64,
    /// What is left of the time to live.
    pub(crate) ttl: Duration,
}

impl Cache {
    pub(crate) fn get(&mut self, key: &str, now: SystemTime) -> Option<CacheEntry> {
        self.entries.retain(|_, (_, ends)| *ends > now);
        let (entry, ends) = self.entries.get(key)?;
        let ttl = ends.duration_since(now).unwrap_or_default();
        Some(CacheEntry {
            ttl,
            ..entry.clone()
        })
    }

    /// Writes `value` for so many `seconds` if the last write was number `expected`, which is 0 for a key that is not there.
    pub(crate) fn set(
        &mut self,
        key: &str,
        (value, seconds): (&str, u64),
        expected: u64,
        now: SystemTime,
    ) -> Result<u64, Option<CacheEntry>> {
        let found = self.get(key, now);
        if found.as_ref().map_or(0, |entry| entry.write) != expected {
            return Err(found);
        }
        self.writes += 1;
        let ttl = Duration::from_secs(seconds);
        let (value, write) = (value.to_owned(), self.writes);
        let entry = CacheEntry { value, write, ttl };
        self.entries.insert(key.to_owned(), (entry, now + ttl));
        Ok(self.writes)
    }

    pub(crate) fn delete(&mut self, key: &str, expected: u64, now: SystemTime) -> bool {
        let is_as_expected = self
            .get(key, now)
            .is_some_and(|entry| entry.write == expected);
        is_as_expected && self.entries.remove(key).is_some()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }
}

/// A database that runs scripts: rows by key, and a counter that never goes back.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    pub(crate) rows: BTreeMap<String, Row>,
    pub(crate) counter: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) until: SystemTime,
    pub(crate) since: SystemTime,
    pub(crate) owner: String,
    pub(crate) token: u64,
}

impl Row {
    pub(crate) fn new((since, until): (SystemTime, SystemTime), owner: String, token: u64) -> Self {
        Self {
            until,
            since,
            owner,
            token,
        }
    }
}

/// A store of texts, each with the number of the write that made it.
#[derive(Debug, Default)]
pub(crate) struct Revisions {
    pub(crate) texts: BTreeMap<String, (String, u64)>,
    last: u64,
}

impl Revisions {
    /// Writes `text`, or deletes it, if the last write was number `expected`, which is 0 for a key that is not there.
    pub(crate) fn swap(&mut self, key: &str, text: Option<String>, expected: u64) -> Option<u64> {
        let found = self.texts.get(key).map_or(0, |(_, revision)| *revision);
        if found != expected {
            return None;
        }
        self.last += 1;
        match text {
            Some(text) => drop(self.texts.insert(key.to_owned(), (text, self.last))),
            None => drop(self.texts.remove(key)),
        }
        Some(self.last)
    }
}
