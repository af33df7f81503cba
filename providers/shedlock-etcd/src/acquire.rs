//! Taking a lock: a look at its keys, a lease, and one transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Acquisition, LockError, LockValue, PositionRule, Predecessor, Refusal,
    first_attempt_limit,
};

use crate::error;
use crate::messages::{Entry, Outcome, Status};
use crate::position::{Beside, StoredPosition};
use crate::provider::{EtcdLockProvider, GRAIN};
use crate::store::lease_id;
use crate::transaction::Transaction;

/// How often a transaction is tried if other writers keep changing the keys.
pub(crate) const MOST_RACES: usize = 4;

/// What the provider knows of an acquisition from before it is sent. A note on the request and on its lease.
pub(crate) struct Claim {
    /// What the acquisition stores.
    pub(crate) value: String,
    /// How long a call about this lock waits for a member: a part of the time limit that the lock's holder has set.
    pub(crate) part: Duration,
    /// The leases that were asked for and not seen to end: the one of the last write, and those of writes that were given up.
    leases: Mutex<Vec<i64>>,
}

impl Claim {
    pub(crate) const fn new(value: String, part: Duration) -> Self {
        Self {
            value,
            part,
            leases: Mutex::new(Vec::new()),
        }
    }

    /// Remembers a lease before it is asked for.
    pub(crate) fn add_lease(&self, id: i64) {
        let mut leases = self.locked();
        if !leases.contains(&id) {
            leases.push(id);
        }
    }

    /// Forgets all leases but `kept`.
    pub(crate) fn keep_lease(&self, kept: Option<i64>) {
        self.locked().retain(|id| Some(*id) == kept);
    }

    /// All leases but `kept`.
    pub(crate) fn leases_but(&self, kept: Option<i64>) -> Vec<i64> {
        let leases = self.locked();
        leases
            .iter()
            .copied()
            .filter(|id| Some(*id) != kept)
            .collect()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<i64>> {
        // Nothing panics while this mutex is locked.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The acquisition was granted. A note.
struct Won;

/// The keys of one lock as etcd has them.
pub(crate) struct Seen {
    pub(crate) lock: Option<Entry>,
    pub(crate) position: Option<Entry>,
}

impl Seen {
    /// From a transaction whose first operation read the lock, and whose second one, if there was one, read the position.
    pub(crate) fn from_outcome(mut outcome: Outcome) -> Self {
        Self {
            lock: outcome.entry(0),
            position: outcome.entry(1),
        }
    }
}

impl EtcdLockProvider {
    pub(crate) async fn take(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let claim = self.claim(request)?;
        let taken = self.try_to_take(request, &claim).await;
        let may_hold = match &taken {
            Ok(Acquisition::Granted(_)) => true,
            Ok(Acquisition::Refused(_)) => false,
            // What a lost answer granted is released by the runtime.
            Err(error) => error.kind().is_ambiguous(),
        };
        if may_hold {
            return taken;
        }
        // Without its lease, an earlier attempt that is still on its way takes nothing.
        let mut is_over = true;
        for lease in claim.leases_but(None) {
            is_over &= self.gateway.tidy(lease, claim.part).await.is_some();
        }
        match taken? {
            Acquisition::Refused(refusal) if !is_over => Ok(Acquisition::Refused(
                refusal.after_a_request_without_answer(),
            )),
            answer => Ok(answer),
        }
    }

    /// The notes about `request`, made when the request is first sent.
    fn claim(&self, request: &AcquireRequest) -> Result<Arc<Claim>, LockError> {
        if let Some(claim) = request.noted::<Claim>(&self.info) {
            return Ok(claim);
        }
        let value = LockValue::format(self.now(), request.write(&self.info)?.stored());
        let part = first_attempt_limit(request.config().timeout());
        request.note(&self.info, Claim::new(value, part));
        let noted = request.noted::<Claim>(&self.info);
        noted.ok_or_else(error::of_another_provider)
    }

    async fn try_to_take(
        &self,
        request: &AcquireRequest,
        claim: &Claim,
    ) -> Result<Acquisition, LockError> {
        let name = request.name().as_str();
        let (lock_key, position_key) = (self.keys.lock(name), self.keys.position(name));
        let (lease, rule) = (lease_id(&claim.value), request.position_rule());
        let mut seen = self
            .look(&lock_key, rule.map(|_| &*position_key), claim.part)
            .await?;
        for race in 0..MOST_RACES {
            if let Some(entry) = &seen.lock {
                return self.answer(request, entry, seen.position.as_ref());
            }
            if request.noted::<Won>(&self.info).is_some() {
                return Err(request.too_late());
            }
            let mut take = Transaction::default()
                .if_absent(&lock_key)
                .then_put(&lock_key, &claim.value, lease)
                .then_replace(&self.keys.holder(name), &claim.value)
                .then_read(&position_key)
                .otherwise_read(&lock_key);
            let mut begun = None;
            if let Some(rule) = rule {
                let next = match self.next(request, rule, seen.position.as_ref())? {
                    Ok(next) => next,
                    Err(refusal) => return Ok(Acquisition::Refused(refusal)),
                };
                let revision = seen.position.map_or(0, |entry| entry.mod_revision);
                take = take
                    .if_unchanged(&position_key, revision)
                    .then_put(&position_key, &next.format(), 0)
                    .otherwise_read(&position_key);
                begun = Some(Beside::of(next, true));
            }
            if race == 0 {
                claim.add_lease(lease);
                let seconds = self.info.capabilities().steps(request.at_most());
                self.gateway.grant(lease, seconds, claim.part).await?;
            }
            let mut outcome = match self.gateway.transact(&take, claim.part).await {
                Ok(reply) => reply.answer,
                // The lease has ended, or whoever gave up this request has revoked it.
                Err(failure) if failure.status().is_some_and(Status::is_lease_not_found) => {
                    return Err(request.too_late());
                }
                Err(failure) => return Err(failure.into()),
            };
            if outcome.succeeded {
                let found = outcome.entry(2);
                let found = found.and_then(|entry| StoredPosition::parse(&entry.value));
                let dead = dead_holder(&mut outcome, found.as_ref());
                let beside = begun.or_else(|| found.map(|found| Beside::of(found, false)));
                self.note_won(request, beside);
                let lease = request.grant(outcome.revision());
                return Ok(Acquisition::Granted(lease.taken_over_from(dead)));
            }
            seen = Seen::from_outcome(outcome);
        }
        // Each time the lock was free again, and a run of somebody else had changed the position.
        Ok(Acquisition::Refused(Refusal::contended()))
    }

    /// Reads the lock, and the position where that is asked for. etcd reads a single key also when it takes no transactions any more.
    pub(crate) async fn look(
        &self,
        lock_key: &str,
        position_key: Option<&str>,
        part: Duration,
    ) -> Result<Seen, LockError> {
        let Some(position_key) = position_key else {
            return Ok(Seen {
                lock: self.gateway.entry(lock_key, part).await?,
                position: None,
            });
        };
        let read = Transaction::default()
            .then_read(lock_key)
            .then_read(position_key);
        let read = self.gateway.transact(&read, part).await?;
        Ok(Seen::from_outcome(read.answer))
    }

    /// The position that a run by `rule` begins, or why it may not begin.
    fn next(
        &self,
        request: &AcquireRequest,
        rule: PositionRule,
        entry: Option<&Entry>,
    ) -> Result<Result<StoredPosition, Refusal>, LockError> {
        let stored = entry.map(|entry| self.position_in(request, entry));
        let stored = stored.transpose()?;
        let now = self.now();
        let next = rule.next(stored.as_ref().map(StoredPosition::position), now);
        Ok(match next {
            Ok(next) => {
                // If nobody extends or releases the lease.
                let free_at = self.after(request.at_most());
                Ok(StoredPosition::new(next, self.info.node_name(), free_at))
            }
            Err(reason) => {
                let position = stored.as_ref().map(StoredPosition::position);
                let node = stored.map(|stored| stored.node).unwrap_or_default();
                Err(Refusal::of_position(reason, &node).with_position(position))
            }
        })
    }

    /// The answer to a request that finds the lock's key.
    fn answer(
        &self,
        request: &AcquireRequest,
        entry: &Entry,
        position: Option<&Entry>,
    ) -> Result<Acquisition, LockError> {
        let key = self.keys.lock(request.name().as_str());
        let stored = LockValue::parse(&entry.value).ok_or_else(|| error::foreign(&key))?;
        if entry.lease == 0 {
            return Err(error::endless(&key));
        }
        // etcd has deleted the key of a lease that has ended. How long this lease lasts would be a second question.
        let token = u64::try_from(entry.create_revision).ok();
        let mut answer = request.answer_from_record(&self.info, stored.owner, GRAIN, token)?;
        match &mut answer {
            Acquisition::Granted(_) => {
                let begun = position.map(|entry| self.position_in(request, entry));
                let begun = begun.transpose()?;
                self.note_won(request, begun.map(|begun| Beside::of(begun, true)));
            }
            Acquisition::Refused(refusal) => refusal.remaining = None,
        }
        Ok(answer)
    }

    fn note_won(&self, request: &AcquireRequest, beside: Option<Beside>) {
        if let Some(beside) = beside {
            request.note(&self.info, beside);
        }
        request.note(&self.info, Won);
    }

    /// The position in an entry that stands under the key of the lock's position.
    fn position_in(
        &self,
        request: &AcquireRequest,
        entry: &Entry,
    ) -> Result<StoredPosition, LockError> {
        let foreign = || error::foreign(&self.keys.position(request.name().as_str()));
        StoredPosition::parse(&entry.value).ok_or_else(foreign)
    }
}

/// The holder that has not released the lock, from the transaction that took the lock: its second operation replaced the key of the holder
/// before, and its third one `found` the position.
fn dead_holder(outcome: &mut Outcome, found: Option<&StoredPosition>) -> Option<Predecessor> {
    let holder = outcome.replaced(1)?;
    let stored = LockValue::parse(&holder.value)?;
    let dead = Predecessor::from_record(stored.owner, stored.since, None)?;
    // The holder's key was written in the transaction that created the lock's key.
    let token = u64::try_from(holder.mod_revision).ok();
    Some(
        dead.with_fencing_token(token)
            .with_position(found.map(StoredPosition::position)),
    )
}
