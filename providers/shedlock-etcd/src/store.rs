//! What locks do in etcd: leases, and transactions on the keys of one lock.

use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use shedlock_runtime::LockError;

use crate::gateway::{Failure, Gateway, Reply};
use crate::messages::{Done, Entry, Outcome, Page, Question, Status, TimeToLive};
use crate::transaction::Transaction;

/// How many keys one answer may have.
const PAGE: usize = 500;

/// The lease of the write that stores `value`. Each write of each acquisition stores a value of its own, and so has a lease of its own.
///
/// etcd lets the client choose the number. A question for a lease that was sent twice therefore makes one lease, and whoever knows the
/// write can revoke a lease whose answer was lost. The number is a hash, so it does not show the owner's secret.
pub(crate) fn lease_id(value: &str) -> i64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(value.as_bytes());
    // Zero would let etcd choose.
    i64::try_from(hasher.finish() >> 1)
        .unwrap_or_default()
        .max(1)
}

impl Gateway {
    /// Grants the lease `id` for `seconds`. A lease that is there already is left as it is: the same question has made it before.
    pub(crate) async fn grant(
        &self,
        id: i64,
        seconds: u64,
        part: Duration,
    ) -> Result<(), LockError> {
        match self.ask::<Done>(&Question::grant(id, seconds), part).await {
            Err(failure) if failure.status().is_some_and(Status::is_lease_there_already) => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }

    /// Ends the lease `id`, and answers whether it was there.
    pub(crate) async fn revoke(&self, id: i64, part: Duration) -> Result<bool, LockError> {
        match self.ask::<Done>(&Question::revoke(id), part).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.status().is_some_and(Status::is_lease_not_found) => {
                // If an earlier attempt got no answer, it may have ended the lease.
                Ok(failure.is_in_doubt)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Ends a lease that is to hold no lock any more, and answers whether it was there; `None` if it may still be there. A failure changes no
    /// other answer: the lease ends by itself.
    pub(crate) async fn tidy(&self, id: i64, part: Duration) -> Option<bool> {
        let revoked = tokio::time::timeout(part, self.revoke(id, part)).await;
        revoked.ok()?.ok()
    }

    pub(crate) async fn transact(
        &self,
        transaction: &Transaction,
        part: Duration,
    ) -> Result<Reply<Outcome>, Failure> {
        self.ask(&transaction.question(), part).await
    }

    /// Carries out `whole`, or `least` if the database is full: etcd then takes deletions alone.
    pub(crate) async fn transact_or(
        &self,
        whole: &Transaction,
        least: &Transaction,
        part: Duration,
    ) -> Result<Reply<Outcome>, Failure> {
        let failure = match self.transact(whole, part).await {
            Err(failure) if failure.status().is_some_and(Status::is_out_of_space) => failure,
            answer => return answer,
        };
        // An earlier attempt may have been carried out before the database was full.
        let in_doubt = failure.is_in_doubt;
        match self.transact(least, part).await {
            Ok(reply) => Ok(Reply {
                is_in_doubt: reply.is_in_doubt || in_doubt,
                ..reply
            }),
            Err(failure) => Err(Failure {
                is_in_doubt: failure.is_in_doubt || in_doubt,
                ..failure
            }),
        }
    }

    pub(crate) async fn entry(
        &self,
        key: &str,
        part: Duration,
    ) -> Result<Option<Entry>, LockError> {
        let page: Page = self.ask(&Question::read(key), part).await?.answer;
        Ok(page.kvs.into_iter().next())
    }

    /// How long the lease `id` lasts at most, to the second; `None` if it has ended.
    pub(crate) async fn remaining(
        &self,
        id: i64,
        part: Duration,
    ) -> Result<Option<Duration>, LockError> {
        let reply = self
            .ask::<TimeToLive>(&Question::time_to_live(id), part)
            .await?;
        let seconds = u64::try_from(reply.answer.seconds).ok();
        // etcd cuts off the fraction.
        Ok(seconds.map(|seconds| Duration::from_secs(seconds.saturating_add(1))))
    }

    /// Reads the keys that begin with `prefix`, in their order.
    pub(crate) async fn entries(
        &self,
        prefix: &str,
        part: Duration,
    ) -> Result<Vec<Entry>, LockError> {
        let (mut entries, mut from) = (Vec::new(), prefix.as_bytes().to_vec());
        loop {
            let question = Question::page(&from, prefix, PAGE);
            let page: Page = self.ask(&question, part).await?.answer;
            entries.extend(page.kvs);
            match entries.last() {
                Some(last) if page.more => {
                    from.clone_from(&last.key);
                    // The next key in the order of bytes.
                    from.push(0);
                }
                _ => return Ok(entries),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lease_id;

    #[test]
    fn each_write_has_a_lease_of_its_own() {
        let ids: std::collections::BTreeSet<_> = (0..1_000)
            .map(|number| lease_id(&format!("web-2#{number:012x}")))
            .collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| *id > 0));
        assert_eq!(lease_id("web-2"), lease_id("web-2"));
    }
}
