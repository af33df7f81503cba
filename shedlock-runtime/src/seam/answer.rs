//! What a provider answers.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use crate::seam::lease::Lease;
use crate::values::operator_mark::OperatorMark;
use crate::values::outcome::SkipReason;
use crate::values::owner::Owner;
use crate::values::printable::printable;

/// The answer to [`LockProvider::acquire`](crate::LockProvider::acquire).
#[derive(Debug)]
pub enum Acquisition {
    /// The lock is the caller's.
    Granted(Lease),
    /// It is not.
    Refused(Refusal),
}

impl Acquisition {
    /// The lease, if there is one.
    #[must_use]
    pub fn granted(self) -> Option<Lease> {
        match self {
            Self::Granted(lease) => Some(lease),
            Self::Refused(_) => None,
        }
    }
}

/// Why a lock was not granted, and what is known about its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The reason.
    pub reason: SkipReason,
    /// The holder's node, as [`printable`] shows it.
    pub node: Option<Box<str>>,
    /// How long the lock stays taken, if nobody extends or releases it.
    pub remaining: Option<Duration>,
    holder: Option<Holder>,
    is_in_doubt: bool,
}

/// Tells acquisitions apart, without the random part of an owner that this is made from.
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
    /// Somebody holds the lock.
    #[must_use]
    pub const fn held() -> Self {
        Self {
            reason: SkipReason::Held,
            node: None,
            remaining: None,
            holder: None,
            is_in_doubt: false,
        }
    }

    /// Somebody else asked at the same moment and was first: another holder's record was there when this one lost. A store that is
    /// busy with something else is an error of kind [`Unavailable`](crate::ErrorKind::Unavailable), so that a job that no node runs
    /// is told.
    #[must_use]
    pub const fn contended() -> Self {
        Self {
            reason: SkipReason::Contended,
            node: None,
            remaining: None,
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
            holder: None,
            is_in_doubt: false,
        }
    }

    /// The lock is free, and the position in its record does not let this run begin: `reason` is what
    /// [`PositionRule::next`](crate::PositionRule::next) said. The owner that is stored tells whose run it lost to.
    #[must_use]
    pub fn of_position(reason: SkipReason, stored_owner: &str) -> Self {
        let mut refusal = Self::held().with_holder(stored_owner, Duration::ZERO);
        refusal.reason = reason;
        refusal.remaining = None;
        refusal
    }

    /// Adds for how long, where the store does not say who.
    #[must_use]
    pub const fn with_remaining(mut self, remaining: Duration) -> Self {
        self.remaining = Some(remaining);
        self
    }

    /// Somebody holds the lock, or an operator has paused it, as the owner that is stored says.
    #[must_use]
    pub fn from_stored(stored_owner: &str, remaining: Duration) -> Self {
        if OperatorMark::parse(stored_owner).is_some_and(|mark| mark.is_pause()) {
            Self::paused().with_remaining(remaining)
        } else {
            Self::held().with_holder(stored_owner, remaining)
        }
    }

    /// Adds who holds it, given the owner as stored, and for how long.
    #[must_use]
    pub fn with_holder(mut self, stored_owner: &str, remaining: Duration) -> Self {
        let node = Owner::node_of(stored_owner);
        // Nodes on the JVM write their name alone, the same each time.
        self.holder = Owner::acquisition_of(stored_owner).map(Holder::from_stored);
        self.node = Some(printable(node).into());
        self.remaining = Some(remaining);
        self
    }

    /// Says that the store was asked before, over a connection that gave no answer: the first request may still be on its way, and
    /// may be granted when the holder is gone. The runtime looks for such a grant until the lease asked for would be over,
    /// and gives it back.
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
    /// The lock was the caller's. An extended lease ends `at_most` after the request; a released lock is free, or will be when
    /// `at_least` is over.
    Ours,
    /// The lease had ended, or the lock was somebody else's; nothing was changed.
    Lost,
}
