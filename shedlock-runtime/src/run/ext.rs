//! The methods that every provider gets for its callers.

use std::sync::Arc;

use async_trait::async_trait;

use crate::hold::guard::{self, Lock};
use crate::seam::answer::Refusal;
use crate::seam::provider::LockProvider;
use crate::values::config::LockConfiguration;
use crate::values::error::LockError;

/// Methods for programs that use a provider. Every provider that can be cloned has these methods, and so has an [`Arc`] of any provider.
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
    /// Takes the lock and returns its guard, or `None` if somebody else holds it.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// The store could not be asked, or did not answer in time. The lock is then not taken: if the store has granted it all
    /// the same, a background task releases it.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no lock is held: a background task releases what the store may have granted.
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

    /// Takes the lock and returns its guard, or says why the lock was refused and what is known of its holder.
    ///
    /// Otherwise as [`try_lock`](Self::try_lock).
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

    /// A clone of this provider as a trait object.
    fn to_shared(&self) -> Arc<dyn LockProvider>;
}

#[async_trait]
impl<P: LockProvider + Clone> LockProviderExt for P {
    async fn try_lock(&self, config: LockConfiguration) -> Result<Option<Lock>, LockError> {
        Ok(self.lock(config).await?.ok())
    }

    async fn lock(&self, config: LockConfiguration) -> Result<Result<Lock, Refusal>, LockError> {
        let answer = guard::acquire(&self.to_shared(), &config, None).await?;
        if let Ok(lock) = &answer {
            lock.state().register();
        }
        Ok(answer)
    }

    fn to_shared(&self) -> Arc<dyn LockProvider> {
        Arc::new(self.clone())
    }
}
