//! Taking a lock in a store that compares and swaps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

use super::change::{LastWrite, MOST_RACES, raced, unreadable};
use super::time::{lease_end, rounded_down};
use super::{Found, LockRecord, RecordLockProvider, RecordStore, Written};
use crate::seam::answer::{Acquisition, Refusal};
use crate::seam::predecessor::Predecessor;
use crate::seam::request::AcquireRequest;
use crate::values::backoff::backoff;
use crate::values::error::LockError;
use crate::values::owner::Standing;

/// The pauses after a second conflict. The next read may come from a server that has not heard of the first one yet.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What the rounds of one acquisition have seen. Each round is a read and, if the lock is free, a write. The last round is a read alone.
#[derive(Default)]
struct Rounds {
    /// How many writes the store answered as conflicts.
    conflicts: usize,
    /// The record that the last round found before its write, if there was one.
    seen: Option<LockRecord>,
    /// The holder whose lease had ended, which the last round would have replaced.
    predecessor: Option<Predecessor>,
    saw_a_rival: bool,
}

impl Rounds {
    /// The error of a round. A client of the store that repeats a write by itself may have answered "conflict" because of its own first
    /// attempt: then the lock is taken, and the runtime must look for it.
    fn doubted(&self, error: LockError) -> LockError {
        if self.conflicts == 0 || error.kind().is_ambiguous() {
            return error;
        }
        let doubt = "the store may have taken the lock by a write that it answered as a conflict";
        LockError::in_doubt(doubt, error)
    }
}

impl<S: RecordStore> RecordLockProvider<S> {
    /// Takes the lock if it is free: round after round, until the record is as read when it is written.
    pub(super) async fn take(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let mut rounds = Rounds::default();
        let mut pauses = backoff(SHORTEST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.try_to_take(request, &mut rounds).await {
                Ok(Some(answer)) => return Ok(answer),
                // Most often the next read finds who was quicker.
                Ok(None) if rounds.conflicts < 2 => {}
                Ok(None) => sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await,
                Err(error) => return Err(rounds.doubted(error)),
            }
        }
    }

    /// One round of an acquisition; `None` if the record was no longer as read when it was to be written.
    async fn try_to_take(
        &self,
        request: &AcquireRequest,
        rounds: &mut Rounds,
    ) -> Result<Option<Acquisition>, LockError> {
        let write = request.write(&self.info)?;
        let name = request.name().as_str();
        let rule = request.position_rule();
        let (snapshot, time) = self.read(name).await?;
        let (found, expected) = match snapshot.found {
            Found::Absent(version) => (None, version),
            Found::Record(record, version) => (Some(record), Some(version)),
            Found::Unreadable(problem) => return Err(unreadable(problem)),
        };
        if let (Some(record), Some(version)) = (&found, &expected) {
            let standing = write.standing(&record.locked_by);
            let remaining = record.remaining(time.early());
            if standing != Standing::Foreign || !remaining.is_zero() {
                let token = self.token(record, version);
                let owner = &record.locked_by;
                let answer = request.answer_from_record(&self.info, owner, remaining, token)?;
                let Acquisition::Granted(lease) = answer else {
                    return Ok(Some(answer));
                };
                // The write of an earlier round was carried out.
                if standing == Standing::Same {
                    let mut record = record.clone();
                    record.fencing_token = token.unwrap_or_default();
                    let version = version.clone();
                    request.note(
                        &self.info,
                        LastWrite {
                            record,
                            version,
                            time,
                        },
                    );
                }
                let lease = lease.taken_over_from(rounds.predecessor.take());
                let begun = rule.and(record.position);
                return Ok(Some(Acquisition::Granted(lease.at_position(begun))));
            }
        }
        let has_changed = rounds.conflicts > 0 && rounds.seen != found;
        rounds.saw_a_rival |= has_changed;
        if rounds.conflicts == MOST_RACES {
            // Another node was seen only if the record changed from one read to the next.
            return match (rounds.saw_a_rival, has_changed) {
                (false, _) => Err(raced()),
                (true, true) => Ok(Some(Acquisition::Refused(Refusal::contended()))),
                // The last write may have been made after all, and this read be of a server that has not heard of it.
                (true, false) => Ok(Some(Acquisition::Refused(
                    Refusal::contended().after_a_request_without_answer(),
                ))),
            };
        }
        let stored = found.as_ref().and_then(|record| record.position);
        let position = match rule.map(|rule| rule.next(stored, time.early())) {
            None => stored,
            Some(Ok(position)) => Some(position),
            Some(Err(reason)) => {
                let owner = found.as_ref().map(|record| record.locked_by.as_str());
                let refusal =
                    Refusal::of_position(reason, owner.unwrap_or_default()).with_position(stored);
                return Ok(Some(Acquisition::Refused(refusal)));
            }
        };
        let before = found.as_ref().zip(expected.as_ref());
        let predecessor = before.and_then(|(record, version)| self.predecessor(record, version));
        let last_token = found.as_ref().map_or(0, |record| record.fencing_token);
        let mut record = LockRecord {
            lock_until: lease_end(time, request.at_most(), self.grain())?,
            locked_at: rounded_down(time.early(), self.grain()),
            locked_by: write.stored().to_owned(),
            fencing_token: next_token(last_token, time.late()),
            position,
        };
        match self.store.write(name, &record, expected.as_ref()).await? {
            Written::Done(version) => {
                let token = self.token(&record, &version);
                record.fencing_token = token.unwrap_or_default();
                let last = LastWrite {
                    record,
                    version,
                    time,
                };
                request.note(&self.info, last);
                let lease = request.grant(token).taken_over_from(predecessor);
                Ok(Some(Acquisition::Granted(
                    lease.at_position(rule.and(position)),
                )))
            }
            Written::Conflict => {
                rounds.conflicts += 1;
                rounds.seen = found;
                rounds.predecessor = predecessor;
                Ok(None)
            }
        }
    }

    /// The holder that wrote `record`, whose lease has ended, if nobody released the lock.
    fn predecessor(&self, record: &LockRecord, version: &S::Version) -> Option<Predecessor> {
        let (since, until) = (record.locked_at, record.lock_until);
        let holder = Predecessor::from_record(&record.locked_by, Some(since), Some(until))?;
        let holder = holder.with_fencing_token(self.token(record, version));
        Some(holder.with_position(record.position))
    }
}

/// The next fencing token: greater than `last`, and greater than the token of any deleted record, because tokens are not ahead of the
/// clock.
pub(super) fn next_token(last: u64, now: SystemTime) -> u64 {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    u64::try_from(micros)
        .unwrap_or(u64::MAX)
        .max(last.saturating_add(1))
}
