//! What a provider does to the records of its store for operators, whoever holds the locks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::seam::lock_info::LockInfo;
use crate::seam::provider::LockProvider;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

/// A provider that can read, overrule and forget the records of its store. Programs call [`LockAdmin`](crate::LockAdmin), which every
/// `LockRecords` has.
///
/// `LockAdmin` checks names and prefixes, limits the time of each call, adds the operation to each error, and writes to the log and the
/// listeners. So an implementation contains only what is special about its store.
///
/// # Contract
///
/// - The store changes each record by one atomic decision. A holder's write that arrives later finds the operator's mark in place of its
///   owner, and changes nothing.
/// - A record that cannot be read is in the answer of [`records`](Self::records), with its problem. It does not prevent that other records are
///   read, and no method changes it.
///
/// # Cancel safety
///
/// As for [`LockProvider`].
///
/// # Examples
///
/// A wrapper that lets operators read, and change nothing. Three stores that implement the trait from the ground up are in the repository's
/// example `write_your_own_provider`.
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::{
///     AcquireRequest, Acquisition, ErrorKind, InMemoryLockProvider, Lease, LockAdmin as _, LockError, LockInfo, LockName, LockProvider,
///     LockRecords, Overrule, Ownership, ProviderInfo, Selection, async_trait,
/// };
///
/// #[derive(Debug)]
/// struct ReadOnly<P>(P);
///
/// fn refused() -> LockError {
///     LockError::new(ErrorKind::Unsupported, "this program may only look at locks")
/// }
///
/// #[async_trait]
/// impl<P: LockRecords> LockRecords for ReadOnly<P> {
///     async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
///         self.0.records(selection).await
///     }
///
///     async fn overrule(&self, _name: &LockName, _overrule: &Overrule<'_>) -> Result<bool, LockError> {
///         Err(refused())
///     }
///
///     async fn forget(&self, _prefix: &str, _unused_for: Duration) -> Result<u64, LockError> {
///         Err(refused())
///     }
/// }
///
/// #[async_trait]
/// impl<P: LockRecords> LockProvider for ReadOnly<P> {
///     fn info(&self) -> &ProviderInfo {
///         self.0.info()
///     }
///
///     async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
///         self.0.acquire(request).await
///     }
///
///     async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
///         self.0.extend(lease, at_most).await
///     }
///
///     async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
///         self.0.release(lease, keep_for).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), LockError> {
/// let provider = ReadOnly(InMemoryLockProvider::new());
/// assert!(provider.list().await?.is_empty());
/// let error = provider.force_release("mail", "its node is gone").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait LockRecords: LockProvider {
    /// Reads the records that `selection` names, in any order. A lock without a record is not in the answer.
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError>;

    /// Changes the record of the lock `name`, whoever holds the lock. Answers whether the record was in the state that the variant of
    /// [`Overrule`] demands; if it was not, nothing was changed.
    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError>;

    /// Deletes records of locks that have been free for `unused_for` and whose names begin with `prefix`, compared byte by byte. Answers how
    /// many records it deleted.
    ///
    /// One call deletes a bounded number of records, such as a thousand. The caller repeats the call until the answer is zero.
    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError>;
}

/// Which records [`LockRecords::records`] reads.
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
    /// The record of one lock.
    Name(&'a LockName),
    /// The records of all locks whose names begin with this prefix, compared byte by byte. Every name begins with the empty prefix.
    Prefix(&'a str),
}

impl Selection<'_> {
    /// Whether the selection includes the record of the lock `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Name(one) => one.as_str() == name,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

/// How an operator changes a record, whoever holds the lock.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use shedlock_runtime::{InMemoryLockProvider, LockName, LockRecords as _, OperatorMark, Overrule};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// let (provider, name) = (InMemoryLockProvider::new(), LockName::new("mail")?);
/// let mark = OperatorMark::paused("moving the mail server");
/// let until = SystemTime::now() + Duration::from_secs(3600);
/// assert!(provider.overrule(&name, &Overrule::Pause { mark: &mark, until }).await?);
/// assert!(provider.overrule(&name, &Overrule::Resume).await?);
/// assert!(!provider.overrule(&name, &Overrule::Resume).await?, "the lock is not paused any more");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overrule<'a> {
    /// Frees a lock that is taken, be it by a holder, by an `at_least` or by a pause: the record ends now, and bears `mark` in place of the
    /// owner. A store that keeps no records of free locks deletes the record.
    Release {
        /// The mark to store in place of the owner.
        mark: &'a OperatorMark,
    },
    /// Takes the lock until `until`, whether or not there is a record, and stores `mark` in place of the owner.
    Pause {
        /// The mark to store in place of the owner.
        mark: &'a OperatorMark,
        /// When the pause ends, as a time of day; see [`Overrule::pause_length`].
        until: SystemTime,
    },
    /// Ends a pause now, if the lock is paused. A store that keeps no records of free locks deletes the record.
    Resume,
}

impl Overrule<'_> {
    /// How long a pause lasts that ends at `until` if the time of day is `now`.
    ///
    /// Take `now` from the store's clock if the provider can read that clock, and from
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
