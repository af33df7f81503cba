//! Reads and conditional writes of the entries of a bucket.

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::RawMessage;
use async_nats::jetstream::{self, ErrorCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shedlock_runtime::{LockError, LockRecord, RecordStore, Snapshot, Written, async_trait};

use crate::connection::{Answer, Connection};
use crate::entry::{self, header};
use crate::error;

const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
/// The header with the id of a write, which distinguishes a repeated write from the writes of other nodes.
const WRITE: &str = "Shedlock-Write";

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

/// The answer to `STREAM.PURGE`.
#[derive(Deserialize)]
struct Purged {
    /// How many messages were removed.
    #[serde(default)]
    purged: u64,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    subjects: Option<serde_json::Map<String, Value>>,
}

impl Bucket {
    fn subject(&self, name: &str) -> String {
        format!("$KV.{}.{}", self.name, entry::key(name))
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

fn is_conflict(error: &jetstream::Error) -> bool {
    matches!(
        error.error_code(),
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
    )
}

#[async_trait]
impl RecordStore for Bucket {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        let last = self.last(name).await?;
        Ok(last.as_ref().map_or_else(Snapshot::absent, entry::snapshot))
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        let (headers, value) = (entry::headers(record), entry::value(record));
        let expected = expected.copied().unwrap_or(0);
        self.swap(name, headers, value, expected).await
    }

    /// Removes the entry and leaves no marker. Each claim of a text has a name of its own, so markers would be more and more, and fill the
    /// bucket until it takes no locks. An entry that was written since `expected` has a later sequence, and stays.
    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        let up_to = expected.saturating_add(1);
        let purge = json!({ "filter": self.subject(name), "seq": up_to });
        let answer = self.api::<Purged>("STREAM.PURGE", &purge).await?;
        let removed = answer.map_err(|error| self.refused(error))?.purged;
        Ok(if removed > 0 {
            Written::Done(())
        } else {
            Written::Conflict
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
                keys.filter_map(entry::name)
                    .filter(|name| name.starts_with(prefix)),
            );
            if subjects.is_empty() || offset >= page.total {
                return Ok(names);
            }
        }
    }

    /// The sequence of the entry. Sequences always grow: the stream counts on over what was removed.
    fn revision(&self, version: &u64) -> Option<u64> {
        Some(*version)
    }
}
