//! The exchanges that take, extend and release a lock.

use std::time::SystemTime;

use shedlock_runtime::{LockValue, OwnerWrite, Standing};

use crate::error;
use crate::held::Held;
use crate::link::{Failure, Link, Written};
use crate::server::Exchange;

/// How often a change is tried again that another write came before. Only other writes of the same owner come before it again and again.
pub(crate) const TRIES: usize = 4;

/// Takes a lock that is free.
pub(crate) struct Take {
    pub(crate) key: Vec<u8>,
    pub(crate) value: String,
    pub(crate) seconds: u64,
}

/// The answer to [`Take`].
pub(crate) struct Taken {
    pub(crate) is_new: bool,
    /// What is under the key now; `None` if nothing is there.
    pub(crate) held: Option<Held>,
    /// When the server was started, in microseconds since 1970.
    pub(crate) started: u64,
}

impl Exchange for Take {
    type Answer = Taken;

    async fn run(&self, link: &mut Link) -> Result<Taken, Failure> {
        let added = link.add(&self.key, self.value.as_bytes(), self.seconds);
        let (written, item) = added.await?;
        let read = |item| Held::read(&item, link).ok_or_else(|| error::foreign(&self.key));
        Ok(Taken {
            is_new: written == Written::Done,
            held: item.map(read).transpose()?,
            started: link.started,
        })
    }
}

/// Extends a lease, or ends it.
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    pub(crate) write: OwnerWrite,
    /// For how long the lock is taken from now on; `None` if it is free.
    pub(crate) seconds: Option<u64>,
    /// The record as it was when this owner last wrote it.
    pub(crate) last: Option<Held>,
    /// The time for a record that does not tell when the lock was taken.
    pub(crate) now: SystemTime,
}

/// What became of a [`Change`].
pub(crate) enum Changed {
    /// The record is as the change wants it, or is deleted.
    Done(Option<Held>),
    /// There is no record.
    Absent,
    /// The record is another owner's, or a later write's of this one.
    Lost,
}

impl Exchange for Change {
    type Answer = Changed;

    async fn run(&self, link: &mut Link) -> Result<Changed, Failure> {
        let mut known = self.last.clone().filter(|last| last.is_of(link));
        for _ in 0..TRIES {
            let held = match known.take() {
                Some(held) => held,
                None => match link.get(&self.key).await? {
                    Some(item) => match Held::read(&item, link) {
                        Some(held) => held,
                        None => return Ok(Changed::Lost),
                    },
                    None => return Ok(Changed::Absent),
                },
            };
            match self.write.standing(&held.owner) {
                Standing::Foreign | Standing::Later => return Ok(Changed::Lost),
                Standing::Same => return Ok(Changed::Done(Some(held))),
                Standing::Earlier => {}
            }
            let Some(seconds) = self.seconds else {
                match link.delete(&self.key, held.cas).await? {
                    Written::Done => return Ok(Changed::Done(None)),
                    Written::Absent => return Ok(Changed::Absent),
                    Written::Conflict => continue,
                }
            };
            let value = LockValue::format(held.since.unwrap_or(self.now), self.write.stored());
            let stored = link.replace(&self.key, value.as_bytes(), seconds, held.cas);
            match stored.await? {
                // The next turn finds this write, or what came after it.
                (Written::Done | Written::Conflict, Some(item)) => {
                    known = Held::read(&item, link);
                }
                (_, None) | (Written::Absent, _) => return Ok(Changed::Absent),
            }
        }
        Err(error::restless(&self.key).into())
    }
}
