//! A provider over any store that compares and swaps.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{Found, LockRecord, RecordStore, Snapshot, Written};
use crate::seam::answer::{Acquisition, Ownership, Refusal};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::clock::BootInstant;
use crate::values::error::{ErrorKind, LockError};
use crate::values::owner::{Owner, OwnerWrite, Standing};

/// How often a lost race is run again before the lock counts as contended.
pub(super) const MOST_RACES: usize = 4;

/// A [`LockProvider`] over any [`RecordStore`], operators' verbs included.
///
/// An acquisition is a read and a conditional write. Extension and release are one conditional write each: what the last write returned
/// is kept with the lease, and the record is read again only if somebody else has changed it.
///
/// # Examples
///
/// See [`RecordStore`].
#[derive(Debug)]
pub struct RecordLockProvider<S> {
    pub(super) info: ProviderInfo,
    pub(super) store: Arc<S>,
}

// Derived, it would ask for `S: Clone`.
impl<S> Clone for RecordLockProvider<S> {
    fn clone(&self) -> Self {
        Self {
            info: self.info.clone(),
            store: Arc::clone(&self.store),
        }
    }
}

/// What is known of a lease's record since it was last read or written: a note on the lease.
struct LastWrite<V> {
    record: LockRecord,
    version: V,
    clock: RecordClock,
}

/// The clock of a record's times.
#[derive(Clone, Copy)]
enum RecordClock {
    Client,
    /// The store told this time of day after it was asked at this instant.
    Store(SystemTime, BootInstant),
}

impl<S: RecordStore> RecordLockProvider<S> {
    /// A provider that `info` describes, over `store`.
    #[must_use]
    pub fn new(info: ProviderInfo, store: S) -> Self {
        Self {
            info,
            store: Arc::new(store),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The fencing token of the last acquisition of a record's lock. Only that acquisition's own write cannot say so in the record.
    pub(super) fn token(&self, record: &LockRecord, version: &S::Version) -> Option<u64> {
        let in_record = (record.fencing_token > 0).then_some(record.fencing_token);
        match self.store.revision(version) {
            Some(revision) if in_record.is_none() || !Owner::is_later_write(&record.locked_by) => {
                Some(revision)
            }
            _ => in_record,
        }
    }

    /// The step in which the store keeps times.
    pub(super) fn grain(&self) -> Duration {
        self.info.capabilities().grain()
    }

    /// The time by `clock`. The store's runs on from when it was asked, so that no lease is written to end too early.
    fn now(&self, clock: RecordClock) -> SystemTime {
        match clock {
            RecordClock::Client => self.info.clock().utc(),
            RecordClock::Store(told, asked) => {
                told + self.info.clock().boot().saturating_since(asked)
            }
        }
    }

    async fn read(&self, name: &str) -> Result<(Snapshot<S::Version>, RecordClock), LockError> {
        let asked = self.info.clock().boot();
        let snapshot = self.store.read(name).await?;
        let clock = snapshot
            .now
            .map_or(RecordClock::Client, |told| RecordClock::Store(told, asked));
        Ok((snapshot, clock))
    }

    /// Changes the record of `lease` as `change` says: at once if it is as it was last seen, otherwise after a look at it. `change` says
    /// whether the record allows the change.
    async fn change_own(
        &self,
        lease: &Lease,
        change: impl Fn(&mut LockRecord, SystemTime) -> Result<bool, LockError> + Send + Sync,
    ) -> Result<Ownership, LockError> {
        let write = lease.next_write()?;
        if let Some(last) = lease.noted::<LastWrite<S::Version>>(&self.info) {
            let last = LastWrite {
                record: last.record.clone(),
                version: last.version.clone(),
                clock: last.clock,
            };
            if let Some(ownership) = self.change_seen(lease, &write, last, &change).await? {
                return Ok(ownership);
            }
        }
        for _ in 0..MOST_RACES {
            let (snapshot, clock) = self.read(lease.name().as_str()).await?;
            let (mut record, version) = match snapshot.found {
                Found::Record(record, version) => (record, version),
                Found::Absent(_) => return Ok(Ownership::Lost),
                Found::Unreadable(problem) => return Err(unreadable(problem)),
            };
            record.fencing_token = self.token(&record, &version).unwrap_or_default();
            let seen = LastWrite {
                record,
                version,
                clock,
            };
            match write.standing(&seen.record.locked_by) {
                Standing::Foreign | Standing::Later => return Ok(Ownership::Lost),
                // Written before, by this very request.
                Standing::Same => return Ok(Ownership::Ours),
                Standing::Earlier => {}
            }
            if !change(&mut seen.record.clone(), self.now(clock))? {
                return Ok(Ownership::Lost);
            }
            if let Some(ownership) = self.change_seen(lease, &write, seen, &change).await? {
                return Ok(ownership);
            }
        }
        Err(raced())
    }

    /// Changes the record if it is still as it was `seen`; `None` if it is not, or does not allow the change.
    async fn change_seen(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        seen: LastWrite<S::Version>,
        change: impl Fn(&mut LockRecord, SystemTime) -> Result<bool, LockError> + Send + Sync,
    ) -> Result<Option<Ownership>, LockError> {
        let mut record = seen.record;
        if !change(&mut record, self.now(seen.clock))? {
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
                    clock: seen.clock,
                };
                lease.note(&self.info, last);
                Ok(Some(Ownership::Ours))
            }
        }
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl<S: RecordStore> fmt::Display for RecordLockProvider<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

#[async_trait]
impl<S: RecordStore> LockProvider for RecordLockProvider<S> {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(&self.info)?;
        let name = request.name().as_str();
        for _ in 0..MOST_RACES {
            let (snapshot, clock) = self.read(name).await?;
            let now = snapshot.now(&self.info);
            let (found, expected) = match snapshot.found {
                Found::Absent(version) => (None, version),
                Found::Record(record, version) => (Some(record), Some(version)),
                Found::Unreadable(problem) => return Err(unreadable(problem)),
            };
            if let (Some(record), Some(version)) = (&found, &expected) {
                let is_ours = write.standing(&record.locked_by) != Standing::Foreign;
                let remaining = record.remaining(now);
                if is_ours || !remaining.is_zero() {
                    let token = self.token(record, version);
                    let owner = &record.locked_by;
                    return request.answer_from_record(&self.info, owner, remaining, token);
                }
            }
            let stored = found.as_ref().and_then(|record| record.position);
            let position = match request.position_rule().map(|rule| rule.next(stored, now)) {
                None => stored,
                Some(Ok(position)) => Some(position),
                Some(Err(reason)) => {
                    let owner = found.as_ref().map(|record| record.locked_by.as_str());
                    let refusal = Refusal::of_position(reason, owner.unwrap_or_default());
                    return Ok(Acquisition::Refused(refusal));
                }
            };
            let last_token = found.map_or(0, |record| record.fencing_token);
            let mut record = LockRecord {
                lock_until: end(now, request.at_most(), self.grain())?,
                locked_at: rounded_down(now, self.grain()),
                locked_by: write.stored().to_owned(),
                fencing_token: next_token(last_token, now),
                position,
            };
            let written = self.store.write(name, &record, expected.as_ref()).await?;
            if let Written::Done(version) = written {
                let token = self.token(&record, &version);
                record.fencing_token = token.unwrap_or_default();
                let last = LastWrite {
                    record,
                    version,
                    clock,
                };
                request.note(&self.info, last);
                return Ok(Acquisition::Granted(request.grant(token)));
            }
        }
        Ok(Acquisition::Refused(Refusal::contended()))
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let extended = self.change_own(lease, |record, now| {
            if record.remaining(now).is_zero() {
                return Ok(false);
            }
            record.lock_until = end(now, at_most, self.grain())?;
            Ok(true)
        });
        extended.await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let released = self.change_own(lease, |record, now| {
            record.lock_until = end(now, keep_for, self.grain())?;
            if let Some(position) = &mut record.position {
                position.is_done |= lease.is_done();
            }
            Ok(true)
        });
        released.await
    }
}

pub(super) fn raced() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept changing the record")
}

pub(super) fn unreadable(problem: String) -> LockError {
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("give the lock another name, or remove what lies in the store under its name")
}

/// Greater than the last, and than any that a since deleted record can have had: those were not ahead of the clock.
pub(super) fn next_token(last: u64, now: SystemTime) -> u64 {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    u64::try_from(micros)
        .unwrap_or(u64::MAX)
        .max(last.saturating_add(1))
}

/// `instant` without what is less than a `grain`: what ends now has ended when it is read again, in whatever steps the store keeps times.
pub(super) fn rounded_down(instant: SystemTime, grain: Duration) -> SystemTime {
    let since_1970 = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    let excess = since_1970.as_nanos() % grain.as_nanos().max(1);
    // Less than a grain, and a grain is no century.
    instant - Duration::from_nanos(u64::try_from(excess).unwrap_or_default())
}

/// The end of what lasts for `duration` from `instant`, in whole steps of `grain`, and not before its time.
fn end(instant: SystemTime, duration: Duration, grain: Duration) -> Result<SystemTime, LockError> {
    let in_time = || {
        let end = instant.checked_add(duration)?;
        match rounded_down(end, grain) {
            down if down == end || duration.is_zero() => Some(down),
            down => down.checked_add(grain),
        }
    };
    in_time().ok_or_else(|| {
        LockError::new(
            ErrorKind::InvalidDuration,
            "the lease would end beyond what the clock can say",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_never_cut_and_what_ends_now_has_ended() {
        let second = Duration::from_secs(1);
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let ends = |from, millis| end(at(from), Duration::from_millis(millis), second).unwrap();
        assert_eq!(ends(1_500, 400), at(2_000));
        assert_eq!(ends(1_500, 500), at(2_000));
        assert_eq!(ends(1_500, 501), at(3_000));
        assert_eq!(ends(1_500, 0), at(1_000));
    }
}
