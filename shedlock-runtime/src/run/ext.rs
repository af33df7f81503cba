//! The methods by which programs take locks from a provider.

use std::sync::Arc;

use async_trait::async_trait;

use crate::hold::acquire::acquire;
use crate::hold::guard::Lock;
use crate::run::context;
use crate::seam::answer::Refusal;
use crate::seam::provider::LockProvider;
use crate::values::config::LockConfiguration;
use crate::values::error::LockError;

/// Methods by which programs take locks from a provider. Every provider that is `Clone` has these methods, and so does an [`Arc`] of any
/// provider.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProvider, LockProviderExt as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// let provider: Arc<dyn LockProvider> = InMemoryLockProvider::new().to_shared();
/// match provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     Some(lock) => drop(lock.unlock().await?),
///     None => println!("another node sends the mail"),
/// }
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait LockProviderExt: LockProvider {
    /// Takes the lock and returns the lock's guard, or `None` if the lock was refused, usually because another holder has the lock. See
    /// [`lock`](Self::lock) for the reason of a refusal.
    ///
    /// The call needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// The store could not be asked, refused the request, or did not answer in time. The caller then does not hold the lock: if the store
    /// may have granted the lock without an answer, a background task releases the lock.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the caller holds no lock: a background task releases the lock if the store may have granted it.
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

    /// Takes the lock and returns the lock's guard, or a [`Refusal`] with the reason and with what the store says about the lock's holder.
    ///
    /// In all other respects, this method works as [`try_lock`](Self::try_lock).
    ///
    /// # Errors
    ///
    /// As [`try_lock`](Self::try_lock).
    ///
    /// # Cancel safety
    ///
    /// As [`try_lock`](Self::try_lock).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _, SkipReason};
    ///
    /// let provider = InMemoryLockProvider::new();
    /// let config = LockConfiguration::new("mail", "5m")?;
    /// let _lock = provider.lock(config.clone()).await?.expect("nobody holds it");
    /// match provider.lock(config).await? {
    ///     Ok(_lock) => unreachable!("it is held"),
    ///     Err(refusal) => assert_eq!(refusal.reason, SkipReason::Held),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn lock(&self, config: LockConfiguration) -> Result<Result<Lock, Refusal>, LockError>;

    /// Clones this provider into a shared trait object.
    fn to_shared(&self) -> Arc<dyn LockProvider>;
}

#[async_trait]
impl<P: LockProvider + Clone> LockProviderExt for P {
    async fn try_lock(&self, config: LockConfiguration) -> Result<Option<Lock>, LockError> {
        Ok(self.lock(config).await?.ok())
    }

    async fn lock(&self, config: LockConfiguration) -> Result<Result<Lock, Refusal>, LockError> {
        let answer = acquire(&self.to_shared(), &config, context::innermost()).await?;
        if let Ok(lock) = &answer {
            lock.state().register();
        }
        Ok(answer)
    }

    fn to_shared(&self) -> Arc<dyn LockProvider> {
        Arc::new(self.clone())
    }
}
