//! Extending and releasing a lock: one transaction, with a lease before it and the end of a lease behind it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{Lease, LockError, LockValue, OwnerWrite, Ownership, Standing};

use crate::acquire::Claim;
use crate::position::{Beside, StoredPosition};
use crate::provider::{EtcdLockProvider, PART};
use crate::store::lease_id;
use crate::transaction::Transaction;

/// An extension or a release.
pub(crate) struct Change {
    write: OwnerWrite,
    /// How long the lock stays taken from now; zero frees it.
    taken_for: Duration,
    is_release: bool,
    /// Whether the change marks the position that the lease has begun as done.
    is_done: bool,
    /// Whether the change takes the try off the position that the lease has begun.
    is_unused: bool,
}

impl Change {
    pub(crate) fn extension(write: OwnerWrite, at_most: Duration) -> Self {
        Self {
            write,
            taken_for: at_most,
            is_release: false,
            is_done: false,
            is_unused: false,
        }
    }

    /// The release of `lease` by this write.
    pub(crate) fn release(lease: &Lease, write: OwnerWrite, keep_for: Duration) -> Self {
        Self {
            write,
            taken_for: keep_for,
            is_release: true,
            is_done: lease.is_done(),
            is_unused: lease.is_unused(),
        }
    }

    /// The position of the lock after the change.
    fn position(&self, before: &Beside, free_at: SystemTime) -> StoredPosition {
        let position = before.stored.clone().free_at(free_at);
        if self.is_done && before.is_begun {
            position.done()
        } else if self.is_unused {
            position.unused()
        } else {
            position
        }
    }

    /// Whether all that needs room in the database is the time in a position. The release of a lock is worth more.
    fn can_do_without(&self, position: &Beside) -> bool {
        self.taken_for.is_zero() && !(self.is_done && position.is_begun) && !self.is_unused
    }
}

impl EtcdLockProvider {
    /// Carries out `what`, on condition that the lock is still the lease's.
    pub(crate) async fn change(
        &self,
        lease: &Lease,
        what: &Change,
    ) -> Result<Ownership, LockError> {
        let (claim, beside) = match lease.noted::<Claim>(&self.info) {
            Some(claim) => {
                let beside = match lease.noted::<Beside>(&self.info) {
                    // The answer that would have told the position was lost.
                    None if what.is_unused => {
                        let found = self.claim_from_keys(lease, &what.write).await?;
                        found.and_then(|(_claim, beside)| beside).map(Arc::new)
                    }
                    noted => noted,
                };
                (claim, beside)
            }
            None => match self.claim_from_keys(lease, &what.write).await? {
                Some((claim, beside)) => (Arc::new(claim), beside.map(Arc::new)),
                None => return Ok(Ownership::Lost),
            },
        };
        let (part, name) = (claim.part, lease.name().as_str());
        let (key, write) = (self.keys.lock(name), &what.write);
        let number = write
            .stored()
            .get(write.first().len()..)
            .unwrap_or_default();
        let value = format!("{}{number}", claim.value);
        let next = (!what.taken_for.is_zero()).then(|| lease_id(&value));

        // Between the two are the values of this acquisition with a lesser number or none: without its last digit, the first value is less
        // than itself and greater than the values of any other acquisition that are.
        let below = claim.value.split_at(claim.value.len() - 1).0;
        let mut change = Transaction::default().if_between(&key, below, &value);
        change = match next {
            Some(next) => change.then_put(&key, &value, next),
            None => change.then_delete(&key),
        };
        if what.is_release {
            change = change.then_delete(&self.keys.holder(name));
        }
        change = change.otherwise_read(&key);
        let mut without_position = None;
        if let Some(beside) = &beside {
            if what.can_do_without(beside) {
                without_position = Some(change.clone());
            }
            let position_key = self.keys.position(name);
            let position = what.position(beside, self.after(what.taken_for));
            change = change.then_put(&position_key, &position.format(), 0);
            if let Some(revision) = beside.revision {
                change = change.if_unchanged(&position_key, revision);
            }
        }

        if let Some(next) = next {
            claim.add_lease(next);
            let seconds = self.info.capabilities().steps(what.taken_for);
            self.gateway.grant(next, seconds, part).await?;
        }
        // After a lost answer nothing is revoked: the lock may be under the new lease.
        let reply = match &without_position {
            Some(without) => self.gateway.transact_or(&change, without, part).await?,
            None => self.gateway.transact(&change, part).await?,
        };
        let (mut outcome, is_in_doubt) = (reply.answer, reply.is_in_doubt);
        let found = outcome.entry(0);
        let stored = found
            .as_ref()
            .and_then(|entry| LockValue::parse(&entry.value));
        let standing = match stored {
            _ if outcome.succeeded => Standing::Same,
            Some(stored) => write.standing(stored.owner),
            None => Standing::Foreign,
        };
        match standing {
            // Carried out now, or before by the same question, whose answer was lost.
            Standing::Same => {
                for old in claim.leases_but(next) {
                    self.gateway.tidy(old, part).await;
                }
                claim.keep_lease(next);
                Ok(Ownership::Ours)
            }
            // A later write of this acquisition has put the key under a lease of its own.
            Standing::Earlier | Standing::Later => {
                if let Some(next) = next {
                    self.gateway.tidy(next, part).await;
                }
                Ok(Ownership::Lost)
            }
            Standing::Foreign => {
                if what.is_release {
                    self.forget_holder(name, &claim).await;
                }
                let mut had_a_lease = false;
                for old in claim.leases_but(None) {
                    had_a_lease |= self.gateway.tidy(old, part).await == Some(true);
                }
                // If the lock had ended, so would its lease: it was an earlier attempt of this release that deleted the key.
                let is_released = found.is_none() && next.is_none() && is_in_doubt && had_a_lease;
                Ok(if is_released {
                    Ownership::Ours
                } else {
                    Ownership::Lost
                })
            }
        }
    }

    /// The claim of a lease that another process has acquired, and the position of its lock; `None` if the lock's key is no longer the
    /// lease's.
    async fn claim_from_keys(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
    ) -> Result<Option<(Claim, Option<Beside>)>, LockError> {
        let name = lease.name().as_str();
        let (key, position_key) = (self.keys.lock(name), self.keys.position(name));
        let seen = self.look(&key, Some(&position_key), PART).await?;
        let beside = seen.position.and_then(|entry| {
            let stored = StoredPosition::parse(&entry.value)?;
            Some(Beside {
                revision: Some(entry.mod_revision),
                ..Beside::of(stored, false)
            })
        });
        let claim = seen.lock.and_then(|entry| {
            let text = std::str::from_utf8(&entry.value).ok()?;
            let owner = LockValue::parse(&entry.value)?.owner;
            let is_ours = write.standing(owner) != Standing::Foreign;
            let before_owner = text.strip_suffix(owner).filter(|_| is_ours)?;
            let claim = Claim::new(format!("{before_owner}{}", write.first()), PART);
            claim.add_lease(entry.lease);
            Some(claim)
        });
        Ok(claim.map(|claim| (claim, beside)))
    }

    /// Deletes the key of the holder that `claim` is about, after a release that came too late. The next acquisition then reports no takeover.
    async fn forget_holder(&self, name: &str, claim: &Claim) {
        let holder = self.keys.holder(name);
        let forget = Transaction::default()
            .if_value(&holder, &claim.value)
            .then_delete(&holder);
        let forgotten = self.gateway.transact(&forget, claim.part);
        // If this fails, the next acquisition reports a takeover. The answer to the release is the same.
        let _either = tokio::time::timeout(claim.part, forgotten).await;
    }
}
