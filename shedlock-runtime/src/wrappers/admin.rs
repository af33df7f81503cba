//! What an operator sees and does through a wrapper.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{NamespacedLockProvider, TimeoutLockProvider, TrackingLockProvider};
use crate::seam::admin::{LockAdmin, LockInfo};
use crate::seam::provider::LockProvider as _;
use crate::values::error::{LockError, Operation};
use crate::values::limit::{Call, limited};
use crate::values::name::LockName;

/// A lock's name here and in the store.
struct Named {
    here: LockName,
    stored: LockName,
}

impl<P: LockAdmin> NamespacedLockProvider<P> {
    fn named(&self, operation: Operation, name: &str) -> Result<Named, LockError> {
        let named = || {
            let here = self.info().lock_name(operation, name)?;
            let stored = self.stored(&here)?;
            Ok(Named { here, stored })
        };
        named().map_err(|error: LockError| error.with_context(operation, self.info().name(), None))
    }

    /// `prefix` as the names in the store have it.
    fn stored_prefix(&self, prefix: &str) -> Result<String, LockError> {
        Ok(match prefix {
            "" => self.prefix().to_owned(),
            prefix => self.named(Operation::Prune, prefix)?.stored.to_string(),
        })
    }
}

/// Only the locks of the namespace, by the names that they have in it; those of namespaces inside of it among them.
///
/// The events of what is done to a lock have its whole name, because the store's provider tells them.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockAdmin> LockAdmin for NamespacedLockProvider<P> {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        let mut infos = self.inner().list().await?;
        infos.retain_mut(|info| match self.own(&info.name) {
            Some(name) => {
                info.name = name.to_owned();
                true
            }
            None => false,
        });
        Ok(infos)
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let Named { here, stored } = self.named(Operation::Get, name)?;
        let found = self.inner().get(stored.as_str()).await;
        let info = found.map_err(|error| error.renamed(&here))?;
        Ok(info.map(|info| LockInfo {
            name: name.to_owned(),
            ..info
        }))
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let Named { here, stored } = self.named(Operation::ForceRelease, name)?;
        let done = self.inner().force_release(stored.as_str(), reason).await;
        done.map_err(|error| error.renamed(&here))
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let Named { here, stored } = self.named(Operation::Pause, name)?;
        let done = self.inner().pause(stored.as_str(), until, reason).await;
        done.map_err(|error| error.renamed(&here))
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let Named { here, stored } = self.named(Operation::Resume, name)?;
        let done = self.inner().resume(stored.as_str()).await;
        done.map_err(|error| error.renamed(&here))
    }

    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        self.prune_prefix("", unused_for).await
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let stored = self.stored_prefix(prefix)?;
        self.inner().prune_prefix(&stored, unused_for).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockAdmin> LockAdmin for TrackingLockProvider<P> {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        self.inner().list().await
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        self.inner().get(name).await
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        self.inner().force_release(name, reason).await
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        self.inner().pause(name, until, reason).await
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        self.inner().resume(name).await
    }

    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        self.inner().prune(unused_for).await
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.inner().prune_prefix(prefix, unused_for).await
    }
}

impl<P: LockAdmin> TimeoutLockProvider<P> {
    async fn within<T>(
        &self,
        operation: Operation,
        lock: Option<&str>,
        call: Call<'_, T>,
    ) -> Result<T, LockError> {
        // A name that is none is refused behind us, in the same words.
        let lock = lock.and_then(|name| LockName::new(name).ok());
        let answer = limited(self.limit(), call).await;
        answer.map_err(|error| error.with_context(operation, self.info().name(), lock.as_ref()))
    }
}

/// Every call within the limit, those that look at many locks too.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockAdmin> LockAdmin for TimeoutLockProvider<P> {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        let call = self.inner().list();
        self.within(Operation::List, None, call).await
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let call = self.inner().get(name);
        self.within(Operation::Get, Some(name), call).await
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let call = self.inner().force_release(name, reason);
        self.within(Operation::ForceRelease, Some(name), call).await
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let call = self.inner().pause(name, until, reason);
        self.within(Operation::Pause, Some(name), call).await
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let call = self.inner().resume(name);
        self.within(Operation::Resume, Some(name), call).await
    }

    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        let call = self.inner().prune(unused_for);
        self.within(Operation::Prune, None, call).await
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let call = self.inner().prune_prefix(prefix, unused_for);
        self.within(Operation::Prune, None, call).await
    }
}
