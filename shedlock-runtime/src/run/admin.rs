//! What an operator does to the locks of a store.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::observe::event::EventKind;
use crate::observe::events::{self, Subject};
use crate::seam::lock_info::LockInfo;
use crate::seam::records::{LockRecords, Overrule, Selection};
use crate::values::duration::ToDuration as _;
use crate::values::error::{LockError, Operation};
use crate::values::limit::limited;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

/// How long the store may take for a question about one lock.
const LIMIT: Duration = Duration::from_secs(5);

/// How long the store may take to read all records, or to forget some.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// What an operator does to the locks of a store; every [`LockRecords`] is one.
///
/// A name or prefix that cannot name a lock in this store is refused before the store is asked. One question to the store may take five
/// seconds, and reading all records, or forgetting some, thirty. What was done is an INFO line and an event for listeners.
///
/// None of it asks the holder: a lock that is paused or released by hand is lost to whoever held it. The holder finds out
/// when it extends or releases the lock, and whoever must not run beside it compares fencing tokens.
///
/// # Errors
///
/// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) for a name that cannot name a lock in this store. Otherwise the store's error: it could not say, or may
/// not do this.
///
/// # Cancel safety
///
/// Each future may be dropped at any await; the store may then have carried out the request.
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
    /// Every lock that the store has a record of, by name, byte by byte. Free locks are among them where the store keeps their records:
    /// see [`Capabilities::keeps_free_records`](crate::Capabilities::keeps_free_records).
    ///
    /// A record that says nothing of use is in the list too, with its [`problem`](LockInfo::problem).
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        let read = limited(LIST_LIMIT, self.records(Selection::Prefix(""))).await;
        let mut locks = read.map_err(in_context(self, Operation::List, None))?;
        locks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(locks)
    }

    /// One lock, or `None` if the store has no record of it.
    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let name = self.info().lock_name(Operation::Get, name)?;
        let read = limited(LIMIT, self.records(Selection::Name(&name))).await;
        let mut found = read.map_err(in_context(self, Operation::Get, Some(&name)))?;
        Ok(found.pop())
    }

    /// Frees a lock at once, whoever holds it, `at_least` and pauses included; says whether it was taken.
    ///
    /// The `reason`, cut to 200 characters, is kept in the record until the next acquisition, where the store keeps the records of free
    /// locks. The operator's mark replaces the holder's owner, so a release or an extension that the holder still has on its way changes
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

    /// Has every node skip this lock until then, JVM nodes too; in place of an earlier pause, if there is one.
    ///
    /// `until` is a time of day. A run in progress goes on, but has lost its lock: one with `keep_alive` is told at its
    /// next extension, one without runs to its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration) if `until` has passed by this node's clock, is more than a hundred years away, or further away than
    /// this store can keep a lock taken: then nothing was sent. The same kind if it has passed by the store's clock.
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

    /// Ends a pause; says whether there was one. A lock that is held stays held.
    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let name = self.info().lock_name(Operation::Resume, name)?;
        let resumed = overruled(self, Operation::Resume, &name, &Overrule::Resume).await?;
        if resumed {
            tell(self, &name, EventKind::Resumed);
        }
        Ok(resumed)
    }

    /// Forgets locks that have been free for `unused_for`, and says how many. Names made from data would otherwise stay
    /// for ever.
    ///
    /// JVM nodes remember which records exist, and do not make one that was deleted again before they restart: with
    /// them on the store, choose a time longer than any of their jobs pauses.
    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        self.prune_prefix("", unused_for).await
    }

    /// As [`prune`](Self::prune), of those locks alone whose names begin with `prefix`; every name begins with the empty one.
    ///
    /// Prefixes are compared byte by byte as names are, and no character stands for others: `prod:` is the prefix neither
    /// of `PROD:a` nor of `prod2:a`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) for a prefix that, unless it is empty, cannot itself name a lock; nothing was sent then.
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

/// Has an error say what was being done, to which lock and where.
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
