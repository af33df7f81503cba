//! The objects of a bucket as records: reads, and writes on condition of a version.

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    Attributes, Error, GetOptions, ObjectMeta, ObjectStoreExt as _, PutMode, PutOptions,
    UpdateVersion,
};
use shedlock_runtime::{LockError, LockRecord, RecordStore, Snapshot, Written, async_trait};
use tokio::sync::Semaphore;

use crate::ask::{Failure, ask, ask_for_list};
use crate::error::Request;
use crate::keys::Keys;
use crate::protocol::Bucket;
use crate::record::{DELETED_BYTES, Object};

/// The content of a longer object is not read: no lock's object is as long.
const LONGEST_BODY: u64 = 1024;

/// How many requests are under way at a time; further ones wait for their turn. Each is a connection, and with more of them a store answers
/// each one later, until all look silent and are sent again.
const MOST_AT_ONCE: usize = 64;

/// The store of a provider.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) bucket: Bucket,
    pub(crate) keys: Keys,
    turns: Semaphore,
}

/// What is known of an object.
pub(crate) struct Found {
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
}

impl Objects {
    pub(crate) fn new(bucket: Bucket, keys: Keys) -> Self {
        Self {
            bucket,
            keys,
            turns: Semaphore::new(MOST_AT_ONCE),
        }
    }

    /// Writes an object, if the stored object has the version `expected`, or, if `expected` is `None`, if there is no object.
    pub(crate) async fn put(
        &self,
        key: &Path,
        object: &Object,
        expected: Option<&UpdateVersion>,
    ) -> Result<Written<UpdateVersion>, LockError> {
        let mode = expected.map_or(PutMode::Create, |version| PutMode::Update(version.clone()));
        // The semaphore is never closed, so this never fails.
        let _turn = self.turns.acquire().await;
        let put = ask(|| {
            let options = PutOptions {
                mode: mode.clone(),
                attributes: object.attributes.clone(),
                ..PutOptions::default()
            };
            let body = object.body.clone();
            self.bucket.client.put_opts(key, body, options)
        });
        match put.await {
            Ok(written) => Ok(Written::Done(written.into())),
            // 409 or 412.
            Err(Failure {
                error: Some(Error::AlreadyExists { .. } | Error::Precondition { .. }),
                ..
            }) => Ok(Written::Conflict),
            Err(failure) => Err(self.explain(Request::Write, failure)),
        }
    }

    /// The object with this key, without its content; `None` if there is no such object.
    pub(crate) async fn get(&self, key: &Path) -> Result<Option<Found>, LockError> {
        let _turn = self.turns.acquire().await;
        let client = &*self.bucket.client;
        let got = ask(|| async move {
            // Not HEAD, whose answer does not tell a missing object from a missing bucket.
            let got = client.get_opts(key, GetOptions::default()).await?;
            let (meta, attributes) = (got.meta.clone(), got.attributes.clone());
            if meta.size <= LONGEST_BODY {
                // A connection is kept only if its last answer was read to the end.
                got.bytes().await?;
            }
            Ok(Found { meta, attributes })
        });
        match got.await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_missing_object() => Ok(None),
            Err(failure) => Err(self.explain(Request::Read, failure)),
        }
    }

    pub(crate) async fn delete_probe(&self, key: &Path) -> Result<(), LockError> {
        let deleted = ask(|| self.bucket.client.delete(key)).await;
        match deleted {
            Err(failure) if !failure.is_missing_object() => {
                Err(self.explain(Request::Delete, failure))
            }
            _ => Ok(()),
        }
    }

    fn explain(&self, request: Request, failure: Failure) -> LockError {
        self.bucket.protocol.explain(request, failure)
    }
}

#[async_trait]
impl RecordStore for Objects {
    type Version = UpdateVersion;

    async fn read(&self, name: &str) -> Result<Snapshot<UpdateVersion>, LockError> {
        let found = self.get(&self.keys.of(name)?).await?;
        let snapshot = |found: Found| {
            self.bucket
                .protocol
                .snapshot(&found.meta, &found.attributes)
        };
        Ok(found.map_or_else(Snapshot::absent, snapshot))
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&UpdateVersion>,
    ) -> Result<Written<UpdateVersion>, LockError> {
        let object = self.bucket.protocol.object(name, record)?;
        self.put(&self.keys.of(name)?, &object, expected).await
    }

    /// Writes an object that stands for no record. The object stays, because the client cannot delete on condition of a version, and a
    /// deletion without a condition may arrive late and delete the record of another holder.
    async fn delete(&self, name: &str, expected: &UpdateVersion) -> Result<Written<()>, LockError> {
        let object = self.bucket.protocol.deleted(name)?;
        let written = self
            .put(&self.keys.of(name)?, &object, Some(expected))
            .await?;
        Ok(match written {
            Written::Done(_) => Written::Done(()),
            Written::Conflict => Written::Conflict,
        })
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let folder = self.keys.folder();
        let listed = ask_for_list(|| {
            let objects = self.bucket.client.list(folder.as_ref());
            let names = objects.try_filter_map(async |object| {
                // Reading each object that stands for a deleted record would cost as much as a record.
                let is_record = object.size != DELETED_BYTES as u64;
                let name = is_record.then(|| self.keys.name(&object.location));
                Ok(name.flatten().filter(|name| name.starts_with(prefix)))
            });
            names.try_collect()
        });
        let names = listed.await;
        names.map_err(|failure| self.explain(Request::List, failure))
    }
}
