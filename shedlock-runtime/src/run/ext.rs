//! What callers add to a provider.

use std::sync::Arc;

use async_trait::async_trait;

use crate::hold::guard::{self, Lock};
use crate::hold::running;
use crate::seam::provider::LockProvider;
use crate::values::config::LockConfiguration;
use crate::values::error::LockError;

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
