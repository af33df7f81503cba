//! The holder before, if its lease ended without a release.

use std::time::SystemTime;

use crate::values::operator_mark::OperatorMark;
use crate::values::owner::Owner;
use crate::values::position::Position;
use crate::values::printable::printable;

/// A holder whose lease ended although nobody had released the lock. Its node crashed, was cut off from the store, or ran for longer than
/// its lease; or the program let the lease end on purpose, by [`Lock::release_on_drop`](crate::Lock::release_on_drop).
///
/// A provider attaches it to the next lease, with [`Lease::taken_over_from`](crate::Lease::taken_over_from). The runtime reports it as the
/// event [`TakenOver`](crate::EventKind::TakenOver).
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use shedlock_runtime::Predecessor;
///
/// // What an acquisition found in the record that it replaced.
/// let locked_by = "web-2#0123456789abcdef0123456789abcdef";
/// let locked_at = SystemTime::now() - Duration::from_secs(600);
/// let lock_until = locked_at + Duration::from_secs(300);
/// let predecessor = Predecessor::from_record(locked_by, Some(locked_at), Some(lock_until)).expect("nobody released the lock");
/// assert_eq!(&*predecessor.node, "web-2");
/// assert_eq!(predecessor.since, Some(locked_at));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Predecessor {
    /// The name of the holder's node, escaped by [`printable`].
    pub node: Box<str>,
    /// When the holder took the lock, by the clock that dates the records; `None` if the store does not tell.
    pub since: Option<SystemTime>,
    /// When the holder's lease ended, by the same clock; `None` if the store does not tell.
    pub until: Option<SystemTime>,
    /// The holder's fencing token; `None` if the store does not tell.
    pub fencing_token: Option<u64>,
    /// The slot, instant or step that the holder had begun; `None` if there was none, or if the store does not tell.
    pub position: Option<Position>,
}

impl Predecessor {
    /// The holder on `node`, which took the lock at `locked_at`, and whose lease ended at `lock_until`. For a store that knows by its own
    /// means that nobody released the lock; others use [`from_record`](Self::from_record).
    #[must_use]
    pub fn new(node: &str, locked_at: Option<SystemTime>, lock_until: Option<SystemTime>) -> Self {
        Self {
            node: printable(node).into(),
            since: locked_at,
            until: lock_until,
            fencing_token: None,
            position: None,
        }
    }

    /// The holder that wrote a record whose lease has ended. `stored_owner`, `locked_at` and `lock_until` are what the record has.
    ///
    /// `None` if the holder released the lock, with or without an `at_least`, or if an operator paused or released it. Also `None` if a JVM
    /// node wrote the record: a JVM node leaves the same record after a release as after a crash, but for the time of the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Owner, Predecessor, node_name};
    ///
    /// let owner = Owner::generate(&node_name("web-2"))?;
    /// let of = |stored_owner: &str| Predecessor::from_record(stored_owner, None, None);
    /// assert!(of(owner.first_write().stored()).is_some());
    /// assert!(of(owner.next_write().stored()).is_some(), "extended, and then never heard of again");
    /// assert!(of(owner.release_write().stored()).is_none());
    /// assert!(of("released: its node is gone").is_none());
    /// assert!(of("app.example").is_none(), "a JVM node");
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    #[must_use]
    pub fn from_record(
        stored_owner: &str,
        locked_at: Option<SystemTime>,
        lock_until: Option<SystemTime>,
    ) -> Option<Self> {
        let is_ours = Owner::acquisition_of(stored_owner).is_some()
            && OperatorMark::parse(stored_owner).is_none();
        let expired = is_ours && !Owner::is_release(stored_owner);
        expired.then(|| Self::new(Owner::node_of(stored_owner), locked_at, lock_until))
    }

    /// Adds the fencing token of the holder's lease.
    #[must_use]
    pub const fn with_fencing_token(mut self, token: Option<u64>) -> Self {
        self.fencing_token = token;
        self
    }

    /// Adds the position in the holder's record.
    #[must_use]
    pub const fn with_position(mut self, position: Option<Position>) -> Self {
        self.position = position;
        self
    }
}
