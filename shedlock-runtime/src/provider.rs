//! The seam to a store: three conditional operations.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use once_cell::sync::OnceCell;

use crate::clock::{BootInstant, Clock, SystemClock};
use crate::config::LockConfiguration;
use crate::error::{ErrorKind, LockError};
use crate::guard::{self, Lock};
use crate::name::LockName;
use crate::outcome::SkipReason;
use crate::owner::Owner;

/// A store that keeps locks.
///
/// A lock is a record with an end and an owner. It is free when its end has come, and each operation is one
/// conditional write on that record. The caller has checked the name and the durations and limits the time of each
/// call, so an implementation holds only what is peculiar to its store.
///
/// # Contract
///
/// - A granted lease excludes every other until `at_most` has passed on the store's clock, or until its release.
/// - An acquisition that finds the lock held writes nothing.
/// - An acquisition by the owner that holds the lock already is granted: a retry after a lost answer.
/// - [`extend`](Self::extend) and [`release`](Self::release) change the record only if the owner is still the lease's.
/// - After a release the lock stays taken until the lease's [`at_least`](Lease::at_least), counted from the acquisition.
/// - "Somebody else holds it" is an answer; an error means that the store could not say.
///
/// # Cancel safety
///
/// Every future may be dropped at any await. The store may then have carried out the request; the next call must find
/// the provider usable.
///
/// # Clone
///
/// Providers are handles: a clone shares the store, the connections and the [`ProviderInfo`]. One that cannot be
/// cloned is used in an [`Arc`].
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lock provider",
    note = "if this type comes from a `shedlock-*` provider crate, two versions of `shedlock-runtime` may be in your tree; run `cargo tree -d`"
)]
pub trait LockProvider: fmt::Debug + Send + Sync + 'static {
    /// What the provider is and can do.
    fn info(&self) -> &ProviderInfo;

    /// Takes the lock if it is free.
    async fn acquire(&self, attempt: &Attempt) -> Result<Acquired, LockError>;

    /// Moves the lease's end to `at_most` from now if the lease is live.
    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Extended, LockError>;

    /// Ends the lease, or leaves it until its `at_least`.
    async fn release(&self, lease: &Lease) -> Result<Released, LockError>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockProvider + ?Sized> LockProvider for Arc<P> {
    fn info(&self) -> &ProviderInfo {
        (**self).info()
    }

    async fn acquire(&self, attempt: &Attempt) -> Result<Acquired, LockError> {
        (**self).acquire(attempt).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Extended, LockError> {
        (**self).extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease) -> Result<Released, LockError> {
        (**self).release(lease).await
    }
}

/// What callers add to a provider; implemented for every provider that can be cloned, an [`Arc`] of any included.
#[async_trait]
pub trait LockProviderExt: LockProvider {
    /// Takes the lock and returns its guard, or `None` if somebody else holds it.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// The store could not be asked, or did not answer in time. The lock is then not taken: should the store have
    /// granted it all the same, a background task gives it back.
    ///
    /// # Cancel safety
    ///
    /// A future dropped before it ended holds no lock; what the store may have granted is given back in the background.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
    ///
    /// let provider = InMemoryLockProvider::new();
    /// let config = LockConfiguration::new("mail", "5m")?;
    /// let lock = provider.try_lock(config.clone()).await?.expect("nobody holds it");
    /// assert!(provider.try_lock(config).await?.is_none());
    /// lock.unlock().await?;
    /// # Ok(())
    /// # }
    /// ```
    async fn try_lock(&self, config: LockConfiguration) -> Result<Option<Lock>, LockError>;

    /// This provider behind the pointer that the registry keeps.
    fn to_shared(&self) -> Arc<dyn LockProvider>;
}

#[async_trait]
impl<P: LockProvider + Clone> LockProviderExt for P {
    async fn try_lock(&self, config: LockConfiguration) -> Result<Option<Lock>, LockError> {
        match guard::acquire(&self.to_shared(), config, None).await? {
            Ok(lock) => Ok(Some(lock)),
            Err(_refused) => Ok(None),
        }
    }

    fn to_shared(&self) -> Arc<dyn LockProvider> {
        Arc::new(self.clone())
    }
}

/// What a provider is and can do: the same for all its clones.
#[derive(Debug, Clone)]
pub struct ProviderInfo {
    id: u64,
    name: &'static str,
    max_name_chars: usize,
    clock: Arc<dyn Clock>,
}

impl ProviderInfo {
    /// A provider called `name` in messages, with the system's clocks and no limit on names of its own.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            name,
            max_name_chars: usize::MAX,
            clock: Arc::new(SystemClock),
        }
    }

    /// Refuses names of more than `max` characters before any I/O.
    #[must_use]
    pub fn with_max_name_chars(mut self, max: usize) -> Self {
        self.max_name_chars = max;
        self
    }

    /// Measures the holder's deadline, and dates records where the store has no clock, by `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The provider's name in messages, such as `postgres`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many characters a lock's name may have.
    #[must_use]
    pub fn max_name_chars(&self) -> usize {
        self.max_name_chars
    }

    /// The clock by which the holder measures its deadline.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Whether both are clones of one provider: a lock of one is the lock of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// One attempt to take a lock.
#[derive(Debug, Clone)]
pub struct Attempt {
    config: LockConfiguration,
    sent: BootInstant,
    owner: OnceCell<Owner>,
}

impl Attempt {
    /// An attempt that counts its lease from `sent`, a reading taken before the store is asked.
    #[must_use]
    pub fn new(config: LockConfiguration, sent: BootInstant) -> Self {
        Self {
            config,
            sent,
            owner: OnceCell::new(),
        }
    }

    /// What is asked for.
    #[must_use]
    pub fn config(&self) -> &LockConfiguration {
        &self.config
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &LockName {
        self.config.name()
    }

    /// The lease asked for.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.config.at_most()
    }

    /// When the attempt began, on the provider's forward clock.
    #[must_use]
    pub fn sent(&self) -> BootInstant {
        self.sent
    }

    /// The owner of this attempt, the same each time it is asked for.
    ///
    /// It is made when first asked for: an attempt that never had an owner cannot have reached a store.
    ///
    /// # Errors
    ///
    /// As [`Owner::generate`].
    pub fn owner(&self, node: &Arc<str>) -> Result<&Owner, LockError> {
        self.owner.get_or_try_init(|| Owner::generate(node))
    }

    /// The lease that this attempt won.
    #[must_use]
    pub fn grant(&self, fencing_token: Option<u64>) -> Lease {
        Lease {
            name: self.config.name().clone(),
            owner: self.owner.get().cloned(),
            fencing_token,
            acquired: self.sent,
            at_least: self.config.at_least(),
            valid_for: self.config.at_most(),
        }
    }

    /// What a lost or late answer may have granted, or `None` if no store was reached.
    pub(crate) fn orphan(&self) -> Option<Lease> {
        let owner = self.owner.get()?.clone();
        Some(Lease {
            owner: Some(owner),
            at_least: Duration::ZERO,
            ..self.grant(None)
        })
    }

    pub(crate) fn ends(&self) -> BootInstant {
        self.sent.saturating_add(self.config.at_most())
    }
}

/// What a provider grants: the right to a lock until it ends.
#[derive(Debug, Clone)]
pub struct Lease {
    name: LockName,
    owner: Option<Owner>,
    fencing_token: Option<u64>,
    acquired: BootInstant,
    at_least: Duration,
    valid_for: Duration,
}

impl Lease {
    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &LockName {
        &self.name
    }

    /// The owner, if the provider asked the attempt for one.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// The owner as the store keeps it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if this lease was granted without one, that is by another provider.
    pub fn stored_owner(&self) -> Result<String, LockError> {
        self.owner.as_ref().map(Owner::stored).ok_or_else(|| {
            LockError::new(
                ErrorKind::Other,
                "the lease was granted by another provider",
            )
        })
    }

    /// A number that grows with every acquisition of this name, where the store can keep one.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.fencing_token
    }

    /// How long the lock stays taken, counted from its acquisition.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }

    /// What is left of [`at_least`](Self::at_least), for stores that do not keep the time of the acquisition.
    #[must_use]
    pub fn at_least_left(&self, now: BootInstant) -> Duration {
        self.acquired
            .saturating_add(self.at_least)
            .saturating_since(now)
    }

    /// How long the store keeps the lease from the moment it was asked, if that is less than `at_most`.
    #[must_use]
    pub fn with_valid_for(mut self, valid_for: Duration) -> Self {
        self.valid_for = self.valid_for.min(valid_for);
        self
    }

    pub(crate) fn valid_for(&self) -> Duration {
        self.valid_for
    }

    /// Counts `at_least` from `acquired`: the store granted the lock no later than that.
    pub(crate) fn set_acquired(&mut self, acquired: BootInstant) {
        self.acquired = acquired;
    }

    /// Keeps the lock for `at_least` from `now` too; what was promised before stays promised.
    pub(crate) fn hold_until(&mut self, now: BootInstant, at_least: Duration) {
        let from_acquisition = now.saturating_since(self.acquired).saturating_add(at_least);
        self.at_least = self.at_least.max(from_acquisition);
    }
}

/// The answer to [`LockProvider::acquire`].
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

    /// Adds who holds it, given the owner as stored, and for how long.
    #[must_use]
    pub fn by(mut self, stored_owner: &str, remaining: Duration) -> Self {
        self.node = Some(Owner::node_of(stored_owner).into());
        self.remaining = Some(remaining);
        self
    }
}

/// The answer to [`LockProvider::extend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// The lease ends `at_most` after the request.
    Extended,
    /// The lease had ended or the lock is somebody else's; nothing was changed.
    Lost,
}

/// The answer to [`LockProvider::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The lock is free, or will be when `at_least` is over.
    Released,
    /// The lock was not the caller's any more; nothing was changed.
    Lost,
}
