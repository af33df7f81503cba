//! The seam to a store: three conditional operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::answer::{Acquired, Extended, Released};
use crate::config::LockConfiguration;
use crate::error::LockError;
use crate::guard::{self, Lock};
use crate::info::ProviderInfo;
use crate::lease::{Attempt, Lease};
use crate::running;

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
        match guard::acquire(&self.to_shared(), &config, None).await? {
            Ok(lock) => {
                running::register(lock.state());
                Ok(Some(lock))
            }
            Err(_refused) => Ok(None),
        }
    }

    fn to_shared(&self) -> Arc<dyn LockProvider> {
        Arc::new(self.clone())
    }
}
