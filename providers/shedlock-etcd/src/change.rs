//! Extending and releasing a lock: one transaction, with a lease before it and the end of a lease behind it.

use std::time::Duration;

use shedlock_runtime::{Lease, LockError, OwnerWrite, Ownership, Position, Standing};

use crate::acquire::Claim;
use crate::error;
use crate::messages::Transaction;
use crate::position::StoredPosition;
use crate::provider::EtcdLockProvider;
use crate::store::lease_id;
use crate::value;

impl EtcdLockProvider {
    /// Carries out `write`: keeps the lock of `lease` taken for `taken_for` from now, or frees the lock if that is zero, on condition that the
    /// lock is still the lease's. A position in `done` is stored in the same step.
    pub(crate) async fn change(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        taken_for: Duration,
        done: Option<Position>,
    ) -> Result<Ownership, LockError> {
        let claim = lease.noted::<Claim>(&self.info);
        let claim = claim.ok_or_else(error::of_another_provider)?;
        let (part, key) = (claim.part, self.keys.lock(lease.name().as_str()));
        let number = write
            .stored()
            .get(write.first().len()..)
            .unwrap_or_default();
        let value = format!("{}{number}", claim.value);
        let next = (!taken_for.is_zero()).then(|| lease_id(&value));

        // Between the two are the values of this acquisition with a lesser number or none: without its last digit, the first value is less
        // than itself and greater than the values of any other acquisition that are.
        let below = claim.value.split_at(claim.value.len() - 1).0;
        let mut change = Transaction::default().if_between(&key, below, &value);
        change = match next {
            Some(next) => change.then_put(&key, &value, next),
            None => change.then_delete(&key),
        };
        if let Some(position) = done {
            let stored = StoredPosition::new(position, self.info.node_name(), self.now());
            let position_key = self.keys.position(lease.name().as_str());
            change = change.then_put(&position_key, &stored.format(), 0);
        }
        change = change.otherwise_read(&key);

        if let Some(next) = next {
            claim.add_lease(next);
            let seconds = self.info.capabilities().steps(taken_for);
            self.gateway.grant(next, seconds, part).await?;
        }
        // After a lost answer nothing is revoked: the lock may be under the new lease.
        let reply = self.gateway.transact(&change, part).await?;
        let (mut outcome, is_in_doubt) = (reply.answer, reply.is_in_doubt);
        let found = outcome.entry(0);
        let stored = found.as_ref().and_then(|entry| value::parse(&entry.value));
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
}
