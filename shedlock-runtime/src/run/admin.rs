//! Reading and changing the locks of a store as an operator.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::observe::event::EventKind;
use crate::observe::events::{self, Subject};
use crate::seam::history::{RunRecord, no_history};
use crate::seam::lock_info::LockInfo;
use crate::seam::records::{LockRecords, Overrule, Selection};
use crate::values::claim::{check_kept_for, prefix};
use crate::values::duration::ToDuration as _;
use crate::values::error::{LockError, Operation};
use crate::values::limit::limited;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

/// The time limit for a request about one lock.
const LIMIT: Duration = Duration::from_secs(5);

/// The time limit for a request that reads all records, or that deletes some.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// What an operator can do with the locks of a store: list, pause, resume, release by force and prune. Every provider that implements
/// [`LockRecords`] has these methods.
///
/// A name or prefix that cannot name a lock in this store is refused before the store is asked. One request to the store may take five
/// seconds; reading all records, or deleting some, may take thirty. Each change writes an INFO line to the log and an event to the
/// listeners.
///
/// No method asks the holder. If you pause a lock or release it by force while a job runs, the job goes on without its lock, and learns
/// about it when it extends or releases the lock. Where two runs at the same time would do harm, compare fencing tokens.
///
/// # Errors
///
/// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) for a name that cannot name a lock in this store. Otherwise the error of the
/// store: the store could not be reached, or the user of the connection lacks a privilege.
///
/// # Cancel safety
///
/// Each future may be dropped at any time. The store may still carry out a request that was sent before.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::time::{Duration, SystemTime};
/// use shedlock_runtime::{InMemoryLockProvider, LockAdmin, LockConfiguration, LockProviderExt as _};
///
/// let provider = InMemoryLockProvider::new();
/// let tonight = SystemTime::now() + Duration::from_secs(3600);
/// provider.pause("nightly_report", tonight, "moving the mail server").await?;
///
/// assert!(provider.try_lock(LockConfiguration::new("nightly_report", "10m")?).await?.is_none());
/// assert!(provider.get("nightly_report").await?.expect("is known").paused);
///
/// provider.resume("nightly_report").await?;
/// assert!(provider.try_lock(LockConfiguration::new("nightly_report", "10m")?).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait LockAdmin: LockRecords {
    /// Lists every lock of which the store has a record, sorted by the bytes of the names.
    ///
    /// Free locks are in the list if the store keeps their records: see
    /// [`Capabilities::keeps_free_records`](crate::Capabilities::keeps_free_records). A record that cannot be read is in the list, too,
    /// with its [`problem`](LockInfo::problem).
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        let read = limited(LIST_LIMIT, self.records(Selection::Prefix(""))).await;
        let mut locks = read.map_err(in_context(self, Operation::List, None))?;
        locks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(locks)
    }

    /// Reads the state of the lock `name`; `None` if the store has no record of this lock.
    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let name = self.info().lock_name(Operation::Get, name)?;
        let read = limited(LIMIT, self.records(Selection::Name(&name))).await;
        let mut found = read.map_err(in_context(self, Operation::Get, Some(&name)))?;
        Ok(found.pop())
    }

    /// Frees the lock `name` at once, whoever holds it. A pause or an `at_least` ends as well. Returns whether the lock was taken.
    ///
    /// The `reason`, cut to 200 characters, stays in the record until the next acquisition, if the store keeps the records of free locks.
    /// The operator's mark replaces the holder's owner in the record, so an extension or a release of the holder that arrives later changes
    /// nothing.
    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let name = self.info().lock_name(Operation::ForceRelease, name)?;
        let mark = OperatorMark::released(reason);
        let release = Overrule::Release { mark: &mark };
        let freed = overruled(self, Operation::ForceRelease, &name, &release).await?;
        if freed {
            let reason = mark.reason().into();
            tell(self, &name, EventKind::ForceReleased { reason });
        }
        Ok(freed)
    }

    /// Pauses the lock `name`: every node skips it until the time of day `until`, JVM nodes included. A later pause replaces an earlier
    /// one.
    ///
    /// A run in progress goes on, but has lost its lock. A run with `keep_alive` learns about the loss at its next extension. A run without
    /// `keep_alive` goes on to its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration), before anything is sent, if `until` has passed by this node's
    /// clock, is more than a hundred years away, or is further away than this store can keep a lock taken. The store answers with the same
    /// kind if `until` has passed by the store's clock.
    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let name = self.info().lock_name(Operation::Pause, name)?;
        check_pause(self, until).map_err(in_context(self, Operation::Pause, Some(&name)))?;
        let mark = OperatorMark::paused(reason);
        let pause = Overrule::Pause { mark: &mark, until };
        overruled(self, Operation::Pause, &name, &pause).await?;
        let reason = mark.reason().into();
        tell(self, &name, EventKind::Paused { until, reason });
        Ok(())
    }

    /// Ends a pause of the lock `name`, and returns whether the lock was paused. A lock that is held by a node stays held.
    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let name = self.info().lock_name(Operation::Resume, name)?;
        let resumed = overruled(self, Operation::Resume, &name, &Overrule::Resume).await?;
        if resumed {
            tell(self, &name, EventKind::Resumed);
        }
        Ok(resumed)
    }

    /// Deletes the claims of [texts](crate::LockConfiguration::with_instant_text) for the lock `name` that have been free for `unused_for` or
    /// longer, and returns the number of deleted claims. A text whose claim is deleted may run again.
    ///
    /// Nodes that end a run of the lock do this by themselves. `prune_claims` is for locks that no node runs any more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), before anything is sent, if `unused_for` is shorter than a minute.
    async fn prune_claims(&self, name: &str, unused_for: Duration) -> Result<u64, LockError> {
        let name = self.info().lock_name(Operation::Prune, name)?;
        check_kept_for(unused_for).map_err(in_context(self, Operation::Prune, None))?;
        self.prune_prefix(&prefix(&name), unused_for).await
    }

    /// Reads the runs of the lock `name` that began within `began`, the latest first, at most a thousand. To read more, ask for those that
    /// began before the last one.
    ///
    /// The provider keeps a history only if it was built with one. The runs of JVM nodes are not in it. A run that outlived its lease may
    /// be in it twice: as [`Crashed`](crate::RunOutcome::Crashed), by the node that took over, and with its own end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the provider keeps no history.
    async fn history(
        &self,
        name: &str,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let name = self.info().lock_name(Operation::History, name)?;
        let read = match self.run_history() {
            Some(history) => limited(LIST_LIMIT, history.runs(&name, began)).await,
            None => Err(no_history()),
        };
        read.map_err(in_context(self, Operation::History, Some(&name)))
    }

    /// Deletes the records of locks that have been free for `unused_for` or longer, and returns the number of deleted records. Without a
    /// call to `prune`, the records of names that are made from data stay for ever.
    ///
    /// JVM nodes remember which records exist, and do not insert a deleted record again: until a JVM node restarts, that node cannot take
    /// the lock. If JVM nodes share the store, choose a duration longer than the longest interval between two runs of any of their jobs.
    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        self.prune_prefix("", unused_for).await
    }

    /// Deletes records as [`prune`](Self::prune) does, but only the records of locks whose names begin with `prefix`. Every name begins
    /// with the empty prefix.
    ///
    /// The prefix is compared byte by byte, and no character is a wildcard: `prod:` is a prefix neither of `PROD:a` nor of `prod2:a`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName), before anything is sent, for a prefix that is not empty and could not
    /// itself name a lock.
    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.info().check_prefix(Operation::Prune, prefix)?;
        let mut pruned = 0;
        loop {
            let forgotten = limited(LIST_LIMIT, self.forget(prefix, unused_for)).await;
            match forgotten.map_err(in_context(self, Operation::Prune, None))? {
                0 => return Ok(pruned),
                some => pruned += some,
            }
        }
    }
}

// Not `?Sized`: a `dyn LockAdmin` has the methods already.
impl<P: LockRecords> LockAdmin for P {}

async fn overruled<P: LockRecords + ?Sized>(
    store: &P,
    operation: Operation,
    name: &LockName,
    overrule: &Overrule<'_>,
) -> Result<bool, LockError> {
    let answer = limited(LIMIT, store.overrule(name, overrule)).await;
    answer.map_err(in_context(store, operation, Some(name)))
}

/// Adds the operation, the provider and the lock to an error.
fn in_context<'a, P: LockRecords + ?Sized>(
    store: &P,
    operation: Operation,
    lock: Option<&'a LockName>,
) -> impl FnOnce(LockError) -> LockError + use<'a, P> {
    let provider = store.info().name();
    move |error| error.with_context(operation, provider, lock)
}

fn check_pause<P: LockRecords + ?Sized>(store: &P, until: SystemTime) -> Result<(), LockError> {
    let info = store.info();
    let length = Overrule::pause_length(until, info.clock().utc())?;
    length.to_duration()?;
    info.capabilities().check_keeps(length)?;
    Ok(())
}

fn tell<P: LockRecords + ?Sized>(store: &P, name: &LockName, kind: EventKind) {
    let info = store.info();
    let subject = Subject {
        name: name.clone(),
        template: None,
        provider: info.name(),
        provider_id: info.id(),
    };
    events::operator_acted(&subject, kind);
}
