//! What is asked of the database, and what it answers.

use std::time::Duration;

use shedlock_runtime::{AcquireRequest, LockError, LockInfo, LockName, OwnerWrite};
use shedlock_sql::Description;

use crate::store::{Paused, Verdict};

/// What to ask the database.
pub(crate) enum Ask<'a> {
    Acquire(&'a AcquireRequest),
    /// Who holds the lock, without waiting for anybody.
    Holder(&'a LockName),
    Change(Change<'a>),
    /// The row of one lock, or of all.
    Read(Option<&'a LockName>),
    /// `until` counts from 1970.
    Pause {
        lock: &'a LockName,
        mark: &'a str,
        until: Duration,
    },
    /// Makes the table if it is not there. A user who may not create tables can call it when somebody else has.
    EnsureTable,
    Describe,
}

/// What only changes or deletes rows; the answer is how many.
pub(crate) enum Change<'a> {
    Extend {
        lock: &'a LockName,
        write: &'a OwnerWrite,
        at_most: Duration,
    },
    Release {
        lock: &'a LockName,
        write: &'a OwnerWrite,
        keep_for: Duration,
    },
    ForceRelease {
        lock: &'a LockName,
        mark: &'a str,
    },
    Resume(&'a LockName),
    /// Deletes some of the rows whose names begin so and that have been free for so long.
    Prune {
        prefix: &'a str,
        unused_for: Duration,
    },
}

/// What it says.
pub(crate) enum Reply {
    Verdict {
        verdict: Verdict,
        /// Whether an earlier request of this call got no answer, and may still be on its way.
        is_in_doubt: bool,
    },
    Holder(Option<Verdict>),
    /// So many rows.
    Changed(u64),
    Locks(Vec<LockInfo>),
    Paused(Paused),
    Executed,
    Described(Box<Description>),
    /// Others were at the row each time; nothing was written.
    Busy(LockError),
}

/// Why there is no answer on one connection.
pub(crate) enum Fail {
    /// The driver's error.
    Database(sqlx::Error),
    /// An answer that no other connection would change.
    Refused(LockError),
    /// The connection is inside somebody else's transaction.
    InsideTransaction,
    /// The connection leads to a file that is not the one of that name any more.
    Moved,
    /// It may be dead: it sat idle, and has not answered in its part of the time.
    Silent(Duration),
}

impl From<sqlx::Error> for Fail {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Ask<'_> {
    /// Whether its statement is another one on a table without the fencing token's column.
    pub(crate) const fn names_the_token(&self) -> bool {
        matches!(
            self,
            Self::Acquire(_) | Self::Holder(_) | Self::Read(_) | Self::Pause { .. }
        )
    }

    /// Whether a second copy, or a late one, does no harm. What an operator does to a record has no number, and who holds the lock
    /// by then would be treated as the one who held it before.
    pub(crate) const fn can_be_repeated(&self) -> bool {
        !matches!(
            self,
            Self::Pause { .. } | Self::Change(Change::ForceRelease { .. } | Change::Resume(_))
        )
    }

    /// The time for a connection that may be dead: an extension must leave some of the lease to ask another one.
    pub(crate) fn patience(&self, patience: Duration) -> Duration {
        match self {
            Self::Change(Change::Extend { at_most, .. }) => patience.min(*at_most / 12),
            _ => patience,
        }
    }
}

/// What to answer, or nothing if it is to be asked again.
pub(crate) type Answer = Option<Result<Reply, LockError>>;
