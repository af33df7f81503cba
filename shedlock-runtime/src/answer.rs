//! What a provider answers.

use std::time::Duration;

use crate::lease::Lease;
use crate::mark::Mark;
use crate::outcome::SkipReason;
use crate::owner::Owner;

/// The answer to [`LockProvider::acquire`](crate::LockProvider::acquire).
#[derive(Debug)]
pub enum Acquired {
    /// The lock is the caller's.
    Granted(Lease),
    /// It is not.
    Refused(Refusal),
}

impl Acquired {
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
    /// The holder's node.
    pub node: Option<Box<str>>,
    /// How long the lock stays taken, if nobody extends or releases it.
    pub remaining: Option<Duration>,
}

impl Refusal {
    /// Somebody holds the lock.
    #[must_use]
    pub const fn held() -> Self {
        Self {
            reason: SkipReason::Held,
            node: None,
            remaining: None,
        }
    }

    /// Somebody else asked at the same moment and was first.
    #[must_use]
    pub const fn contended() -> Self {
        Self {
            reason: SkipReason::Contended,
            node: None,
            remaining: None,
        }
    }

    /// This process takes no more locks.
    pub(crate) const fn shutting_down() -> Self {
        Self {
            reason: SkipReason::ShuttingDown,
            node: None,
            remaining: None,
        }
    }

    /// An operator has paused the lock; see [`LockAdmin::pause`](crate::LockAdmin::pause).
    #[must_use]
    pub const fn paused() -> Self {
        Self {
            reason: SkipReason::Paused,
            node: None,
            remaining: None,
        }
    }

    /// Adds for how long, where the store does not say who.
    #[must_use]
    pub const fn lasting(mut self, remaining: Duration) -> Self {
        self.remaining = Some(remaining);
        self
    }

    /// Somebody holds the lock, or an operator has paused it, as the owner that is stored says.
    #[must_use]
    pub fn of(stored_owner: &str, remaining: Duration) -> Self {
        if Mark::of(stored_owner).is_some_and(|mark| mark.is_pause()) {
            Self::paused().lasting(remaining)
        } else {
            Self::held().by(stored_owner, remaining)
        }
    }

    /// Adds who holds it, given the owner as stored, and for how long.
    #[must_use]
    pub fn by(mut self, stored_owner: &str, remaining: Duration) -> Self {
        self.node = Some(Owner::node_of(stored_owner).into());
        self.remaining = Some(remaining);
        self
    }
}

/// The answer to [`LockProvider::extend`](crate::LockProvider::extend).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// The lease ends `at_most` after the request.
    Extended,
    /// The lease had ended or the lock is somebody else's; nothing was changed.
    Lost,
}

/// The answer to [`LockProvider::release`](crate::LockProvider::release).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The lock is free, or will be when `at_least` is over.
    Released,
    /// The lock was not the caller's any more; nothing was changed.
    Lost,
}
