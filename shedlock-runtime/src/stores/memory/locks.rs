//! The map of the locks in memory.

use std::collections::BTreeMap;

use crate::seam::lease::Lease;
use crate::values::clock::BootInstant;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;
use crate::values::position::Position;

/// With fewer names than this, removing the free locks saves too little memory.
const KEEP_NAMES: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Locks {
    // A sorted map: with few names, a search is faster than hashing a name.
    pub(super) records: BTreeMap<LockName, Record>,
    // One counter for all names, so that the tokens of a name grow even after its record was removed.
    pub(super) last_token: u64,
    prune_at: usize,
}

impl Locks {
    pub(super) fn own(&mut self, lease: &Lease) -> Option<&mut Record> {
        self.records
            .get_mut(lease.name())
            .filter(|record| Some(record.token) == lease.fencing_token() && record.mark.is_none())
    }

    /// Removes the records of free locks each time that the number of records has doubled, so that names made from data do not fill
    /// the map.
    pub(super) fn forget_free(&mut self, now: BootInstant) {
        if self.records.len() >= self.prune_at.max(KEEP_NAMES) {
            // Without its position, a run would be repeated. Claims are forgotten when they are old, and others by `prune`.
            let is_kept = |record: &Record| record.lock_until > now || record.position.is_some();
            self.records.retain(|_, record| is_kept(record));
            self.prune_at = self.records.len() * 2;
        }
    }
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) lock_until: BootInstant,
    pub(super) locked_at: BootInstant,
    /// No time before this one counts as time in which the lock was free.
    pub(super) not_free_before: BootInstant,
    // The token also identifies the owner, because no two acquisitions have the same token.
    pub(super) token: u64,
    pub(super) mark: Option<Box<OperatorMark>>,
    pub(super) is_released: bool,
    pub(super) position: Option<Position>,
}

impl Record {
    /// When the lock became free. Where nothing is kept of the run, a release without `at_least` sets `lock_until` without reading the
    /// clock, and this is when the lock was taken.
    pub(super) fn free_since(&self) -> BootInstant {
        self.lock_until.max(self.not_free_before)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.is_pause())
    }
}
