//! Reading and changing the locks in etcd as an operator.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use shedlock_runtime::{
    LockError, LockInfo, LockName, LockRecords, LockValue, OperatorMark, Overrule, Selection,
};

use crate::acquire::{MOST_RACES, Seen};
use crate::error;
use crate::messages::Entry;
use crate::position::StoredPosition;
use crate::provider::{EtcdLockProvider, PART};
use crate::store::lease_id;
use crate::transaction::Transaction;

/// How many questions of one call are on their way at the same time.
const AT_ONCE: usize = 16;
/// The greatest number of keys that one call deletes.
const MOST_FORGOTTEN: usize = 1_000;

impl EtcdLockProvider {
    /// What operators see of a lock's key; `None` if it has ended, or is no key of a lock.
    async fn describe(&self, entry: Entry) -> Result<Option<LockInfo>, LockError> {
        // The name of a lock is always UTF-8. A key that is not UTF-8 belongs to another program.
        let key = std::str::from_utf8(&entry.key).ok();
        let Some(name) = key.and_then(|key| self.keys.name(key)) else {
            return Ok(None);
        };
        let Some(stored) = LockValue::parse(&entry.value) else {
            let problem = "the key holds what is no lock's value";
            return Ok(Some(LockInfo::unreadable(name, problem)));
        };
        let token = u64::try_from(entry.create_revision).ok();
        let position = self.keys.position(name);
        let position = async {
            let entry = self.gateway.entry(&position, PART).await?;
            let stored = entry.and_then(|entry| StoredPosition::parse(&entry.value));
            Ok(stored.map(|stored| stored.position()))
        };
        if entry.lease == 0 {
            let forever = self.info.capabilities().longest_lease();
            let info = LockInfo::from_remaining(name, stored.owner, forever)
                .with_problem("the key is under no lease")
                .with_position(position.await?);
            return Ok(Some(info.with_fencing_token(token)));
        }
        let remaining = self.gateway.remaining(entry.lease, PART);
        let (Some(remaining), position) = try_join(remaining, position).await? else {
            return Ok(None);
        };
        // A new leader may not know yet when leases end.
        let remaining = remaining.min(self.info.capabilities().longest_lease());
        let mut info = LockInfo::from_remaining(name, stored.owner, remaining);
        info.since = stored.since;
        Ok(Some(info.with_fencing_token(token).with_position(position)))
    }

    /// What `overrule` does to the keys of the lock `name` as seen; `None` if `overrule` does not apply.
    fn plan(
        &self,
        name: &LockName,
        seen: &Seen,
        overrule: &Overrule<'_>,
    ) -> Result<Option<Plan>, LockError> {
        let key = &self.keys.lock(name.as_str());
        let found = seen.lock.as_ref();
        let stored =
            found.map(|entry| LockValue::parse(&entry.value).ok_or_else(|| error::foreign(key)));
        let stored = stored.transpose()?;
        let mark = stored
            .as_ref()
            .and_then(|stored| OperatorMark::parse(stored.owner));
        let is_paused = mark.is_some_and(|mark| mark.is_pause());
        let revision = found.map_or(0, |entry| entry.mod_revision);
        let unchanged = Transaction::default().if_unchanged(key, revision);
        // The operator has ended the hold, so the next acquisition reports no takeover.
        let overruled = |change: Transaction| change.then_delete(&self.keys.holder(name.as_str()));
        let mut free_at = self.now();
        let (transaction, lease) = match overrule {
            Overrule::Pause { mark, until } => {
                free_at = *until;
                let now = self.now();
                let length = Overrule::pause_length(*until, now)?;
                let value = LockValue::format(now, &mark.to_string());
                let node = self.info.node_name();
                // Two pauses never share a lease.
                let lease = lease_id(&format!("{value} {key} {revision} {until:?} {node}"));
                let seconds = self.info.capabilities().steps(length);
                let pause = overruled(unchanged.then_put(key, &value, lease));
                (pause, Some((lease, seconds)))
            }
            Overrule::Release { .. } if stored.is_some() => {
                (overruled(unchanged.then_delete(key)), None)
            }
            Overrule::Resume if is_paused => (unchanged.then_delete(key), None),
            Overrule::Release { .. } | Overrule::Resume => return Ok(None),
            _ => return Err(error::unknown(overrule)),
        };
        let position_key = &self.keys.position(name.as_str());
        let transaction = transaction.otherwise_read(key).otherwise_read(position_key);
        let position = seen.position.as_ref();
        let stored = position.and_then(|entry| StoredPosition::parse(&entry.value));
        let with_position = position.zip(stored).map(|(entry, stored)| {
            // A run may have begun and ended since, and the key of the lock be absent as before.
            let unchanged = transaction
                .clone()
                .if_unchanged(position_key, entry.mod_revision);
            unchanged.then_put(position_key, &stored.free_at(free_at).format(), 0)
        });
        Ok(Some(Plan {
            transaction,
            with_position,
            lease,
        }))
    }
}

/// One attempt to overrule a lock.
struct Plan {
    transaction: Transaction,
    /// The same, and the position of the lock with the time at which the lock is free; `None` if the lock has no position.
    with_position: Option<Transaction>,
    /// The lease of the key that the transaction puts, with its seconds; `None` if the transaction deletes the key.
    lease: Option<(i64, u64)>,
}

#[async_trait]
impl LockRecords for EtcdLockProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let entries: Vec<Entry> = match selection {
            Selection::Name(name) => {
                let key = self.keys.lock(name.as_str());
                self.gateway.entry(&key, PART).await?.into_iter().collect()
            }
            Selection::Prefix(prefix) => {
                let prefix = self.keys.lock(prefix);
                self.gateway.entries(&prefix, PART).await?
            }
        };
        let described = stream::iter(entries).map(|entry| self.describe(entry));
        let described: Vec<_> = described.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(described.into_iter().flatten().collect())
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let key = self.keys.lock(name.as_str());
        let position_key = self.keys.position(name.as_str());
        let mut found = self.look(&key, Some(&position_key), PART).await?;
        for _ in 0..MOST_RACES {
            let Some(plan) = self.plan(name, &found, overrule)? else {
                return Ok(false);
            };
            if let Some((lease, seconds)) = plan.lease {
                self.gateway.grant(lease, seconds, PART).await?;
            }
            let (gateway, least) = (&self.gateway, &plan.transaction);
            let reply = match &plan.with_position {
                Some(whole) => gateway.transact_or(whole, least, PART).await?,
                None => gateway.transact(least, PART).await?,
            };
            let outcome = reply.answer;
            let put = plan.lease.map_or(0, |(lease, _)| lease);
            if outcome.succeeded {
                // The lease of the holder, which holds nothing any more.
                if let Some(old) = found.lock.filter(|entry| entry.lease != 0) {
                    self.gateway.tidy(old.lease, PART).await;
                }
                return Ok(true);
            }
            let seen = Seen::from_outcome(outcome);
            // An earlier attempt of this question was carried out, or somebody else has freed the lock since it was found taken.
            if seen.lock.as_ref().map_or(0, |entry| entry.lease) == put {
                return Ok(true);
            }
            if put != 0 {
                self.gateway.tidy(put, PART).await;
            }
            // The hold that was meant has ended, and another one has begun since.
            let began = |seen: &Seen| seen.lock.as_ref().map(|entry| entry.create_revision);
            if put == 0 && began(&seen) != began(&found) {
                return Ok(true);
            }
            found = seen;
        }
        Err(error::raced())
    }

    /// Deletes what stands beside a free lock, which has no key of its own: a position, and a holder that never released the lock.
    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let mut beside = Vec::new();
        for prefix in [self.keys.position(prefix), self.keys.holder(prefix)] {
            beside.extend(self.gateway.entries(&prefix, PART).await?);
        }
        let now = self.now();
        let is_old = |entry: &Entry| {
            let written = written_at(&entry.value);
            let age = written.map(|written| now.duration_since(written).unwrap_or_default());
            age.is_some_and(|age| age >= unused_for)
        };
        let old = beside.into_iter().filter(is_old).take(MOST_FORGOTTEN);
        let deleted = stream::iter(old).map(|entry| self.forget_entry(entry));
        let deleted: Vec<bool> = deleted.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(deleted.into_iter().filter(|deleted| *deleted).count() as u64)
    }
}

/// When the value of a position or of a holder was written, by the clock of the node that wrote it; `None` if it is neither.
fn written_at(value: &[u8]) -> Option<SystemTime> {
    match StoredPosition::parse(value) {
        Some(position) => position.at(),
        None => LockValue::parse(value)?.since,
    }
}

impl EtcdLockProvider {
    /// Deletes a key beside a lock as it was read, if the lock is free.
    async fn forget_entry(&self, entry: Entry) -> Result<bool, LockError> {
        let key = String::from_utf8(entry.key).unwrap_or_default();
        let Some(name) = self.keys.name_beside(&key) else {
            return Ok(false);
        };
        let forget = Transaction::default()
            .if_absent(&self.keys.lock(name))
            .if_unchanged(&key, entry.mod_revision)
            .then_delete(&key);
        Ok(self.gateway.transact(&forget, PART).await?.answer.succeeded)
    }
}
