//! The record of a lock as an entry of a key-value bucket, in the format of JVM nodes.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::RawMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shedlock_runtime::{
    LockError, LockRecord, NameEncoding, RecordStore, Snapshot, Written, async_trait,
};

use crate::connection::{Answer, Connection};
use crate::error;

const OWNER: &str = "Shedlock-Owner";
const LOCKED_AT: &str = "Shedlock-At";
const TOKEN: &str = "Shedlock-Token";
const OPERATION: &str = "KV-Operation";
/// The header of the marker that the server leaves in place of an entry that the server itself removed.
const MARKER_REASON: &str = "Nats-Marker-Reason";
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
/// The header with the id of a write, which distinguishes a repeated write from the writes of other nodes.
const WRITE: &str = "Shedlock-Write";

const KEYS: NameEncoding = NameEncoding::new('=', is_plain_or_dot);
const KEYS_WITHOUT_DOTS: NameEncoding = NameEncoding::new('=', is_plain);
/// The encoding of headers. JVM nodes cannot read a message with characters other than visible ASCII in a header.
const HEADERS: NameEncoding = NameEncoding::new('%', |c| c.is_ascii_graphic());

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_/".contains(c)
}

fn is_plain_or_dot(c: char) -> bool {
    is_plain(c) || c == '.'
}

/// The key of a lock. The dots of the name are not encoded where NATS allows dots.
fn key(name: &str) -> Cow<'_, str> {
    if name.split('.').any(str::is_empty) {
        KEYS_WITHOUT_DOTS.encode(name)
    } else {
        KEYS.encode(name)
    }
}

/// The name of the lock with the key `of_key`; `None` if this is not the key of a lock.
fn name(of_key: &str) -> Option<String> {
    let decoded = KEYS
        .decode(of_key)
        .or_else(|| KEYS_WITHOUT_DOTS.decode(of_key));
    decoded.filter(|name| key(name) == of_key)
}

/// The store of a provider, which is one bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) connection: Connection,
    pub(crate) name: String,
    pub(crate) replicas: usize,
}

/// The answer to `STREAM.MSG.GET`.
#[derive(Deserialize)]
struct Got {
    message: RawMessage,
}

/// The part of the answer to `STREAM.INFO` with a filter that is needed here.
#[derive(Deserialize)]
struct Subjects {
    #[serde(default)]
    total: usize,
    state: State,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    subjects: Option<serde_json::Map<String, Value>>,
}

impl Bucket {
    fn subject(&self, name: &str) -> String {
        format!("$KV.{}.{}", self.name, key(name))
    }

    /// Sends a request about the bucket to JetStream. Returns the answer or the error of JetStream.
    pub(crate) async fn api<T: DeserializeOwned>(
        &self,
        verb: &str,
        body: &Value,
    ) -> Result<Result<T, jetstream::Error>, LockError> {
        let subject = format!("$JS.API.{verb}.KV_{}", self.name);
        let body = body.to_string().into_bytes();
        let asked = self.connection.ask(&subject, HeaderMap::new(), body);
        let answer = asked.await?.message.ok_or_else(error::no_jetstream)?;
        self.parse(&answer.payload)
    }

    fn parse<T: DeserializeOwned>(
        &self,
        answer: &[u8],
    ) -> Result<Result<T, jetstream::Error>, LockError> {
        match serde_json::from_slice(answer) {
            Ok(Response::Ok(answer)) => Ok(Ok(answer)),
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(problem) => Err(error::illegible(&self.name).with_source(problem)),
        }
    }

    pub(crate) fn refused(&self, error: jetstream::Error) -> LockError {
        error::refused(&self.name, error)
    }

    /// Replaces the entry with the sequence `expected` by a new entry.
    async fn swap(
        &self,
        name: &str,
        mut headers: HeaderMap,
        value: Vec<u8>,
        expected: u64,
    ) -> Result<Written<u64>, LockError> {
        let id = self.connection.client().await?.new_inbox();
        headers.insert(EXPECTED, expected.to_string());
        headers.insert(WRITE, &*id);
        let subject = self.subject(name);
        let answer = self.connection.ask(&subject, headers, value).await?;
        let written = self.written(name, &id, &answer).await;
        if answer.is_repeated {
            return written.map_err(error::in_doubt);
        }
        written
    }

    /// Interprets the answer to a write.
    async fn written(
        &self,
        name: &str,
        id: &str,
        answer: &Answer,
    ) -> Result<Written<u64>, LockError> {
        let Some(message) = &answer.message else {
            // A read fails with the cause: there is no bucket, or no JetStream.
            self.last(name).await?;
            return Err(error::no_leader(&self.name));
        };
        match self.parse::<PublishAck>(&message.payload)? {
            Ok(ack) => Ok(Written::Done(ack.sequence)),
            Err(error) if !is_conflict(&error) => Err(self.refused(error)),
            Err(_) if answer.is_repeated => self.find(name, id).await,
            Err(_) => Ok(Written::Conflict),
        }
    }

    /// Checks whether the last write is the write with this id, for a write that was repeated because its answer got lost.
    async fn find(&self, name: &str, id: &str) -> Result<Written<u64>, LockError> {
        let last = self.last(name).await?;
        let ours = last.filter(|it| header(it, WRITE) == Some(id));
        Ok(ours.map_or(Written::Conflict, |it| Written::Done(it.sequence)))
    }

    /// The last message with the lock's key. Read from the leader, because a replica may be out of date.
    async fn last(&self, name: &str) -> Result<Option<StreamMessage>, LockError> {
        let last = json!({ "last_by_subj": self.subject(name) });
        match self.api::<Got>("STREAM.MSG.GET", &last).await? {
            Ok(got) => {
                let message = StreamMessage::try_from(got.message);
                let message = message.map_err(|it| error::illegible(&self.name).with_source(it));
                message.map(Some)
            }
            Err(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }
}

fn header<'a>(message: &'a StreamMessage, name: &str) -> Option<&'a str> {
    message.headers.get(name).map(HeaderValue::as_str)
}

fn is_conflict(error: &jetstream::Error) -> bool {
    matches!(
        error.error_code(),
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
    )
}

fn millis(instant: SystemTime) -> u64 {
    let since_1970 = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

fn instant(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// The fields of a record that JVM nodes ignore, as headers.
fn headers(record: &LockRecord) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OWNER, &*HEADERS.encode(&record.locked_by));
    headers.insert(LOCKED_AT, millis(record.locked_at).to_string());
    headers.insert(TOKEN, record.fencing_token.to_string());
    headers
}

fn snapshot(message: &StreamMessage) -> Snapshot<u64> {
    let header = |name| header(message, name);
    let is_deleted = header(OPERATION).is_some_and(|operation| operation != "PUT");
    if is_deleted || header(MARKER_REASON).is_some() {
        return Snapshot::deleted(message.sequence);
    }
    let Ok(value) = <[u8; 8]>::try_from(&*message.payload) else {
        let found = message.payload.len();
        return Snapshot::unreadable(format!("not a lock's record: {found} bytes instead of 8"));
    };
    let Some(lock_until) = instant(u64::from_be_bytes(value)) else {
        return Snapshot::unreadable("not a lock's record: its end is no time");
    };
    let number = |name| header(name).and_then(|text| text.parse().ok());
    // A JVM node writes only the end of the lease, so the server's time of the write is used instead.
    let written_at = || SystemTime::from(message.time);
    let record = LockRecord::new(
        lock_until,
        number(LOCKED_AT)
            .and_then(instant)
            .unwrap_or_else(written_at),
        header(OWNER)
            .and_then(|owner| HEADERS.decode(owner))
            .unwrap_or_default(),
        number(TOKEN).unwrap_or(0),
    );
    Snapshot::record(record, message.sequence)
}

#[async_trait]
impl RecordStore for Bucket {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        let last = self.last(name).await?;
        Ok(last.as_ref().map_or_else(Snapshot::absent, snapshot))
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        let value = millis(record.lock_until).to_be_bytes().to_vec();
        let expected = expected.copied().unwrap_or(0);
        self.swap(name, headers(record), value, expected).await
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        let deleted = self.swap(name, headers, Vec::new(), *expected).await?;
        Ok(match deleted {
            Written::Done(_) => Written::Done(()),
            Written::Conflict => Written::Conflict,
        })
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let before_key = format!("$KV.{}.", self.name);
        let (mut names, mut offset) = (Vec::new(), 0);
        loop {
            let page = json!({ "subjects_filter": format!("{before_key}>"), "offset": offset });
            let answer = self.api::<Subjects>("STREAM.INFO", &page).await?;
            let page = answer.map_err(|error| self.refused(error))?;
            let subjects = page.state.subjects.unwrap_or_default();
            offset += subjects.len();
            let keys = subjects
                .keys()
                .filter_map(|it| it.strip_prefix(&before_key));
            names.extend(
                keys.filter_map(self::name)
                    .filter(|name| name.starts_with(prefix)),
            );
            if subjects.is_empty() || offset >= page.total {
                return Ok(names);
            }
        }
    }

    /// The sequence of the entry. Sequences always grow: a deletion leaves a marker with its own sequence, and the next entry gets a later
    /// one.
    fn revision(&self, version: &u64) -> Option<u64> {
        Some(*version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_jvm_nodes_can_have_are_their_own_keys() {
        for plain in ["mail", "nightly_report", "a.b/c-d", "0"] {
            assert_eq!(key(plain), plain);
        }
        assert_eq!(key("a:b"), "a=3Ab");
        assert_eq!(key(".a.b"), "=2Ea=2Eb");
        assert_eq!(key("a..b"), "a=2E=2Eb");
    }

    #[test]
    fn keys_read_back_and_no_other_key_is_taken_for_one() {
        for original in ["mail", "a.b", ".a", "a.", "a..b", "..", "ü =*>", "a=b"] {
            assert_eq!(name(&key(original)).as_deref(), Some(original));
        }
        for foreign in ["a=b", "a=2Eb", "a=61"] {
            assert_eq!(name(foreign), None, "{foreign}");
        }
    }
}
