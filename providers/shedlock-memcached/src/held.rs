//! The record of a lock as the server keeps it, and its number, which is noted with the lease.

use shedlock_runtime::LockValue;
use std::time::{Duration, SystemTime};

use crate::link::{Item, Link};

/// The record of a lock under its key.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The owner, as stored.
    pub(crate) owner: String,
    /// When the lock was taken, by the clock of the node that took it.
    pub(crate) since: Option<SystemTime>,
    /// How long the server keeps the record; `None` if for ever.
    pub(crate) left: Option<Duration>,
    /// The number of the record's last write.
    pub(crate) cas: u64,
    /// Over which connection the number was learned. Numbers begin anew when the server is restarted, so another record may get the same
    /// number. A restart ends all connections: over the same connection, the number is that of no other record.
    connection: u64,
}

impl Held {
    /// The record in `item`, which was read over `link`; `None` if it is no record of a lock.
    pub(crate) fn read(item: &Item, link: &Link) -> Option<Self> {
        let stored = LockValue::parse(&item.value)?;
        Some(Self {
            owner: stored.owner.to_owned(),
            since: stored.since,
            left: item.left,
            cas: item.cas,
            connection: link.number,
        })
    }

    /// Whether the record's number can be compared over `link`.
    pub(crate) fn is_of(&self, link: &Link) -> bool {
        self.connection == link.number
    }
}
