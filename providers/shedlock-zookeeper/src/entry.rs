//! The record of a lock as nodes: the node that JVM nodes read and write, and the node with what they do not keep.

use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{LockRecord, Snapshot, parse_timestamp};
use zookeeper_client::Stat;

/// The data of a node that stands for no lock, but has children: a time that no lease ends at. JVM nodes take such a lock as free.
pub(crate) const NO_RECORD: &str = "1970-01-01T00:00:00.000Z";
/// The version with which ZooKeeper compares nothing. The version of a node gets there after 4,294,967,295 writes.
const ANY_VERSION: i32 = -1;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) data: Vec<u8>,
    pub(crate) stat: Stat,
}

/// What ZooKeeper has of one lock, as of one moment.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The node that JVM nodes know: its data is the end of the lease.
    pub(crate) lock: Option<Node>,
    /// The node with the whole record, as text.
    pub(crate) owner: Option<Node>,
    /// The version of the owner's parent.
    pub(crate) shard: Option<i32>,
}

/// The state of an entry, which a write expects unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) lock: Option<LockVersion>,
    pub(crate) owner: Option<i32>,
    /// Deletions of records with names of the same shard have changed this so often. A node that is deleted and created anew has version 0
    /// again, so without this count a late write could take the new record for the old one.
    pub(crate) shard: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockVersion {
    pub(crate) version: i32,
    /// The id of the transaction that wrote the node last. Such ids grow as long as ZooKeeper keeps its data.
    pub(crate) zxid: i64,
}

impl Version {
    /// The version of a lock of which there is nothing at all.
    pub(crate) const NOTHING: Self = Self {
        lock: None,
        owner: None,
        shard: 0,
    };

    /// Whether the nodes of the lock are the same in both, whatever was deleted beside them.
    pub(crate) fn has_same_nodes(&self, other: &Self) -> bool {
        self.lock == other.lock && self.owner == other.owner
    }
}

impl Entry {
    pub(crate) fn version(&self) -> Version {
        Version {
            lock: self.lock.as_ref().map(|node| LockVersion {
                version: node.stat.version,
                zxid: node.stat.mzxid,
            }),
            owner: self.owner.as_ref().map(|node| node.stat.version),
            shard: self.shard.unwrap_or_default(),
        }
    }

    pub(crate) fn has_children(&self) -> bool {
        self.lock
            .as_ref()
            .is_some_and(|node| node.stat.num_children > 0)
    }

    /// Whether the node of the lock stands for no lock.
    pub(crate) fn is_absent(&self) -> bool {
        self.lock.as_ref().is_none_or(|node| {
            // JVM nodes leave the parents that they make empty, and no lock of theirs has ever been there. A parent stays when its last child
            // has been deleted. An empty node that never had a child may be a lock that is held: of a ShedLock before 2.5.
            let had_children = node.stat.num_children > 0 || node.stat.cversion != 0;
            let is_empty_parent = node.data.is_empty() && had_children;
            node.stat.ephemeral_owner == 0 && (is_empty_parent || node.data == NO_RECORD.as_bytes())
        })
    }

    /// Whether this is the entry that the write of this text has left.
    pub(crate) fn is_written_as(&self, owner: &str) -> bool {
        self.owner_now()
            .is_some_and(|node| node.data == owner.as_bytes())
    }

    /// The owner's node, if a JVM node has not written the lock's node since. One transaction writes both.
    fn owner_now(&self) -> Option<&Node> {
        let (lock, owner) = (self.lock.as_ref()?, self.owner.as_ref()?);
        (lock.stat.mzxid == owner.stat.mzxid).then_some(owner)
    }

    pub(crate) fn snapshot(&self) -> Snapshot<Version> {
        let version = self.version();
        let Some(lock) = self.lock.as_ref().filter(|_| !self.is_absent()) else {
            return Snapshot::deleted(version);
        };
        if lock.stat.ephemeral_owner != 0 {
            return Snapshot::unreadable("not a lock's record: the node is ephemeral");
        }
        if lock.stat.version == ANY_VERSION {
            return Snapshot::unreadable(
                "the node has version -1, which ZooKeeper cannot compare with",
            );
        }
        let text = str::from_utf8(&lock.data).ok();
        let Some(lock_until) = text.and_then(parse_timestamp) else {
            let found = lock.data.len();
            let problem = format!("not a lock's record: {found} bytes that are not a time");
            return Snapshot::unreadable(problem);
        };
        let in_owner = |node: &Node| LockRecord::from_json(&String::from_utf8_lossy(&node.data));
        let mut record = match self.owner_now().map(in_owner) {
            Some(Ok(record)) => record,
            Some(Err(problem)) => return Snapshot::unreadable(problem),
            // The record of a JVM node, whose end of the lease is all that it writes.
            None => {
                let millis = u64::try_from(lock.stat.mtime).unwrap_or_default();
                let written_at = UNIX_EPOCH + Duration::from_millis(millis);
                let mut record = LockRecord::new(lock_until, written_at, String::new(), 0);
                let earlier = self.owner.as_ref().and_then(|node| in_owner(node).ok());
                record.position = earlier.and_then(|earlier| earlier.position);
                record
            }
        };
        record.lock_until = lock_until;
        Snapshot::record(record, version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that has as many children as it ever had.
    fn node(data: &str, version: i32, mzxid: i64, num_children: i32) -> Node {
        let stat = Stat {
            czxid: 1,
            mzxid,
            pzxid: 1,
            ctime: 0,
            mtime: 1_700_000_000_000,
            version,
            cversion: num_children,
            aversion: 0,
            ephemeral_owner: 0,
            data_length: 0,
            num_children,
        };
        let data = data.as_bytes().to_vec();
        Node { data, stat }
    }

    fn said(lock: Node, owner: Option<Node>) -> String {
        let entry = Entry {
            lock: Some(lock),
            owner,
            shard: Some(0),
        };
        format!("{:?}", entry.snapshot())
    }

    const END: &str = "2026-11-28T10:43:59.882Z";
    const OWNER: &str = r#"{"lockUntil":"2026-11-28T10:43:59.882Z","lockedAt":"2026-11-28T10:43:30.000Z","lockedBy":"web-2#ab",
        "fencingToken":7,"position":{"number":3,"done":true,"tries":1}}"#;

    #[test]
    fn the_owner_counts_only_with_the_write_of_its_own_transaction() {
        let ours = said(node(END, 4, 9, 0), Some(node(OWNER, 2, 9, 0)));
        assert!(
            ours.contains("web-2") && ours.contains("number: 3"),
            "{ours}"
        );
        let theirs = said(node(END, 5, 10, 0), Some(node(OWNER, 2, 9, 0)));
        assert!(!theirs.contains("web-2"), "{theirs}");
        assert!(theirs.contains("number: 3"), "the position stays: {theirs}");
    }

    #[test]
    fn a_parent_of_locks_is_no_lock() {
        for parent in [node(NO_RECORD, 0, 9, 0), node("", 0, 9, 1)] {
            assert_eq!(said(parent, None), "absent");
        }
        // After the creation and the deletion of its only child.
        let mut bereft = node("", 0, 9, 0);
        bereft.stat.cversion = 2;
        assert_eq!(said(bereft, None), "absent");
        assert!(said(node("", 0, 9, 0), None).contains("unreadable"));
    }

    /// With this version ZooKeeper would replace whatever there is.
    #[test]
    fn a_version_that_is_compared_with_nothing_is_not_used() {
        assert!(!said(node(END, -2, 9, 0), None).contains("unreadable"));
        assert!(said(node(END, -1, 9, 0), None).contains("version -1"));
    }
}
