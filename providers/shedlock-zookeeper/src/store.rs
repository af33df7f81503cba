//! The locks of a tree as records to compare and swap.

use shedlock_runtime::{
    LockError, LockRecord, RecordStore, Snapshot, Written, async_trait, format_timestamp,
};
use zookeeper_client::MultiWriteResult;

use crate::entry::{Entry, LockVersion, NO_RECORD, Version};
use crate::error;
use crate::swap::End;
use crate::transaction::{Step, Transaction};
use crate::tree::Tree;

impl Tree {
    /// The steps that end what the deletion of a record has to end besides the lock's own node.
    fn forget(&self, name: &str, expected: &Version) -> Vec<Step> {
        let shard = Step::Set(self.paths.shard(name), String::new(), expected.shard);
        let owner = expected
            .owner
            .map(|version| Step::Delete(self.paths.owner(name), version));
        [shard].into_iter().chain(owner).collect()
    }
}

#[async_trait]
impl RecordStore for Tree {
    type Version = Version;

    async fn read(&self, name: &str) -> Result<Snapshot<Version>, LockError> {
        Ok(self.find(name).await?.snapshot())
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Version>,
    ) -> Result<Written<Version>, LockError> {
        let (end, owner) = (format_timestamp(record.lock_until), record.to_json());
        let expected = expected.copied().unwrap_or(Version::NOTHING);
        let transaction = |expected: &Version| {
            let version = expected.lock.map(|lock| lock.version);
            Transaction::of([
                Step::Check(self.paths.shard(name), expected.shard),
                Step::write(self.paths.lock(name), &end, version),
                Step::write(self.paths.owner(name), &owner, expected.owner),
            ])
        };
        let swap = self.swap(name, expected, transaction).await?;
        let zxid = match swap.end {
            End::Done(results) => zxid(&results),
            End::Conflict if swap.in_doubt => None,
            End::Conflict | End::NotEmpty => return Ok(Written::Conflict),
        };
        let Some(zxid) = zxid else {
            let found = self.find(name).await.map_err(error::in_doubt)?;
            let is_ours = found.is_written_as(&owner);
            return Ok(if is_ours {
                Written::Done(found.version())
            } else {
                Written::Conflict
            });
        };
        let replaced = swap.expected;
        let next = |version: i32| version.wrapping_add(1);
        Ok(Written::Done(Version {
            lock: Some(LockVersion {
                version: replaced.lock.map_or(0, |lock| next(lock.version)),
                zxid,
            }),
            owner: Some(replaced.owner.map_or(0, next)),
            shard: replaced.shard,
        }))
    }

    async fn delete(&self, name: &str, expected: &Version) -> Result<Written<()>, LockError> {
        let Some(lock) = expected.lock else {
            return Ok(Written::Conflict);
        };
        let path = self.paths.lock(name);
        let deleting = |expected: &Version| {
            let node = Step::Delete(path.clone(), lock.version);
            Transaction::of(self.forget(name, expected).into_iter().chain([node]))
        };
        // A node with children stays, as the parent of other locks.
        let clearing = |expected: &Version| {
            let node = Step::Set(path.clone(), NO_RECORD.to_owned(), lock.version);
            Transaction::of(self.forget(name, expected).into_iter().chain([node]))
        };
        let mut swap = self.swap(name, *expected, deleting).await?;
        if let End::NotEmpty = swap.end {
            let was_in_doubt = swap.in_doubt;
            swap = self.swap(name, swap.expected, clearing).await?;
            swap.in_doubt |= was_in_doubt;
        }
        let is_deleted = match swap.end {
            End::Done(_) => true,
            _ if swap.in_doubt => self.find(name).await.map_err(error::in_doubt)?.is_absent(),
            _ => false,
        };
        Ok(if is_deleted {
            Written::Done(())
        } else {
            Written::Conflict
        })
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let listed = self.list(prefix).await?;
        Ok(listed.into_iter().map(|(name, _)| name).collect())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, Snapshot<Version>)>, LockError> {
        let snapshot = |entry: Result<Entry, LockError>| match entry {
            Ok(entry) => entry.snapshot(),
            Err(error) => Snapshot::unreadable(error.to_string()),
        };
        let found = self.find_below(prefix).await?.into_iter();
        Ok(found.map(|(name, entry)| (name, snapshot(entry))).collect())
    }

    fn lists_contents(&self) -> bool {
        true
    }

    /// The id of the transaction that wrote the lock's node last.
    fn revision(&self, version: &Version) -> Option<u64> {
        version.lock.and_then(|lock| u64::try_from(lock.zxid).ok())
    }
}

/// The id of the transaction with these results. The result of a creation may lack it, because of a defect of some servers.
fn zxid(results: &[MultiWriteResult]) -> Option<i64> {
    results.iter().find_map(|result| match result {
        MultiWriteResult::Create { stat, .. } | MultiWriteResult::SetData { stat }
            if !stat.is_invalid() =>
        {
            Some(stat.mzxid)
        }
        _ => None,
    })
}
