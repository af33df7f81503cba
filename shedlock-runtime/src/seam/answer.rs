//! The answers of a provider.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use crate::seam::lease::Lease;
use crate::values::operator_mark::OperatorMark;
use crate::values::outcome::SkipReason;
use crate::values::owner::Owner;
use crate::values::position::Position;
use crate::values::printable::printable;

/// The answer to [`LockProvider::acquire`](crate::LockProvider::acquire).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{AcquireRequest, Acquisition, InMemoryLockProvider, LockConfiguration, LockProvider as _, SkipReason};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// let provider = InMemoryLockProvider::new();
/// let config = LockConfiguration::new("mail", "5m")?;
/// let request = AcquireRequest::new(config.clone(), provider.info().clock().boot());
/// let lease = provider.acquire(&request).await?.granted().expect("the lock is free");
///
/// let second = AcquireRequest::new(config, provider.info().clock().boot());
/// match provider.acquire(&second).await? {
///     Acquisition::Granted(_) => unreachable!("the first request has the lock"),
///     Acquisition::Refused(refusal) => assert_eq!(refusal.reason, SkipReason::Held),
/// }
/// # drop(lease);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Acquisition {
    /// The store granted the lock to this request.
    Granted(Lease),
    /// The store did not grant the lock.
    Refused(Refusal),
}

impl Acquisition {
    /// The lease of a granted request; `None` if the request was refused.
    #[must_use]
    pub fn granted(self) -> Option<Lease> {
        match self {
            Self::Granted(lease) => Some(lease),
            Self::Refused(_) => None,
        }
    }
}

/// Why a lock was not granted, and what is known about its holder.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::{Refusal, SkipReason};
///
/// // A provider found this owner in the record, with a lease that lasts for another minute.
/// let refusal = Refusal::from_stored("web-2", Duration::from_secs(60));
/// assert_eq!(refusal.reason, SkipReason::Held);
/// assert_eq!(refusal.node.as_deref(), Some("web-2"));
///
/// // An operator's mark in the place of the owner.
/// let refusal = Refusal::from_stored("paused: moving the mail server", Duration::from_secs(60));
/// assert_eq!(refusal.reason, SkipReason::Paused);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Why the lock was refused.
    pub reason: SkipReason,
    /// The name of the holder's node, escaped by [`printable`]; `None` if the store does not tell.
    pub node: Option<Box<str>>,
    /// How long the lock stays taken if nobody extends or releases it; `None` if the store does not tell.
    pub remaining: Option<Duration>,
    /// The position in the record that does not let the run begin; `None` if the position is not the reason, or the store does not tell.
    pub position: Option<Position>,
    holder: Option<Holder>,
    is_in_doubt: bool,
}

/// A hash that tells one acquisition from another. It is made from the owner, and does not contain the owner's random part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder(u64);

impl Holder {
    fn from_stored(stored_owner: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(stored_owner.as_bytes());
        Self(hasher.finish())
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder(..)")
    }
}

impl Refusal {
    /// The lock is held, by a holder of whom nothing more is known.
    #[must_use]
    pub const fn held() -> Self {
        Self {
            reason: SkipReason::Held,
            node: None,
            remaining: None,
            position: None,
            holder: None,
            is_in_doubt: false,
        }
    }

    /// Another node asked at the same moment and got the lock: the provider saw that node's record.
    ///
    /// A store that is busy for any other reason is an error of kind [`Unavailable`](crate::ErrorKind::Unavailable) and not this refusal.
    /// Otherwise every node could skip the job, and nobody would be alerted.
    #[must_use]
    pub const fn contended() -> Self {
        Self {
            reason: SkipReason::Contended,
            node: None,
            remaining: None,
            position: None,
            holder: None,
            is_in_doubt: false,
        }
    }

    /// This process takes no more locks.
    pub(crate) const fn shutting_down() -> Self {
        Self {
            reason: SkipReason::ShuttingDown,
            node: None,
            remaining: None,
            position: None,
            holder: None,
            is_in_doubt: false,
        }
    }

    /// An operator has paused the lock; see [`LockAdmin::pause`](crate::LockAdmin::pause).
    #[must_use]
    pub const fn paused() -> Self {
        Self {
            reason: SkipReason::Paused,
            node: None,
            remaining: None,
            position: None,
            holder: None,
            is_in_doubt: false,
        }
    }

    /// The refusal for a lock that is free, and whose position in the record does not let this run begin. `reason` is the answer of
    /// [`PositionRule::next`](crate::PositionRule::next), and `stored_owner` tells which run came before.
    #[must_use]
    pub fn of_position(reason: SkipReason, stored_owner: &str) -> Self {
        let mut refusal = Self::held().with_holder(stored_owner, Duration::ZERO);
        refusal.reason = reason;
        refusal.remaining = None;
        // The run is over: the lock has no holder who could be stuck.
        refusal.holder = None;
        refusal
    }

    /// Adds the position in the record that does not let the run begin. The runtime warns of one that lies in the future, as a clock that
    /// was wrong leaves it: no node would run until then.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Position, Refusal, SkipReason};
    ///
    /// let stored = Position { number: 1_700_000_000_000, is_done: true, tries: 1 };
    /// let refusal = Refusal::of_position(SkipReason::AlreadyRan, "web-2").with_position(Some(stored));
    /// assert_eq!(refusal.position, Some(stored));
    /// ```
    #[must_use]
    pub const fn with_position(mut self, stored: Option<Position>) -> Self {
        self.position = stored;
        self
    }

    /// Adds how long the lock stays taken, in a store that does not tell the holder.
    #[must_use]
    pub const fn with_remaining(mut self, remaining: Duration) -> Self {
        self.remaining = Some(remaining);
        self
    }

    /// The refusal for a record that bears `stored_owner` and whose lease lasts for `remaining`: the lock is paused if the owner is an
    /// operator's mark of a pause, and held otherwise.
    #[must_use]
    pub fn from_stored(stored_owner: &str, remaining: Duration) -> Self {
        if OperatorMark::parse(stored_owner).is_some_and(|mark| mark.is_pause()) {
            Self::paused().with_remaining(remaining)
        } else {
            Self::held().with_holder(stored_owner, remaining)
        }
    }

    /// Adds the holder, given the owner as it stands in the record, and how long the lock stays taken.
    #[must_use]
    pub fn with_holder(mut self, stored_owner: &str, remaining: Duration) -> Self {
        let node = Owner::node_of(stored_owner);
        // Nodes on the JVM write their name alone, the same each time.
        self.holder = Owner::acquisition_of(stored_owner).map(Holder::from_stored);
        self.node = Some(printable(node).into());
        self.remaining = Some(remaining);
        self
    }

    /// Says that the provider had sent the request once before, over a connection that broke without an answer.
    ///
    /// The store may still receive that first request, and may grant it once the holder is gone. The runtime therefore looks for such a
    /// grant until the requested lease would have ended, and releases what it finds.
    #[must_use]
    pub const fn after_a_request_without_answer(mut self) -> Self {
        self.is_in_doubt = true;
        self
    }

    /// Whether another request of the same attempt may still be on its way.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// Which acquisition holds the lock, where the store says so.
    pub(crate) fn holder(&self) -> Option<Holder> {
        self.holder
    }
}

/// The answer to [`LockProvider::extend`](crate::LockProvider::extend) and
/// [`LockProvider::release`](crate::LockProvider::release): whose the lock was when the request arrived.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Ownership};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// let provider = InMemoryLockProvider::new();
/// let lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("it is free");
/// // A task that took longer than its lease may have run beside another node's.
/// if lock.unlock().await? == Ownership::Lost {
///     eprintln!("the lease had ended before the task did");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The lock was the caller's. After an extension, the lease ends `at_most` after the request. After a release, the lock is free, or
    /// becomes free when `at_least` has passed.
    Ours,
    /// The lease had ended, or the lock belonged to another holder. The store changed nothing.
    Lost,
}
