//! What a store knew at one moment.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{LockInfo, RunRecord};

use crate::warnings::Warning;

/// All locks of a store at one moment, and what looks wrong with them.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::sync::Arc;
///
/// use shedlock_dashboard::Observer;
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
///
/// let provider = InMemoryLockProvider::new();
/// let _held = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?;
///
/// let snapshot = Observer::new(Arc::new(provider)).snapshot().await?;
/// assert_eq!(snapshot.provider, "memory");
/// assert_eq!(snapshot.locks.len(), 1);
/// assert!(snapshot.warnings.is_empty());
/// assert!(snapshot.store_time().is_some(), "the record of a held lock tells the time of the store");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the provider, such as `redis`.
    pub provider: &'static str,
    /// The name of the node that reads the store.
    pub node: String,
    /// When the answer of the store had arrived, by the clock of the node that reads.
    pub read_at: SystemTime,
    /// How long the store took to answer, network included.
    pub round_trip: Duration,
    /// How the clock that dates the records differs from the clock of the node that reads; `None` if no lock is held at this moment, if the store
    /// does not date its records, or if the nodes date them by their own clocks.
    pub clock_difference: Option<ClockDifference>,
    /// Whether the provider keeps a history of runs. Without one, [`LockRow::runs`] is empty.
    pub keeps_history: bool,
    /// What looks wrong, the worst first.
    pub warnings: Vec<Warning>,
    /// The locks, sorted by the bytes of their names.
    pub locks: Vec<LockRow>,
}

/// One lock in a [`Snapshot`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use shedlock_dashboard::{LockState, Observer};
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
///
/// let provider = InMemoryLockProvider::new();
/// let _held = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?;
///
/// let snapshot = Observer::new(Arc::new(provider)).snapshot().await?;
/// let mail = &snapshot.locks[0];
/// assert_eq!(mail.info.name, "mail");
/// assert_eq!(mail.state, LockState::Held);
/// assert!(mail.held_for.is_some_and(|held| held < Duration::from_secs(60)));
/// assert!(mail.info.remaining <= mail.lease().expect("the lock is held"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockRow {
    /// What the store's record of the lock says.
    pub info: LockInfo,
    /// What the record means.
    pub state: LockState,
    /// How long the lock has been held, by the clock that dates the records; `None` for a free lock, and if the store does not tell.
    pub held_for: Option<Duration>,
    /// The last runs of the lock, the latest first.
    pub runs: Arc<[RunRecord]>,
    lease: Option<Duration>,
}

/// The state of a lock in a [`Snapshot`].
///
/// # Examples
///
/// ```
/// use shedlock_dashboard::LockState;
///
/// // The worst is the least, so that a sort puts it first.
/// assert!(LockState::Expired < LockState::Held);
/// assert_eq!(LockState::AtLeast.as_str(), "at_least");
/// assert_eq!(LockState::from_word("at_least"), Some(LockState::AtLeast));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LockState {
    /// The record cannot be read.
    Unreadable,
    /// The lease ended and nobody has released the lock, and no node took it since: its node crashed, was cut off, or ran past the lease. Not
    /// told of JVM nodes, nor by stores that forget a record when its lease ends.
    Expired,
    /// A node holds the lock. If a JVM node does, its run may have ended: the record does not tell the rest of a lease from an `at_least`.
    Held,
    /// The run has ended, and its `at_least` keeps the lock taken.
    AtLeast,
    /// An operator has paused the lock.
    Paused,
    /// Nobody holds the lock.
    Free,
}

/// How much the clock that dates a store's records differs from the clock of the node that reads. No difference is [`Ahead`](Self::Ahead) by
/// nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_dashboard::ClockDifference;
///
/// let difference = ClockDifference::Behind(Duration::from_secs(3));
/// assert_eq!(difference.length(), Duration::from_secs(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockDifference {
    /// The store's clock shows a later time, by this much.
    Ahead(Duration),
    /// The store's clock shows an earlier time, by this much.
    Behind(Duration),
}

impl Snapshot {
    /// The lock `name`; `None` if the store has no record of it.
    #[must_use]
    pub fn lock(&self, name: &str) -> Option<&LockRow> {
        let found = self
            .locks
            .binary_search_by(|row| row.info.name.as_str().cmp(name));
        found.ok().map(|at| &self.locks[at])
    }

    /// The time of the store's clock when the store was read; `None` if [`clock_difference`](Self::clock_difference) is not known.
    #[must_use]
    pub fn store_time(&self) -> Option<SystemTime> {
        match self.clock_difference? {
            ClockDifference::Ahead(by) => self.read_at.checked_add(by),
            ClockDifference::Behind(by) => self.read_at.checked_sub(by),
        }
    }
}

impl LockRow {
    /// The row of a lock whose whole lease is at least `lease`.
    pub(crate) fn new(
        info: LockInfo,
        runs: Arc<[RunRecord]>,
        lease: Duration,
        store_time: SystemTime,
    ) -> Self {
        let held_for = info
            .since
            .filter(|_| info.is_held())
            .and_then(|since| store_time.duration_since(since).ok());
        Self {
            state: LockState::of(&info),
            held_for,
            runs,
            lease: info.is_held().then_some(lease),
            info,
        }
    }

    /// The whole length of the lease, of which [`remaining`](LockInfo::remaining) is left; `None` for a free lock.
    ///
    /// No record tells the length. It is what has passed of the lease and what is left, until an extension was seen; from then on, it is the
    /// most that was left since.
    #[must_use]
    pub const fn lease(&self) -> Option<Duration> {
        self.lease
    }
}

impl LockState {
    fn of(info: &LockInfo) -> Self {
        match (info.is_held(), info.released) {
            _ if info.paused => Self::Paused,
            (true, Some(true)) => Self::AtLeast,
            (true, _) => Self::Held,
            (false, _) if info.problem.is_some() => Self::Unreadable,
            (false, Some(false)) => Self::Expired,
            (false, _) => Self::Free,
        }
    }

    const ALL: [Self; 6] = [
        Self::Unreadable,
        Self::Expired,
        Self::Held,
        Self::AtLeast,
        Self::Paused,
        Self::Free,
    ];

    /// The state for which [`as_str`](Self::as_str) returns `word`; `None` if there is none.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The word for this state on the page, in JSON and in filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Expired => "expired",
            Self::Held => "held",
            Self::AtLeast => "at_least",
            Self::Paused => "paused",
            Self::Free => "free",
        }
    }
}

/// The word of [`as_str`](LockState::as_str).
impl fmt::Display for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ClockDifference {
    /// The length of the difference, in whichever direction.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Ahead(by) | Self::Behind(by) => by,
        }
    }
}
