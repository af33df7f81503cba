//! Reads records, and changes the record of a lease on condition that it is as last seen.

use super::time::RecordTime;
use super::{Found, LockRecord, RecordLockProvider, RecordStore, Snapshot, Written};
use crate::seam::answer::Ownership;
use crate::seam::lease::Lease;
use crate::values::error::{ErrorKind, LockError};
use crate::values::owner::{OwnerWrite, Standing};

/// How often a conditional write is tried if other writers keep changing the record.
pub(super) const MOST_RACES: usize = 4;

/// The record of a lease as the provider last read or wrote it, stored as a note on the lease.
pub(super) struct LastWrite<V> {
    pub(super) record: LockRecord,
    pub(super) version: V,
    pub(super) time: RecordTime,
}

impl<S: RecordStore> RecordLockProvider<S> {
    /// Reads a record, with the time by which its lease is judged.
    pub(super) async fn read(
        &self,
        name: &str,
    ) -> Result<(Snapshot<S::Version>, RecordTime), LockError> {
        let clock = self.info.clock();
        let (asked, asked_utc) = (clock.boot(), clock.utc());
        let snapshot = self.store.read(name).await?;
        let time = match snapshot.now {
            Some(told) => {
                let late = told + clock.boot().saturating_since(asked) + self.grain();
                RecordTime::of_store(told, late)
            }
            None => RecordTime::of_client(asked_utc, asked),
        };
        Ok((snapshot, time))
    }

    /// Applies `change` to the record of `lease`. The first write expects the record as last seen. If the record has changed since, it is
    /// read again before the next write. `change` returns whether the record allows the change.
    pub(super) async fn change_own(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        change: impl Fn(&mut LockRecord, RecordTime) -> Result<bool, LockError> + Send + Sync,
    ) -> Result<Ownership, LockError> {
        if let Some(last) = lease.noted::<LastWrite<S::Version>>(&self.info)
            && let Some(time) = last.time.by_now(self.info.clock())
        {
            let seen = LastWrite {
                record: last.record.clone(),
                version: last.version.clone(),
                time,
            };
            if let Some(ownership) = self.change_seen(lease, write, seen, &change).await? {
                return Ok(ownership);
            }
        }
        for _ in 0..MOST_RACES {
            let (snapshot, time) = self.read(lease.name().as_str()).await?;
            let (mut record, version) = match snapshot.found {
                Found::Record(record, version) => (record, version),
                Found::Absent(_) => return Ok(Ownership::Lost),
                Found::Unreadable(problem) => return Err(unreadable(problem)),
            };
            record.fencing_token = self.token(&record, &version).unwrap_or_default();
            let seen = LastWrite {
                record,
                version,
                time,
            };
            match write.standing(&seen.record.locked_by) {
                Standing::Foreign | Standing::Later => return Ok(Ownership::Lost),
                // An earlier attempt of this same request has written the record.
                Standing::Same => return Ok(Ownership::Ours),
                Standing::Earlier => {}
            }
            if !change(&mut seen.record.clone(), time)? {
                return Ok(Ownership::Lost);
            }
            if let Some(ownership) = self.change_seen(lease, write, seen, &change).await? {
                return Ok(ownership);
            }
        }
        Err(raced())
    }

    /// Applies `change` to the record if the stored record is still the one in `seen`. Returns `None` if the stored record is another one,
    /// or does not allow the change.
    async fn change_seen(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        seen: LastWrite<S::Version>,
        change: impl Fn(&mut LockRecord, RecordTime) -> Result<bool, LockError> + Send + Sync,
    ) -> Result<Option<Ownership>, LockError> {
        let mut record = seen.record;
        if !change(&mut record, seen.time)? {
            return Ok(None);
        }
        write.stored().clone_into(&mut record.locked_by);
        let name = lease.name().as_str();
        match self.store.write(name, &record, Some(&seen.version)).await? {
            Written::Conflict => Ok(None),
            Written::Done(version) => {
                let last = LastWrite {
                    record,
                    version,
                    time: seen.time,
                };
                lease.note(&self.info, last);
                Ok(Some(Ownership::Ours))
            }
        }
    }
}

pub(super) fn raced() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept changing the record")
}

pub(super) fn unreadable(problem: String) -> LockError {
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("give the lock another name, or remove what lies in the store under its name")
}
