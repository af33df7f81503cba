//! The lease that a granted request gets.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::seam::info::ProviderInfo;
use crate::seam::predecessor::Predecessor;
use crate::seam::trail::Trail;
use crate::values::clock::{BootInstant, Clock};
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::owner::{Owner, OwnerWrite};
use crate::values::position::Position;

/// The lease of a lock: what a provider grants, and what it gets back to extend or to release the lock.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo};
///
/// let info = ProviderInfo::new("toy");
/// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
/// let lease = request.grant(Some(33));
/// assert_eq!(lease.name().as_str(), "mail");
/// assert_eq!(lease.fencing_token(), Some(33));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lease {
    pub(super) name: LockName,
    pub(super) trail: OnceCell<Arc<Trail>>,
    pub(super) fencing_token: Option<u64>,
    /// The store granted the lock no sooner than this.
    pub(super) requested_at: BootInstant,
    /// The store granted the lock no later than this.
    pub(super) acquired: BootInstant,
    pub(super) at_least: Duration,
    pub(super) valid_for: Duration,
    pub(super) predecessor: Option<Arc<Predecessor>>,
}

impl Lease {
    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &LockName {
        &self.name
    }

    /// The owner of the acquisition; `None` if the provider never asked the request for one.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.trail.get()?.owner.get()
    }

    /// Notes that the run under this lease has ended well.
    pub(crate) fn note_done(&self) {
        let trail = self.trail.get_or_init(Arc::default);
        trail.is_done.store(true, Ordering::Release);
    }

    /// Whether the run under this lease has ended well: a release then marks the record's [`Position`](crate::Position) as done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let trail = self.trail.get();
        trail.is_some_and(|trail| trail.is_done.load(Ordering::Acquire))
    }

    /// Records that no run has begun under this lease, and none will: nobody has heard of the grant, or the process shuts down.
    ///
    /// The runtime calls this method for its own releases. A wrapper calls it before it releases a lease that it was granted and does not
    /// pass on.
    pub fn note_unused(&self) {
        let trail = self.trail.get_or_init(Arc::default);
        trail.is_unused.store(true, Ordering::Release);
    }

    /// Whether the slot, instant or step of this lease was begun, and no run with it: a release then takes the try off the record's
    /// [`Position`](crate::Position) again, as [`settle`](Self::settle) does. Always false for a lock that was taken without a position.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        let trail = self.trail.get().filter(|trail| trail.asked_position);
        trail.is_some_and(|trail| trail.is_unused.load(Ordering::Acquire))
    }

    /// Changes the `position` in the record of this lease as a release does: the position is done if the run has ended well, and has one try
    /// less if no run has begun.
    ///
    /// `is_released` says whether the record bears a release of this lease already. Its try was taken off then, and only the answer was lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{AcquireRequest, LockConfiguration, Position, ProviderInfo};
    ///
    /// let info = ProviderInfo::new("toy");
    /// let config = LockConfiguration::new("chain", "5m")?.with_step(3)?;
    /// let lease = AcquireRequest::new(config, info.clock().boot()).grant(None);
    /// let mut position = Position { number: 3, is_done: false, tries: 1 };
    /// lease.note_unused();
    /// lease.settle(&mut position, false);
    /// assert_eq!((position.is_done, position.tries), (false, 0));
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn settle(&self, position: &mut Position, is_released: bool) {
        position.is_done |= self.is_done();
        if self.is_unused() && !is_released {
            position.tries = position.tries.saturating_sub(1);
        }
    }

    /// Keeps `value` for the provider that `info` describes, in place of an earlier note of type `T` of that provider on this lease or on its
    /// request; see [`AcquireRequest::note`](crate::AcquireRequest::note). Clones of this lease see the new note, if a note or the owner was
    /// there before they were made.
    pub fn note<T: Any + Send + Sync>(&self, info: &ProviderInfo, value: T) {
        let trail = self.trail.get_or_init(Arc::default);
        trail.notes.set(info.id(), value);
    }

    /// The note of the provider that `info` describes, from the request or from this lease; `None` if there is no note or if the note is not
    /// a `T`.
    #[must_use]
    pub fn noted<T: Any + Send + Sync>(&self, info: &ProviderInfo) -> Option<Arc<T>> {
        self.trail.get()?.notes.get(info.id())
    }

    /// The note that is a `T`, from whichever provider has kept it with the request or this lease.
    pub(crate) fn note_of_type<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.trail.get()?.notes.of_type()
    }

    /// The next write of this lease that is an extension; see [`OwnerWrite`]. The write of a release is
    /// [`release_write`](Self::release_write).
    ///
    /// Each write has a greater number than those before, also if they were made from another clone of the lease. A provider calls
    /// this method once for each extension. When it asks its store again for the same extension, after a lost answer, it uses
    /// the same write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if this lease was granted without an owner, that is by another provider.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Lease, LockError, Standing};
    ///
    /// fn example(lease: &Lease) -> Result<(), LockError> {
    ///     let extension = lease.next_write()?;
    ///     let release = lease.clone().release_write()?;
    ///     // An extension that arrives after the release finds the release's number.
    ///     assert_eq!(extension.standing(release.stored()), Standing::Later);
    ///     Ok(())
    /// }
    /// # use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo};
    /// # let info = ProviderInfo::new("toy");
    /// # let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// # let _owner = request.owner(&info)?;
    /// # example(&request.grant(None))?;
    /// # Ok::<(), LockError>(())
    /// ```
    pub fn next_write(&self) -> Result<OwnerWrite, LockError> {
        self.owner().map(Owner::next_write).ok_or_else(no_owner)
    }

    /// The next write of this lease that is a release, numbered as [`next_write`](Self::next_write) numbers extensions.
    ///
    /// The owner that this write stores says that the lock was released. From that, the next acquisition learns that the holder before did
    /// not just let its lease end; see [`Predecessor::from_record`]. A release that keeps the lock taken for an `at_least` is a release, too.
    ///
    /// # Errors
    ///
    /// As [`next_write`](Self::next_write).
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Lease, LockError, Predecessor};
    ///
    /// fn example(lease: &Lease) -> Result<(), LockError> {
    ///     let (extension, release) = (lease.next_write()?, lease.release_write()?);
    ///     // What the next acquisition finds if the holder's node has died, and if the holder has released the lock.
    ///     assert!(Predecessor::from_record(extension.stored(), None, None).is_some());
    ///     assert!(Predecessor::from_record(release.stored(), None, None).is_none());
    ///     Ok(())
    /// }
    /// # use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo};
    /// # let info = ProviderInfo::new("toy");
    /// # let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// # let _owner = request.owner(&info)?;
    /// # example(&request.grant(None))?;
    /// # Ok::<(), LockError>(())
    /// ```
    pub fn release_write(&self) -> Result<OwnerWrite, LockError> {
        self.owner().map(Owner::release_write).ok_or_else(no_owner)
    }

    /// A copy of the lease with a write counter of its own, for tests of providers.
    ///
    /// The next write of the copy has the same number as the next write of the original. A test sends it to simulate that the network delivers
    /// one request twice, at a time of the test's choice. A clone shares the counter with the original, so it cannot do this.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Lease, LockError};
    ///
    /// fn example(lease: &Lease) -> Result<(), LockError> {
    ///     let late = lease.replica();
    ///     let (extension, release) = (lease.next_write()?, lease.release_write()?);
    ///     // Delivered once more, in the same order.
    ///     assert_eq!(late.next_write()?, extension);
    ///     assert_eq!(late.release_write()?, release);
    ///     Ok(())
    /// }
    /// # use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo};
    /// # let info = ProviderInfo::new("toy");
    /// # let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// # let _owner = request.owner(&info)?;
    /// # example(&request.grant(None))?;
    /// # Ok::<(), LockError>(())
    /// ```
    #[must_use]
    pub fn replica(&self) -> Self {
        Self {
            trail: self.trail.get().map_or_else(OnceCell::new, |trail| {
                OnceCell::with_value(Arc::new(trail.replica()))
            }),
            ..self.clone()
        }
    }

    /// The fencing token: a number that grows with every acquisition of this lock. `None` if the store keeps no fencing tokens.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.fencing_token
    }

    /// How long the lock stays taken at least, also after a release, counted from its acquisition.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }

    /// How much of [`at_least`](Self::at_least) is left by `clock`, which must be [`ProviderInfo::clock`](crate::ProviderInfo::clock).
    ///
    /// A release keeps the lock taken for this duration. The runtime passes it to
    /// [`LockProvider::release`](crate::LockProvider::release) as `keep_for`; a wrapper that releases a lease by itself calls this method.
    #[must_use]
    pub fn at_least_left(&self, clock: &dyn Clock) -> Duration {
        // Most locks have no `at_least`, and then no clock is read.
        if self.at_least.is_zero() {
            return Duration::ZERO;
        }
        self.acquired
            .saturating_add(self.at_least)
            .saturating_since(clock.boot())
    }

    /// Shortens the lease to `valid_for`, counted from the request, for a store that granted less than the `at_most` that was asked for. A
    /// longer duration changes nothing.
    #[must_use]
    pub fn granted_for(mut self, valid_for: Duration) -> Self {
        self.valid_for = self.valid_for.min(valid_for);
        self
    }

    /// Adds the slot, instant or step that was begun by this acquisition, as it stands in the record: what
    /// [`PositionRule::next`](crate::PositionRule::next) returned. The history of runs has it.
    #[must_use]
    pub fn at_position(self, position: Option<Position>) -> Self {
        if let Some(position) = position {
            // In the trail, because a lease is moved often, and most have no position.
            let trail = self.trail.get_or_init(Arc::default);
            let _before = trail.position.set(position);
        }
        self
    }

    /// The slot, instant or step that was begun by this acquisition; `None` if there is none, or if the provider does not tell.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.trail.get()?.position.get().copied()
    }

    /// Says whose expired record the store replaced when it granted the lock. The runtime reports the predecessor once, as the event
    /// [`TakenOver`](crate::EventKind::TakenOver). `None` changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use shedlock_runtime::{AcquireRequest, LockConfiguration, Predecessor, ProviderInfo};
    ///
    /// let info = ProviderInfo::new("toy");
    /// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// // The record that the acquisition replaced was written by a node that died.
    /// let (found, locked_at) = ("web-2#0123456789abcdef0123456789abcdef", SystemTime::now());
    /// let predecessor = Predecessor::from_record(found, Some(locked_at), None);
    /// let lease = request.grant(Some(34)).taken_over_from(predecessor);
    /// assert_eq!(&*lease.predecessor().expect("a node that died").node, "web-2");
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    #[must_use]
    pub fn taken_over_from(mut self, predecessor: Option<Predecessor>) -> Self {
        if let Some(predecessor) = predecessor {
            self.predecessor = Some(Arc::new(predecessor));
        }
        self
    }

    /// The holder whose lease ended without a release before this lease was granted; `None` if there was no such holder, or if the provider
    /// does not tell.
    #[must_use]
    pub fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.as_deref()
    }

    /// The same lease under another name, for a wrapper that gives its locks names of their own.
    #[must_use]
    pub fn renamed(&self, name: LockName) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }

    /// Whether both leases are of one acquisition, however often that was extended.
    pub(crate) fn is_same_grant(&self, other: &Self) -> bool {
        match (self.owner(), other.owner()) {
            (Some(one), Some(other)) => one == other,
            (None, None) => {
                self.requested_at == other.requested_at && self.fencing_token == other.fencing_token
            }
            _ => false,
        }
    }

    /// Frees the lock with its release: `at_least` is about a run, and there is none.
    pub(crate) fn waive_at_least(&mut self) {
        self.at_least = Duration::ZERO;
    }

    pub(crate) fn valid_for(&self) -> Duration {
        self.valid_for
    }

    pub(crate) fn acquired(&self) -> BootInstant {
        self.acquired
    }

    /// Counts `at_least` from `acquired`: the store granted the lock no later than that.
    pub(crate) fn set_acquired(&mut self, acquired: BootInstant) {
        self.acquired = acquired;
    }

    /// Keeps the lock taken until `at_least` after `now` as well; a later end that was promised before stays.
    pub(crate) fn raise_at_least(&mut self, now: BootInstant, at_least: Duration) {
        if at_least.is_zero() {
            return;
        }
        // Stores count from when they granted the lock, which may be as early as the request.
        let from_acquisition = now
            .saturating_since(self.requested_at)
            .saturating_add(at_least);
        self.at_least = self.at_least.max(from_acquisition);
    }
}

fn no_owner() -> LockError {
    LockError::new(
        ErrorKind::Other,
        "the lease was granted by another provider",
    )
}
