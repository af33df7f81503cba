//! The documents of a collection as records that are compared and swapped.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use shedlock_runtime::{LockError, LockRecord, Position, RecordStore, Snapshot, Written};

use crate::connection::{Answer, Connection};
use crate::document;
use crate::error;
use crate::fields::{FENCING_TOKEN, Fields, IS_DONE, NOW, NUMBER, POSITION, TRIES};
use crate::pipeline::{self, Command};

/// The store of a provider, which is one collection.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) connection: Connection,
    pub(crate) fields: Fields,
    /// Whether the server's clock decides, or the client's.
    pub(crate) asks_time: bool,
}

/// A document as last seen. Two different states of one lock never agree in end, owner, token and position: each write of a Rust node has an
/// owner of its own, what a JVM node writes differs in the end, since the JVM node takes the lock only after the last end, and between two
/// marks of operators that agree in both there was an acquisition.
#[derive(Clone)]
pub(crate) struct Version {
    lock_until: SystemTime,
    locked_by: String,
    fencing_token: u64,
    position: Option<Position>,
}

// The owner contains a secret.
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version(..)")
    }
}

impl Version {
    fn of(record: &LockRecord) -> Self {
        Self {
            lock_until: record.lock_until,
            locked_by: record.locked_by.clone(),
            fencing_token: record.fencing_token,
            position: record.position,
        }
    }
}

impl Documents {
    /// Carries out one command. The answer is the document afterwards. It is `None` if there is no document that the command is about, or
    /// if a document of another program, or one that was made this moment, has the lock's name.
    pub(crate) async fn decide(
        &self,
        command: &Command,
    ) -> Result<Answer<Option<Document>>, LockError> {
        let projection = pipeline::projection(&self.fields);
        let projection = &projection;
        let request = |collection: Collection<Document>| async move {
            let decided = collection
                .find_one_and_update(command.filter.clone(), command.update.clone())
                .upsert(command.is_upsert)
                .projection(projection.clone())
                .return_document(ReturnDocument::After)
                .await;
            match decided {
                Err(error) if error::is_duplicate(&error) => Ok(None),
                decided => decided,
            }
        };
        self.connection.ask(request).await
    }

    /// The document of a lock, with the server's time if that decides.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Document>, LockError> {
        let request = |collection: Collection<Document>| async move {
            let stages = self.reading(doc! { "_id": name });
            collection.aggregate(stages).await?.try_next().await
        };
        Ok(self.connection.ask(request).await?.value)
    }

    /// The server's time.
    async fn time(&self) -> Result<SystemTime, LockError> {
        let request = |collection: Collection<Document>| async move {
            let admin = collection.client().database("admin");
            admin.run_command(doc! { "hello": 1 }).await
        };
        let hello = self.connection.ask(request).await?.value;
        let time = hello
            .get_datetime("localTime")
            .map(|it| it.to_system_time());
        time.map_err(|_absent| error::without_time())
    }

    /// The stages of a read, with the server's time if that decides.
    fn reading(&self, filter: Document) -> Vec<Document> {
        let mut stages = vec![doc! { "$match": filter }, doc! { "$sort": { "_id": 1 } }];
        if self.asks_time {
            stages.push(doc! { "$addFields": { NOW: "$$NOW" } });
        }
        stages
    }

    fn snapshot(&self, document: &Document) -> Snapshot<Version> {
        let snapshot = match document::parse(document, &self.fields) {
            Ok(record) => {
                let version = Version::of(&record);
                Snapshot::record(record, version)
            }
            Err(problem) => Snapshot::unreadable(problem),
        };
        match document::now(document) {
            Some(now) => snapshot.at(now),
            None => snapshot,
        }
    }

    /// The filter that finds the document in this state alone.
    fn in_version(&self, name: &str, version: &Version) -> Document {
        let mut filter = doc! {
            "_id": name,
            &self.fields.lock_until: document::date(version.lock_until),
            &self.fields.locked_by: &version.locked_by,
        };
        // What was read as zero may be missing, or of another type.
        let position = version.position.unwrap_or(Position {
            number: 0,
            is_done: false,
            tries: 0,
        });
        for (field, number) in [
            (FENCING_TOKEN.to_owned(), version.fencing_token),
            (format!("{POSITION}.{NUMBER}"), position.number),
            (format!("{POSITION}.{TRIES}"), u64::from(position.tries)),
        ] {
            if number > 0 {
                filter.insert(field, document::long(number));
            }
        }
        if position.is_done {
            filter.insert(format!("{POSITION}.{IS_DONE}"), true);
        }
        filter
    }
}

#[async_trait]
impl RecordStore for Documents {
    type Version = Version;

    async fn read(&self, name: &str) -> Result<Snapshot<Version>, LockError> {
        match self.find(name).await? {
            Some(document) => Ok(self.snapshot(&document)),
            // No document, no time in it.
            None if self.asks_time => Ok(Snapshot::absent().at(self.time().await?)),
            None => Ok(Snapshot::absent()),
        }
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Version>,
    ) -> Result<Written<Version>, LockError> {
        let changes = document::format(record, &self.fields);
        let is_written = if let Some(version) = expected {
            let filter = &self.in_version(name, version);
            let update = &doc! { "$set": changes };
            let request = |collection: Collection<Document>| async move {
                collection.update_one(filter.clone(), update.clone()).await
            };
            self.connection.ask(request).await?.value.matched_count > 0
        } else {
            let mut document = doc! { "_id": name };
            document.extend(changes);
            let document = &document;
            let request = |collection: Collection<Document>| async move {
                match collection.insert_one(document).await {
                    Err(error) if error::is_duplicate(&error) => Ok(false),
                    inserted => inserted.map(|_| true),
                }
            };
            self.connection.ask(request).await?.value
        };
        Ok(if is_written {
            Written::Done(Version::of(record))
        } else {
            Written::Conflict
        })
    }

    async fn delete(&self, name: &str, expected: &Version) -> Result<Written<()>, LockError> {
        let filter = &self.in_version(name, expected);
        let request = |collection: Collection<Document>| async move {
            collection.delete_one(filter.clone()).await
        };
        let deleted = self.connection.ask(request).await?.value;
        Ok(if deleted.deleted_count > 0 {
            Written::Done(())
        } else {
            Written::Conflict
        })
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let all = self.list(prefix).await?;
        Ok(all.into_iter().map(|(name, _)| name).collect())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, Snapshot<Version>)>, LockError> {
        let names = doc! { "_id": { "$type": "string", "$gte": prefix } };
        let stages = &self.reading(names);
        let request = |collection: Collection<Document>| async move {
            collection.aggregate(stages.clone()).await
        };
        let mut found = self.connection.ask(request).await?.value;
        let mut all = Vec::new();
        while let Some(document) = found
            .try_next()
            .await
            .map_err(|error| error::failed(&error))?
        {
            match document.get_str("_id") {
                Ok(name) if name.starts_with(prefix) => {
                    all.push((name.to_owned(), self.snapshot(&document)));
                }
                // Sorted: no later name begins with the prefix.
                _ => break,
            }
        }
        Ok(all)
    }

    fn lists_contents(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use mongodb::options::ConnectionString;

    use super::*;

    #[test]
    fn a_state_is_told_from_another_with_the_same_end_and_owner() {
        let url = ConnectionString::parse("mongodb://localhost/app").unwrap();
        let documents = Documents {
            connection: Connection::to(url, "app".to_owned(), "shedLock".to_owned()),
            fields: Fields::default(),
            asks_time: false,
        };
        let filter = |token, position| {
            let mut record = LockRecord::new(UNIX_EPOCH, UNIX_EPOCH, "mark".to_owned(), token);
            record.position = position;
            documents.in_version("job", &Version::of(&record))
        };
        let position = |number, is_done, tries| {
            Some(Position {
                number,
                is_done,
                tries,
            })
        };
        let seen = filter(7, position(3, false, 1));
        assert_eq!(seen, filter(7, position(3, false, 1)));
        for other in [
            filter(8, position(3, false, 1)),
            filter(7, position(4, false, 1)),
            filter(7, position(3, true, 1)),
            filter(7, position(3, false, 2)),
        ] {
            assert_ne!(seen, other);
        }
        // A JVM node's document has neither, and another program's may have what is no number.
        assert_eq!(filter(0, None).len(), 3);
    }
}
