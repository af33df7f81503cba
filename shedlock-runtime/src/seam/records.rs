//! The operators' seam: what a provider does to the records of its store, past their holders.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::seam::lock_info::LockInfo;
use crate::seam::provider::LockProvider;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

/// A provider that can read, overrule and forget the records of its store. Its user gets [`LockAdmin`](crate::LockAdmin) for it.
///
/// The caller has checked names and prefixes, limits the time of each call, adds to an error what was being done, and tells the log,
/// the metrics and the listeners. So an implementation holds only what is peculiar to its store.
///
/// # Contract
///
/// - Each record is changed by one atomic decision of the store. A write that a holder still has on its way finds the operator's mark
///   in place of its owner, and changes nothing.
/// - A record that cannot be read is in the answer of [`records`](Self::records), with its problem. It hides no other, and nothing
///   changes it.
///
/// # Cancel safety
///
/// As for [`LockProvider`].
///
/// # Examples
///
/// The example `write_your_own_provider` has three stores that implement this trait.
#[async_trait]
pub trait LockRecords: LockProvider {
    /// The records that `selection` names, in any order. A lock without a record is not in the answer.
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError>;

    /// Changes the record of the lock `name` against its holder, and says whether it was as [`Overrule`] demands.
    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError>;

    /// Deletes records of locks that begin with `prefix`, compared byte by byte, and have been free for `unused_for`; says how many.
    ///
    /// One call deletes a bounded number of records, such as a thousand. The caller calls again until there is none.
    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError>;
}

/// Which records are to be read.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{LockName, Selection};
///
/// let mail = LockName::new("mail")?;
/// assert!(Selection::Name(&mail).contains("mail"));
/// assert!(!Selection::Name(&mail).contains("mail:eu"));
/// assert!(Selection::Prefix("mail:").contains("mail:eu"));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// That of one lock.
    Name(&'a LockName),
    /// Those of all locks whose names begin so, compared byte by byte; every name begins with the empty prefix.
    Prefix(&'a str),
}

impl Selection<'_> {
    /// Whether the record of the lock `name` is meant.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Name(one) => one.as_str() == name,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

/// What an operator does to a record, whoever holds its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overrule<'a> {
    /// If the lock is taken, by a holder, by an `at_least` or by a pause: ends that now, and puts `mark` in place of the owner.
    /// A store that keeps no free records deletes the record.
    Release {
        /// What to store.
        mark: &'a OperatorMark,
    },
    /// Whether or not there is a record: the lock is taken until `until`, with `mark` in place of the owner.
    Pause {
        /// What to store.
        mark: &'a OperatorMark,
        /// When the pause ends; see [`Overrule::pause_length`].
        until: SystemTime,
    },
    /// If the lock is paused and the pause lasts: ends it now. A store that keeps no free records deletes the record.
    Resume,
}

impl Overrule<'_> {
    /// How long a pause until `until` lasts if the time is `now`, by the store's clock where the provider knows it, and by
    /// [`ProviderInfo::clock`](crate::ProviderInfo::clock) otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidDuration`] if `until` has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use shedlock_runtime::Overrule;
    ///
    /// let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
    /// assert_eq!(Overrule::pause_length(now + hour, now)?, hour);
    /// assert!(Overrule::pause_length(now, now).is_err());
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn pause_length(until: SystemTime, now: SystemTime) -> Result<Duration, LockError> {
        match until.duration_since(now) {
            Ok(left) if !left.is_zero() => Ok(left),
            _ => {
                let past = LockError::new(
                    ErrorKind::InvalidDuration,
                    "the end of the pause has passed",
                );
                Err(past.with_remedy("give a time that is still to come"))
            }
        }
    }
}

impl fmt::Display for Overrule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Release { .. } => "release",
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockRecords + ?Sized> LockRecords for Arc<P> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        (**self).records(selection).await
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        (**self).overrule(name, overrule).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        (**self).forget(prefix, unused_for).await
    }
}
